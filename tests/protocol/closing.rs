//! The closing handshake (RFC 6455, 7), from either end.

use sansock::{
    CloseCode, Config, EncodedMessage, Outcome, ProtocolError, Role, SendError, State, Teardown,
};
use testkit::pair::{clean, closed};

use crate::pair::{End, Pair, seconds};
use crate::wire::{
    BINARY, BOTH, CLOSE, CONTINUATION, FIN, PING, Seen, TEXT, close_frame, frame, text,
};

fn pair() -> Pair {
    Pair::new(&Config::new())
}

fn other(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

#[test]
fn the_client_closes_and_waits_for_the_server_to_end_the_stream() {
    let mut pair = pair();
    pair.client.close(1000, "bye").unwrap();
    assert_eq!(pair.client.state(), State::Closing);
    assert_eq!(pair.client.teardown(), Teardown::NotYet);
    assert_eq!(pair.client.outcome(), None);

    pair.client_to_server();
    assert_eq!(pair.server.take_seen(), [Seen::Close(Some(1000), "bye".into())]);
    assert_eq!(pair.server.state(), State::Closed);
    assert_eq!(
        pair.server.outcome(),
        Some(Outcome::Clean { code: Some(CloseCode::NORMAL), reason: "bye".into() })
    );
    assert_eq!(pair.server.teardown(), Teardown::HalfClose);

    pair.server_to_client();
    assert_eq!(pair.client.take_seen(), [Seen::Close(Some(1000), String::new())]);
    assert_eq!(pair.client.state(), State::Closed);
    assert_eq!(pair.client.outcome(), Some(clean(1000)));
    // "in normal cases the TCP connection MUST be closed first by the server" (7.1.1)
    assert_eq!(pair.client.teardown(), Teardown::AwaitPeer);
    assert!(!pair.client_to_server(), "the client does not end the stream first");

    pair.deliver();
    assert!(pair.server.ended && pair.client.ended);
    for end in [&mut pair.client, &mut pair.server] {
        let until = pair.now + seconds(10);
        end.tell(pair.now);
        assert_eq!(end.teardown(), Teardown::Drop { until: Some(until) });
        assert_eq!(end.outcome().map(|outcome| outcome.code()), Some(1000));
    }
    assert_eq!(pair.server.outcome().unwrap().reason(), "bye");
}

#[test]
fn the_server_closes() {
    let mut pair = pair();
    pair.server.close(1001, "going away").unwrap();
    pair.server_to_client();
    assert_eq!(pair.server.teardown(), Teardown::NotYet, "the client's answer is still to come");
    assert_eq!(pair.client.take_seen(), [Seen::Close(Some(1001), "going away".into())]);
    assert_eq!(pair.client.teardown(), Teardown::AwaitPeer);
    pair.client_to_server();
    assert_eq!(pair.server.teardown(), Teardown::HalfClose);
    pair.deliver();
    assert_eq!(
        (pair.client.outcome(), pair.server.outcome()),
        (Some(closed(1001, "going away")), Some(clean(1001)))
    );
}

/// "the two endpoints may both send a Close frame at the same time" (7.1.1)
#[test]
fn both_close_at_once() {
    let mut pair = pair();
    pair.client.close(3000, "client").unwrap();
    pair.server.close(4000, "server").unwrap();
    let (up, down) = (pair.client.take_output(), pair.server.take_output());
    pair.server.receive(&up);
    pair.client.receive(&down);
    assert_eq!(pair.server.take_seen(), [Seen::Close(Some(3000), "client".into())]);
    assert_eq!(pair.client.take_seen(), [Seen::Close(Some(4000), "server".into())]);
    assert!(pair.client.output.is_empty() && pair.server.output.is_empty(), "one Close frame each");
    assert_eq!(
        (pair.client.outcome(), pair.server.outcome()),
        (Some(closed(4000, "server")), Some(closed(3000, "client")))
    );
    pair.deliver();
    assert!(pair.server.ended && pair.client.ended);
}

/// "If this Close control frame contains no status code, _The WebSocket Connection Close Code_ is
/// considered to be 1005." (7.1.5)
#[test]
fn a_close_without_a_code_is_1005() {
    let mut pair = pair();
    pair.client.connection.start_close(None, "", &mut pair.client.output).unwrap();
    pair.deliver();
    for end in [&mut pair.client, &mut pair.server] {
        assert_eq!(end.take_seen(), [Seen::Close(None, String::new())]);
        assert_eq!(end.outcome(), Some(clean(1005)));
        assert_eq!(end.outcome().map(|outcome| outcome.code()), Some(1005));
    }
}

/// "If _The WebSocket Connection is Closed_ and no Close control frame was received by the endpoint
/// ..., _The WebSocket Connection Close Code_ is considered to be 1006." (7.1.5)
#[test]
fn a_stream_that_ends_without_a_close_is_1006() {
    for closing in [false, true] {
        let mut pair = pair();
        pair.client.send("last message").unwrap();
        pair.deliver();
        if closing {
            pair.client.close(1000, "").unwrap();
            pair.server.close(1000, "").unwrap();
            pair.down = true;
            pair.deliver();
        }
        pair.cut();
        for end in [&mut pair.client, &mut pair.server] {
            assert_eq!(end.outcome(), Some(Outcome::Abnormal));
            assert_eq!(end.outcome().map(|outcome| outcome.code()), Some(1006));
            assert_eq!(end.state(), State::Closed);
            end.tell(pair.now);
            let until = Some(pair.now + seconds(10));
            assert_eq!(end.teardown(), Teardown::Drop { until });
            assert_eq!(end.connection.poll_timeout(), until, "what waits may still be written");
            assert_eq!(end.send("more"), Err(SendError::Closed));
            assert_eq!(end.close(1000, ""), Err(SendError::Closed));
            assert!(end.output.is_empty());
        }
        assert_eq!(pair.server.take_seen(), [text("last message")]);
    }
}

#[test]
fn a_stream_that_ends_after_the_closing_handshake_ends_all_waiting() {
    for role in BOTH {
        let mut end = End::new(role, &Config::new());
        let now = std::time::Instant::now();
        end.tell(now);
        end.close(1000, "").unwrap();
        end.receive(&close_frame(role, 1000, b""));
        assert!(end.connection.poll_timeout().is_some(), "the end of the stream is waited for");
        end.connection.receive_eof();
        end.tell(now);
        assert_eq!(end.outcome(), Some(clean(1000)), "{role:?}");
        let until = Some(now + seconds(10));
        assert_eq!(end.teardown(), Teardown::Drop { until }, "{role:?}");
        end.tell_twice(now + seconds(10));
        assert_eq!(end.teardown(), Teardown::Drop { until: None }, "{role:?}");
        assert_eq!((end.timeout, end.connection.poll_timeout()), (None, None), "{role:?}");
    }
}

/// "the peer MUST NOT send any more data" after a Close; if it does, the data is discarded.
#[test]
fn what_follows_a_close_is_discarded() {
    for role in BOTH {
        for junk in [frame(role, FIN | TEXT, b"late"), vec![0xFF; 100_000]] {
            let mut end = End::new(role, &Config::new());
            end.receive(&[close_frame(role, 1000, b""), junk.clone()].concat());
            end.take_output();
            for _ in 0..50 {
                end.receive(&junk);
            }
            assert_eq!(end.take_seen(), [Seen::Close(Some(1000), String::new())]);
            assert_eq!((end.error, end.outcome()), (None, Some(clean(1000))));
            assert!(end.output.is_empty());
            assert!(end.input.is_idle());
            assert!(end.input.capacity() < 1 << 20, "{}", end.input.capacity());
        }
    }
}

/// After our Close frame the peer may still send messages before its own. They are delivered on
/// request; browsers discard them, and so does the default.
#[test]
fn messages_arrive_until_the_peer_closes_too_if_configured() {
    for delivered in [false, true] {
        let mut pair = Pair::new(&Config::new().messages_after_close(delivered));
        pair.client.close(1000, "").unwrap();
        pair.server.send("still").unwrap();
        pair.server.connection.send_fragment("two ", false, &mut pair.server.output).unwrap();
        pair.server.connection.ping(b"ping", &mut pair.server.output).unwrap();
        pair.server.connection.send_fragment("parts", true, &mut pair.server.output).unwrap();
        pair.server_to_client();
        let ping = Seen::Ping(b"ping".into());
        let all = vec![text("still"), ping.clone(), text("two parts")];
        assert_eq!(pair.client.take_seen(), if delivered { all } else { vec![ping] });
        pair.deliver();
        assert_eq!(pair.client.take_seen(), [Seen::Close(Some(1000), String::new())]);
    }
}

/// "The application MUST NOT send any more data frames after sending a Close frame." (5.5.1)
#[test]
fn nothing_is_sent_after_a_close() {
    for role in BOTH {
        let mut end = End::new(role, &Config::new());
        end.connection.send_fragment("part", false, &mut end.output).unwrap();
        end.take_output();
        end.close(1000, "").unwrap();
        assert_eq!(end.take_output(), close_frame(other(role), 1000, b""));

        let news = EncodedMessage::new("news");
        let End { connection, output, .. } = &mut end;
        assert_eq!(connection.send("x", output), Err(SendError::Closed));
        assert_eq!(connection.send_fragment("x", true, output), Err(SendError::Closed));
        assert_eq!(connection.send_encoded(&news, output), Err(SendError::Closed));
        assert_eq!(connection.send_in_place("x", output).unwrap_err(), SendError::Closed);
        assert_eq!(connection.ping(b"x", output), Err(SendError::Closed));
        assert_eq!(connection.pong(b"x", output), Err(SendError::Closed));
        assert_eq!(connection.start_close(CloseCode::NORMAL, "", output), Err(SendError::Closed));
        end.receive(&frame(role, PING, b"are you there?"));
        assert_eq!(end.take_seen(), [Seen::Ping(b"are you there?".into())]);
        assert!(end.output.is_empty(), "no Pong either");
    }
}

#[test]
fn a_close_amid_fragments_ends_the_message() {
    for role in BOTH {
        let mut end = End::new(role, &Config::new());
        end.connection.send_fragment(b"our part", false, &mut end.output).unwrap();
        end.take_output();
        end.receive(&frame(role, BINARY, b"a part"));
        end.receive(&close_frame(role, 1001, b""));
        assert_eq!(end.take_seen(), [Seen::Close(Some(1001), String::new())]);
        assert_eq!(end.take_output(), close_frame(other(role), 1001, b""));
        end.receive(&frame(role, FIN | CONTINUATION, b"the rest"));
        assert_eq!((end.take_seen(), end.error), (vec![], None));
    }
}

#[test]
fn a_violation_while_closing_is_not_answered_twice() {
    for role in BOTH {
        let mut end = End::new(role, &Config::new());
        end.close(1000, "").unwrap();
        end.take_output();
        end.receive(&[0x83]);
        assert_eq!(end.error, Some(ProtocolError::ReservedOpcode(3)));
        assert_eq!(end.outcome(), Some(Outcome::Failed(ProtocolError::ReservedOpcode(3))));
        assert_eq!(end.teardown(), Teardown::HalfClose);
        assert!(end.output.is_empty());
    }
}

/// A Close frame is sent after queued frames, and an accepted message is not lost.
#[test]
fn what_was_queued_before_a_close_still_leaves() {
    let mut pair = pair();
    pair.client.send("one").unwrap();
    pair.client.receive(&frame(Role::Client, PING, b"ping"));
    pair.client.send("two").unwrap();
    pair.client.close(1000, "").unwrap();
    pair.client_to_server();
    let close = Seen::Close(Some(1000), String::new());
    let all = [text("one"), Seen::Pong(b"ping".into()), text("two"), close];
    assert_eq!(pair.server.take_seen(), all);
}

#[test]
fn a_close_that_cannot_be_sent_is_refused() {
    let mut end = End::new(Role::Server, &Config::new());
    let reason = "r".repeat(124);
    assert_eq!(end.close(1000, &reason), Err(SendError::ReasonTooLong(124)));
    let without = end.connection.start_close(None, "why", &mut end.output);
    assert_eq!(without, Err(SendError::ReasonWithoutCode));
    assert!(end.output.is_empty());
    assert_eq!(end.state(), State::Open);

    end.close(1000, &reason[1..]).unwrap();
    assert_eq!(end.take_output(), close_frame(Role::Client, 1000, &reason.as_bytes()[1..]));
}

/// For each kind of end: what to do with the transport, at the client and at the server.
#[test]
fn what_to_do_with_the_transport() {
    type Happens = fn(&mut End, Role);
    let ways: [(&str, Happens, Teardown, Teardown); 7] = [
        ("nothing yet", |_, _| {}, Teardown::NotYet, Teardown::NotYet),
        ("we close", |end, _| end.close(1000, "").unwrap(), Teardown::NotYet, Teardown::NotYet),
        (
            "the peer closes",
            |end, role| end.receive(&close_frame(role, 1000, b"")),
            Teardown::AwaitPeer,
            Teardown::HalfClose,
        ),
        (
            "the peer closes without a code",
            |end, role| end.receive(&frame(role, CLOSE, b"")),
            Teardown::AwaitPeer,
            Teardown::HalfClose,
        ),
        (
            "we close and it answers",
            |end, role| {
                end.close(1000, "").unwrap();
                end.receive(&close_frame(role, 1000, b""));
            },
            Teardown::AwaitPeer,
            Teardown::HalfClose,
        ),
        (
            "it breaks the protocol",
            |end, _| end.receive(&[0xFF]),
            Teardown::HalfClose,
            Teardown::HalfClose,
        ),
        (
            "the stream ends, and the time is not known yet",
            |end, _| end.connection.receive_eof(),
            Teardown::HalfClose,
            Teardown::HalfClose,
        ),
    ];
    for (way, happens, client, server) in ways {
        for (role, transport) in [(Role::Client, client), (Role::Server, server)] {
            let mut end = End::new(role, &Config::new());
            happens(&mut end, role);
            assert_eq!(end.teardown(), transport, "{role:?}: {way}");
            assert_eq!(
                end.state() == State::Closed,
                end.outcome().is_some() && transport != Teardown::NotYet,
                "{role:?}: {way}"
            );
        }
    }
}

#[test]
fn a_close_code_is_shown_as_its_number() {
    assert_eq!(format!("{:?} {0}", CloseCode::NORMAL), "CloseCode(1000) 1000");
}
