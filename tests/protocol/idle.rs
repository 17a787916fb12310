//! Connections that are not used, with a virtual clock.

use std::time::Instant;

use sansock::{Delivery, EncodedMessage, Role, SendError, State, Timeouts};
use testkit::pair::clean;

use crate::pair::{End, Pair, SECOND_LOOK, seconds};
use crate::timers::{config, ends, peer};
use crate::wire::{
    BINARY, BOTH, CONTINUATION, FIN, PING, TEXT, close_frame, cut_frame, frame, text,
};

#[test]
fn a_connection_that_is_not_used_is_closed_with_1001() {
    for (client, server) in [(30, 1_000), (1_000, 30)] {
        let timeouts = |idle| config(Timeouts::new().idle(seconds(idle)));
        let mut pair = Pair::of(&timeouts(client), &timeouts(server));
        pair.pass(seconds(30));
        assert_eq!(pair.client.state(), State::Open);
        pair.pass(SECOND_LOOK);
        assert_eq!(pair.client.outcome(), Some(clean(1001)));
        assert_eq!(pair.server.outcome(), Some(clean(1001)));
        assert_eq!((pair.client.timeout, pair.server.timeout), (None, None), "a normal close");
    }
}

/// It is closed once, even if the peer does not answer and the closing handshake has no timeout.
#[test]
fn an_idle_connection_is_closed_once() {
    let (ends, start) = ends(Timeouts::none().idle(seconds(30)));
    for (mut end, role) in ends {
        end.tell_twice(start + seconds(30));
        assert_eq!(end.take_output(), close_frame(peer(role), 1001, b""));
        for second in 31..100 {
            end.tell(start + seconds(second));
            assert!(end.output.is_empty());
        }
        assert_eq!((end.state(), end.timeout), (State::Closing, None));
    }
}

#[test]
fn messages_either_way_keep_a_connection_in_use_and_pings_do_not() {
    let mut pair = Pair::new(&config(Timeouts::new().idle(seconds(30))));
    for _ in 0..10 {
        pair.client.send("up").unwrap();
        pair.pass(seconds(20));
        pair.server.connection.send_fragment("do", false, &mut pair.server.output).unwrap();
        pair.server.connection.send_fragment("wn", true, &mut pair.server.output).unwrap();
        pair.pass(seconds(20));
    }
    assert_eq!(pair.client.state(), State::Open);
    assert_eq!(pair.client.take_seen(), vec![text("down"); 10]);
    for _ in 0..6 {
        // Refused once the connection is closing.
        let _ = pair.client.connection.ping(b"", &mut pair.client.output);
        pair.pass(seconds(10));
    }
    assert_eq!(pair.client.outcome(), Some(clean(1001)));
}

/// The bytes of a message count as use: a long message is not cut off because it is long.
#[test]
fn a_message_under_way_keeps_a_connection_in_use() {
    let (ends, start) = ends(Timeouts::none().idle(seconds(30)));
    for (mut end, role) in ends {
        end.receive(&cut_frame(role, BINARY, 10_000, b""));
        for second in (0..=200).step_by(20) {
            end.receive(b"x");
            end.tell(start + seconds(second));
        }
        assert_eq!((end.state(), end.error), (State::Open, None));
        // The message stops, and nothing else happens.
        end.tell_twice(start + seconds(230));
        assert_eq!(end.state(), State::Closing);
    }
}

/// One way to send a message or to receive one.
type Use<'a> = &'a dyn Fn(&mut End, Role);

/// However it is sent or comes, and also if the reader has waited since.
#[test]
fn every_message_since_the_last_check_is_use() {
    let long = vec![0; 200_000];
    let encoded = [EncodedMessage::new("short"), EncodedMessage::new(&long)];
    let ways: [Use<'_>; 7] = [
        &|end, role| end.receive(&frame(role, FIN | TEXT, b"message")),
        &|end, _| end.send("message").unwrap(),
        &|end, _| end.connection.send_fragment("part", false, &mut end.output).unwrap(),
        &|end, _| end.connection.send_encoded(&encoded[0], &mut end.output).unwrap(),
        &|end, _| {
            let _ = end.connection.send_in_place(&long, &mut end.output).unwrap();
        },
        &|end, _| {
            let _ = end.connection.send_encoded_in_place(&encoded[0], &mut end.output).unwrap();
        },
        &|end, _| {
            let _ = end.connection.send_encoded_in_place(&encoded[1], &mut end.output).unwrap();
        },
    ];
    for (i, uses) in ways.into_iter().enumerate() {
        let (ends, start) = ends(Timeouts::none().idle(seconds(30)));
        for (mut end, role) in ends {
            uses(&mut end, role);
            end.receive(b"");
            end.tell(start + seconds(20));
            assert_eq!(end.connection.poll_timeout(), Some(start + seconds(50)), "{role:?}, {i}");
        }
    }
}

/// A refused message does not count as use.
#[test]
fn a_refused_message_does_not_keep_a_connection_in_use() {
    let (ends, start) = ends(Timeouts::none().idle(seconds(30)));
    for (mut end, _) in ends {
        end.connection.send_fragment("part", false, &mut end.output).unwrap();
        end.tell(start);
        for second in 1..=30 {
            assert_eq!(end.send("other"), Err(SendError::MessageInProgress));
            end.tell_twice(start + seconds(second));
        }
        assert_eq!(end.state(), State::Closing);
    }
}

/// A fragment that has begun and then only Pings do not count as use: only bytes of messages do.
#[test]
fn pings_within_a_message_do_not_keep_a_connection_in_use() {
    let (ends, start) = ends(Timeouts::none().idle(seconds(30)));
    for (mut end, role) in ends {
        end.receive(&frame(role, TEXT, b"begin"));
        for second in (0..30).step_by(5) {
            end.receive(&frame(role, PING, b""));
            end.tell(start + seconds(second));
        }
        end.receive(&frame(role, PING, b""));
        end.tell_twice(start + seconds(30));
        assert_eq!(end.state(), State::Closing, "{role:?}");
    }
}

/// However a message is cut, each byte of it counts, and the last as the first: those of its headers too.
#[test]
fn every_byte_of_a_message_is_use() {
    let lengths = [0, 5, 200, 70_000];
    let cases = BOTH.into_iter().flat_map(|role| lengths.map(|length| (role, vec![b'x'; length])));
    for ((role, payload), delivery) in cases.flat_map(|it| {
        [Delivery::Messages, Delivery::Chunks].map(|delivery| (it.clone(), delivery))
    }) {
        let whole = frame(role, FIN | TEXT, &payload);
        let last = frame(role, FIN | CONTINUATION, &payload);
        let fragments = [&frame(role, TEXT, b"first")[..], &last].concat();
        for message in [whole, fragments] {
            // In two reads, the second of which begins within a header or soon after one.
            for cut in (1..message.len().min(40)).chain([message.len() - 1]) {
                let config = config(Timeouts::none().idle(seconds(30))).delivery(delivery);
                let mut end = End::new(role, &config);
                let mut now = Instant::now();
                end.tell(now);
                for part in [&message[..cut], &message[cut..]] {
                    now += seconds(20);
                    end.receive(part);
                    end.tell(now);
                    let idle = end.connection.poll_timeout();
                    assert_eq!(idle, Some(now + seconds(30)), "{role:?} {delivery:?} {cut}");
                }
                end.receive(&frame(role, PING, b"no message"));
                end.tell(now + seconds(10));
                assert_eq!(end.connection.poll_timeout(), Some(now + seconds(30)));
            }
            // Byte by byte through all headers.
            let mut end = End::new(role, &config(Timeouts::none().idle(seconds(30))));
            let mut now = Instant::now();
            end.tell(now);
            for byte in message.chunks(1).take(40) {
                now += seconds(20);
                end.receive(byte);
                end.tell(now);
                assert_eq!(end.connection.poll_timeout(), Some(now + seconds(30)), "{role:?}");
            }
        }
    }
}
