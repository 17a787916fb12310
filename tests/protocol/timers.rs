//! Time as data: keepalive, idle, message completion and closing handshake, with a virtual clock.

use std::time::{Duration, Instant};

use sansock::{
    Config, Connection, Delivery, Keepalive, Outcome, ReceiveBuffer, Role, SendBuffer, SendError,
    State, Teardown, Timeout, Timeouts,
};
use testkit::pair::clean;

use crate::pair::{End, Pair, SECOND_LOOK, seconds};
use crate::wire::{
    BINARY, BOTH, CONTINUATION, FIN, PING, PONG, Seen, TEXT, close_frame, cut_frame, frame, header,
    text,
};

fn config(timeouts: Timeouts) -> Config {
    Config::new().timeouts(timeouts)
}

/// A Ping after 20 seconds of silence, the end 5 seconds later.
fn keepalive() -> Timeouts {
    Timeouts::new().keepalive(Keepalive { interval: seconds(20), timeout: seconds(5) })
}

/// Two ends whose timers were checked once.
fn ends(timeouts: Timeouts) -> ([(End, Role); 2], Instant) {
    let start = Instant::now();
    let ends = BOTH.map(|role| {
        let mut end = End::new(role, &config(timeouts));
        end.tell(start);
        (end, role)
    });
    (ends, start)
}

fn timed_out(end: &End, timeout: Timeout) {
    assert_eq!(end.timeout, Some(timeout));
    assert_eq!(end.outcome(), Some(Outcome::TimedOut(timeout)));
    assert_eq!(end.outcome().map(|outcome| outcome.code()), Some(1006));
    assert_eq!(end.state(), State::Closed);
    assert_eq!(end.teardown(), Teardown::Drop { until: None });
    assert_eq!(end.connection.poll_timeout(), None);
}

fn peer(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

#[test]
fn without_timeouts_nothing_is_timed() {
    let (ends, start) = ends(Timeouts::none());
    for (mut end, role) in ends {
        end.receive(&cut_frame(role, TEXT, 5, b"x"));
        end.send("x").unwrap();
        assert_eq!(end.connection.poll_timeout(), None);
        end.close(1000, "").unwrap();
        assert_eq!(end.connection.poll_timeout(), None);
        end.tell(start + seconds(1_000_000));
        assert_eq!((end.timeout, end.outcome()), (None, None));
    }
}

#[test]
fn silence_is_broken_by_one_ping_whose_pong_starts_it_anew() {
    let mut pair = Pair::of(&config(keepalive()), &config(Timeouts::none()));
    pair.pass(seconds(19));
    assert_eq!(pair.server.take_seen(), []);
    pair.pass(seconds(1));
    assert_eq!(pair.server.take_seen(), [Seen::Ping(1_u64.to_be_bytes().into())]);
    assert_eq!(pair.client.take_seen(), [Seen::Pong(1_u64.to_be_bytes().into())]);
    pair.pass(seconds(300));
    assert!(pair.server.seen.len() >= 10, "about every 20 seconds: {:?}", pair.server.seen);
    assert_eq!((pair.client.timeout, pair.client.state()), (None, State::Open));
}

#[test]
fn a_silent_peer_times_out() {
    let mut pair = Pair::of(&config(keepalive()), &config(Timeouts::none()));
    pair.down = true;
    pair.pass(seconds(24));
    assert_eq!(pair.client.timeout, None);
    assert_eq!(pair.client.connection.poll_timeout(), Some(pair.now() + seconds(1)));
    pair.pass(seconds(1) + SECOND_LOOK);
    timed_out(&pair.client, Timeout::Keepalive);
}

/// Only one Ping is in flight, and the Close frame that says why is queued after it.
#[test]
fn a_peer_that_does_not_answer_is_told_with_1011() {
    let (ends, start) = ends(keepalive());
    for (mut end, role) in ends {
        end.tell(start + seconds(20));
        assert_eq!(end.take_output(), frame(peer(role), PING, &1_u64.to_be_bytes()));
        for tenths in 1..50 {
            end.tell(start + seconds(20) + Duration::from_millis(100 * tenths));
            assert!(end.output.is_empty(), "{tenths}");
        }
        end.tell_twice(start + seconds(25));
        timed_out(&end, Timeout::Keepalive);
        assert_eq!(end.take_output(), close_frame(peer(role), 1011, b""));
    }
}

/// A peer that sends is alive, even if it does not answer the Ping.
#[test]
fn any_bytes_are_a_sign_of_life() {
    let (ends, start) = ends(keepalive());
    for (mut end, role) in ends {
        end.tell(start + seconds(20));
        end.take_output();
        end.receive(&cut_frame(role, TEXT, 5, b""));
        end.tell(start + seconds(24));
        end.tell(start + seconds(25));
        assert_eq!(end.timeout, None);
        end.tell(start + seconds(44));
        assert_eq!(end.take_output(), frame(peer(role), PING, &2_u64.to_be_bytes()));
        // An empty read is not a sign of life.
        end.input.spare_mut();
        end.input.filled(0);
        end.receive(b"");
        end.tell_twice(start + seconds(49));
        timed_out(&end, Timeout::Keepalive);
    }
}

/// A laptop that was suspended for an hour first asks whether the peer is alive.
#[test]
fn a_clock_that_jumps_is_no_reason_to_give_up() {
    let mut pair = Pair::of(&config(keepalive()), &config(Timeouts::none()));
    pair.sleep(seconds(3_600));
    assert_eq!(pair.server.take_seen(), [Seen::Ping(1_u64.to_be_bytes().into())]);
    assert_eq!((pair.client.timeout, pair.client.state()), (None, State::Open));
}

#[test]
fn a_closing_connection_is_not_kept_alive() {
    let timeouts = keepalive().idle(seconds(7)).closing(seconds(1_000));
    let (ends, start) = ends(timeouts);
    for (mut end, _) in ends {
        end.close(1000, "").unwrap();
        end.take_output();
        for second in 0..1_000 {
            end.tell(start + seconds(second));
            assert!(end.output.is_empty());
        }
        assert_eq!(end.timeout, None);
        end.tell_twice(start + seconds(1_000));
        timed_out(&end, Timeout::Closing);
    }
}

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

#[test]
fn a_slow_message_fails_with_1008() {
    let (ends, start) = ends(Timeouts::new().message(seconds(10)));
    for (mut end, role) in ends {
        let at = start + seconds(100);
        end.tell(at);
        end.receive(&cut_frame(role, TEXT, 100, b"x"));
        let due = end.connection.poll_timeout().unwrap();
        assert!(due <= at, "begun between two checks of the timers: now");
        end.tell(at);
        assert_eq!(end.connection.poll_timeout(), Some(at + seconds(10)));
        let rest = &frame(role, TEXT, &[b'x'; 100])[7..];
        for (second, byte) in (1..10).zip(rest.chunks(1)) {
            end.receive(if role == Role::Server { byte } else { b"x" });
            end.tell(at + seconds(second));
            assert_eq!((end.timeout, end.error), (None, None));
        }
        end.tell_twice(at + seconds(10));
        timed_out(&end, Timeout::Message);
        assert_eq!(end.take_output(), close_frame(peer(role), 1008, b""));
    }
}

/// A peer that sends a part of the first header and then nothing, or drips it, gains no time.
#[test]
fn the_first_byte_of_a_message_is_that_of_its_header() {
    for first in [FIN | TEXT, FIN | BINARY, BINARY] {
        for (role, length) in BOTH.into_iter().flat_map(|role| [(role, 125), (role, 70_000)]) {
            let cut = cut_frame(role, first, length, b"the first bytes of its payload");
            let (header, payload) = cut.split_at(header(role, first, length).len());
            let mut end = End::new(role, &config(Timeouts::new().message(seconds(10))));
            let start = Instant::now();
            end.tell(start);
            end.receive(&frame(role, FIN | TEXT, b"a message before"));
            let at = start + seconds(100);
            for (i, byte) in header.chunks(1).enumerate() {
                end.receive(byte);
                end.tell(at + Duration::from_millis(500 * i as u64));
                assert_eq!(end.connection.poll_timeout(), Some(at + seconds(10)), "byte {i}");
            }
            end.receive(payload);
            end.tell(at + seconds(9));
            assert_eq!(end.connection.poll_timeout(), Some(at + seconds(10)));
            end.tell_twice(at + seconds(10));
            timed_out(&end, Timeout::Message);

            // It never comes to the payload.
            for n in 1..header.len() {
                let mut end = End::new(role, &config(Timeouts::new().message(seconds(10))));
                end.receive(&header[..n]);
                end.tell(start);
                end.tell_twice(start + seconds(10));
                timed_out(&end, Timeout::Message);
            }
        }
    }
    // Control frames are no messages, and may come between the fragments of one.
    let (ends, start) = ends(Timeouts::new().message(seconds(10)));
    for (mut end, role) in ends {
        let ping = frame(role, PING, b"ping");
        for (i, byte) in ping.chunks(1).enumerate() {
            end.receive(byte);
            end.tell(start + seconds(20 * i as u64));
            assert_eq!(end.connection.poll_timeout(), None);
        }
        let at = start + seconds(1_000);
        end.receive(&frame(role, TEXT, b"begun"));
        end.tell(at);
        for cut in [&ping[..1], &ping[1..], &frame(role, CONTINUATION, b"on")[..1]] {
            end.receive(cut);
            end.tell(at + seconds(1));
            assert_eq!(end.connection.poll_timeout(), Some(at + seconds(10)));
        }
    }
}

/// Even with empty fragments, between which no frame is arriving.
#[test]
fn fragments_count_as_one_message_and_messages_each_for_itself() {
    let (ends, start) = ends(Timeouts::new().message(seconds(10)));
    for (mut end, role) in ends {
        for second in (0..100).step_by(6) {
            end.receive(&frame(role, TEXT, b""));
            end.tell(start + seconds(second));
            end.receive(&frame(role, FIN | CONTINUATION, b"in time"));
            end.receive(&frame(role, TEXT, b"the next"));
            end.tell(start + seconds(second + 3));
            end.receive(&frame(role, FIN | CONTINUATION, b""));
            end.tell(start + seconds(second + 5));
        }
        assert_eq!(end.take_seen().len(), 34);
        assert_eq!(end.connection.poll_timeout(), None);
        let at = start + seconds(200);
        end.receive(&frame(role, TEXT, b""));
        for second in 0..10 {
            end.tell(at + seconds(second));
            end.receive(&frame(role, CONTINUATION, b""));
            assert_eq!(end.timeout, None);
        }
        end.tell_twice(at + seconds(10));
        timed_out(&end, Timeout::Message);
    }
}

/// Each message has its own timeout, even if one was arriving at every check of the timers.
#[test]
fn a_stream_of_messages_is_not_one_slow_message() {
    let (ends, start) = ends(Timeouts::new().message(seconds(10)));
    for (mut end, role) in ends {
        end.receive(&frame(role, TEXT, b"begin"));
        for second in (0..100).step_by(6) {
            end.tell(start + seconds(second));
            end.receive(&frame(role, FIN | CONTINUATION, b"end"));
            end.receive(&frame(role, TEXT, b"begin"));
        }
        assert_eq!(end.timeout, None);
    }
}

/// A message that was cut off by Close never arrives completely, and has no deadline.
#[test]
fn a_message_that_was_cut_off_is_not_waited_for() {
    let (ends, start) = ends(Timeouts::new().message(seconds(3)).closing(seconds(5)));
    for (mut end, role) in ends {
        end.receive(&frame(role, TEXT, b"part"));
        end.receive(&close_frame(role, 1000, b""));
        end.tell(start + seconds(1));
        assert_eq!(end.connection.poll_timeout(), Some(start + seconds(6)));
        end.tell_twice(start + seconds(5));
        assert_ne!(end.teardown(), Teardown::Drop { until: None });
        end.tell_twice(start + seconds(6));
        assert_eq!(end.teardown(), Teardown::Drop { until: None });
        assert_eq!((end.timeout, end.outcome()), (None, Some(clean(1000))));
    }
}

#[test]
fn a_peer_that_does_not_answer_a_close_times_out() {
    let mut pair = Pair::new(&config(Timeouts::new().closing(seconds(4))));
    pair.pass(seconds(60));
    pair.client.close(1000, "").unwrap();
    pair.down = true;
    pair.pass(seconds(3));
    assert_eq!(pair.client.state(), State::Closing);
    assert_eq!(pair.client.teardown(), Teardown::NotYet);
    pair.pass(seconds(1) + SECOND_LOOK);
    timed_out(&pair.client, Timeout::Closing);
    assert!(pair.client.ended);
    assert_eq!(pair.age(), seconds(64) + SECOND_LOOK);
}

/// The handshake was clean; only the end of the stream is overdue, and the client stops waiting for
/// the server to end it first.
#[test]
fn a_server_that_does_not_end_the_stream_is_not_waited_for() {
    let (ends, start) = ends(Timeouts::new().closing(seconds(4)));
    for (mut end, role) in ends {
        end.receive(&close_frame(role, 1000, b""));
        assert!(end.connection.poll_timeout().unwrap() <= start, "now");
        end.tell(start);
        assert_eq!(end.connection.poll_timeout(), Some(start + seconds(4)));
        end.tell_twice(start + seconds(4));
        // A late end of the stream does not change a clean outcome.
        assert_eq!((end.timeout, end.outcome()), (None, Some(clean(1000))));
        assert_eq!(end.teardown(), Teardown::Drop { until: None });
        assert_eq!(end.connection.poll_timeout(), None);
    }
}

/// "After a fatal error every later call returns it again."
#[test]
fn a_timeout_is_the_end() {
    let (ends, start) = ends(keepalive().message(seconds(1)));
    for (mut end, role) in ends {
        end.receive(&frame(role, TEXT, b""));
        end.tell(start);
        end.tell_twice(start + seconds(1));
        timed_out(&end, Timeout::Message);
        end.take_output();
        for second in 1..100 {
            let again = end.connection.handle_timeout(start + seconds(second), &mut end.output);
            assert_eq!(again, Err(Timeout::Message));
        }
        assert_eq!(end.send("x"), Err(SendError::Closed));
        // Later bytes do not matter.
        end.receive(&[0xFF]);
        end.connection.receive_eof();
        assert_eq!(end.outcome(), Some(Outcome::TimedOut(Timeout::Message)));
        assert!(end.output.is_empty());
    }
}

#[test]
fn times_beyond_the_clock_never_come() {
    let long = Duration::MAX;
    let timeouts = Timeouts::new()
        .keepalive(Keepalive { interval: long, timeout: long })
        .idle(long)
        .message(long)
        .closing(long)
        .handshake(long);
    let (ends, start) = ends(timeouts);
    assert_eq!(timeouts.opening(start).poll_timeout(), None);
    for (mut end, role) in ends {
        end.receive(&frame(role, TEXT, b""));
        end.tell(start);
        assert_eq!(end.connection.poll_timeout(), None);
        end.close(1000, "").unwrap();
        end.tell(start + seconds(1 << 30));
        assert_eq!((end.timeout, end.connection.poll_timeout()), (None, None));
    }
}

/// Nobody is left to wait for: the transport is dropped, whatever the timeout is.
#[test]
fn the_end_of_the_transport_is_the_end_however_long_the_timeout() {
    for closing in [None, Some(Duration::ZERO), Some(seconds(3)), Some(Duration::MAX)] {
        let (ends, start) = ends(Timeouts::none().closing(closing));
        for (mut end, _) in ends {
            end.connection.receive_eof();
            end.tell(start);
            let time = closing.filter(|&it| it != Duration::MAX).unwrap_or(seconds(10));
            assert_eq!(end.teardown(), Teardown::Drop { until: Some(start + time) });
        }
    }
}

/// Zero timeouts pass at once, and do not make a program spin.
#[test]
fn zero_timeouts_pass_at_once() {
    let none = Duration::ZERO;
    let (ends, start) = ends(Timeouts::none().closing(none));
    for (mut end, _) in ends {
        end.close(1000, "").unwrap();
        end.tell_twice(start);
        timed_out(&end, Timeout::Closing);
    }
    for role in BOTH {
        let mut end = End::new(role, &config(Timeouts::none().idle(none)));
        end.tell_twice(start);
        assert_eq!(end.take_output(), close_frame(peer(role), 1001, b""));

        let keepalive = Keepalive { interval: none, timeout: seconds(5) };
        let mut end = End::new(role, &config(Timeouts::none().keepalive(keepalive)));
        end.tell(start);
        assert_eq!(end.take_output(), frame(peer(role), PING, &1_u64.to_be_bytes()));
        end.receive(&frame(role, PONG, &1_u64.to_be_bytes()));
        end.tell(start + seconds(5));
        assert_eq!(end.timeout, None);
    }
}

/// The handshake has a separate deadline, because the connection starts after it.
#[test]
fn the_opening_handshake_has_one_deadline_for_all_of_it() {
    let start = Instant::now();
    let deadline = Timeouts::new().handshake(seconds(3)).opening(start);
    assert_eq!(deadline.poll_timeout(), Some(start + seconds(3)));
    assert_eq!(deadline.handle_timeout(start + seconds(2)), Ok(()));
    assert_eq!(deadline.handle_timeout(start + seconds(3)), Err(Timeout::Handshake));
    assert_eq!(Timeouts::none().opening(start).poll_timeout(), None);
    assert_eq!(Timeouts::none().opening(start).handle_timeout(start + seconds(9_999)), Ok(()));
}

/// There is no peer to wait for.
#[test]
fn a_connection_whose_transport_has_ended_has_no_deadlines() {
    let now = Instant::now();
    let mut server = End::new(Role::Server, &Config::new());
    server.close(1000, "").unwrap();
    server.tell(now);
    assert!(server.connection.poll_timeout().is_some());
    server.connection.receive_eof();
    // For the bytes that wait to be written.
    assert_eq!(server.connection.poll_timeout(), Some(now + seconds(10)));
    server.tell_twice(now + seconds(1_000));
    assert_eq!((server.timeout, server.connection.poll_timeout()), (None, None));
}

/// Bytes that arrived in time may lie unread: a loop that checks the timers before it reads does
/// not time out a live peer.
#[test]
fn an_unread_pong_is_read_before_the_peer_times_out() {
    let (ends, start) = ends(keepalive());
    for (mut end, role) in ends {
        end.tell(start + seconds(20));
        end.take_output();
        // The program was busy for a minute. The Pong is unread in its socket.
        let mut socket = frame(role, PONG, &1_u64.to_be_bytes());
        let mut now = start + seconds(80);
        for _ in 0..5 {
            // The wrong order: the timers first.
            end.tell(now);
            assert_eq!((end.timeout, end.outcome()), (None, None), "{role:?}");
            end.receive(&std::mem::take(&mut socket));
            now += SECOND_LOOK;
        }
        assert_eq!(end.take_seen(), [Seen::Pong(1_u64.to_be_bytes().into())]);
    }
}

/// A loop in the wrong order also times out a dead peer, one check later.
#[test]
fn a_dead_peer_times_out_at_the_second_check() {
    let (ends, start) = ends(keepalive());
    for (mut end, role) in ends {
        end.tell(start + seconds(20));
        let late = start + seconds(80);
        end.tell(late);
        assert_eq!((end.timeout, end.connection.poll_timeout()), (None, Some(late + SECOND_LOOK)));
        end.receive(b"");
        end.tell(late + Duration::from_millis(99));
        assert_eq!(end.timeout, None, "{role:?}: too early for the second look");
        end.tell(late + SECOND_LOOK);
        timed_out(&end, Timeout::Keepalive);
    }
}

/// Each deadline for the peer takes effect at the second check, unless it was met in between.
#[test]
fn every_deadline_waits_for_a_second_check() {
    let timeouts = Timeouts::none().message(seconds(5)).idle(seconds(9)).closing(seconds(7));
    for (before, after, unread) in [(&b"\x01\x00"[..], 5, b"\x80\x00"), (b"", 9, b"\x81\x00")] {
        // Timed out, or closed because it is idle.
        let acts = |end: &End| end.state() != State::Open;
        for comes in [false, true] {
            let mut end = End::new(Role::Client, &config(timeouts));
            let start = Instant::now();
            end.tell(start);
            end.receive(before);
            end.tell(start);
            end.tell(start + seconds(after));
            assert!(!acts(&end), "after {after}: at the first look");
            if comes {
                end.receive(unread);
            }
            end.tell(start + seconds(after) + SECOND_LOOK);
            assert_eq!(acts(&end), !comes, "after {after}");
        }
    }
    let mut end = End::new(Role::Client, &config(timeouts));
    let start = Instant::now();
    end.close(1000, "").unwrap();
    end.tell(start);
    end.tell(start + seconds(7));
    assert_eq!(end.timeout, None);
    end.receive(b"\x88\x02\x03\xe8");
    end.tell(start + seconds(7) + SECOND_LOOK);
    assert_eq!((end.timeout, end.outcome()), (None, Some(clean(1000))));
}

/// The first look at one message is none at the next: each deadline has its own.
#[test]
fn a_look_at_one_message_is_none_at_the_next() {
    let (ends, start) = ends(Timeouts::none().message(seconds(10)));
    for (mut end, role) in ends {
        let look_unread = |end: &mut End, now| {
            end.connection.note_unread();
            end.connection.handle_timeout(now, &mut end.output).unwrap();
        };
        end.receive(&frame(role, TEXT, b"slow"));
        end.tell(start);
        // The first look; then its rest arrives, and the program is busy with it.
        end.tell(start + seconds(10));
        end.receive(&frame(role, FIN | CONTINUATION, b"in time"));
        look_unread(&mut end, start + seconds(11));
        end.receive(&frame(role, TEXT, b"the next"));
        look_unread(&mut end, start + seconds(20));
        end.receive(b"");
        end.tell(start + seconds(30));
        assert_eq!(end.timeout, None, "at the first look");
        end.tell(start + seconds(30) + SECOND_LOOK);
        timed_out(&end, Timeout::Message);
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

/// One deadline from our Close frame to the drop: the peer's answer starts no second one.
#[test]
fn the_end_has_one_deadline() {
    let (ends, start) = ends(Timeouts::new().closing(seconds(4)));
    for (mut end, role) in ends {
        end.close(1000, "").unwrap();
        end.tell(start);
        end.receive(&close_frame(role, 1000, b""));
        end.tell(start + seconds(3));
        assert!(matches!(end.teardown(), Teardown::HalfClose | Teardown::AwaitPeer));
        end.tell_twice(start + seconds(4));
        assert_eq!(end.teardown(), Teardown::Drop { until: None }, "{role:?}");
    }
}

/// A reader that reads whenever the peer drips a byte is unread at some looks and waits at others: the
/// first look counts all the same.
#[test]
fn a_peer_that_drips_does_not_put_off_the_second_look() {
    let (mut receiver, mut sender) =
        Connection::server(&config(Timeouts::none().message(seconds(1)))).split();
    let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    let start = Instant::now();
    sender.handle_timeout(start, &mut output).unwrap();
    let message = frame(Role::Server, FIN | TEXT, &[b'x'; 1_000]);
    let mut given_up = None;
    for (n, byte) in (0..).zip(&message) {
        let now = start + Duration::from_millis(20 * n);
        sender.note_unread();
        let unread = sender.handle_timeout(now, &mut output);
        input.extend_from_slice(&[*byte]);
        assert_eq!(receiver.advance(&mut input), Ok(false));
        sender.note(receiver.progress(&mut input));
        if unread.and_then(|()| sender.handle_timeout(now, &mut output)).is_err() {
            given_up = Some(now - start);
            break;
        }
    }
    let given_up = given_up.unwrap();
    assert!((seconds(1)..seconds(1) + 3 * SECOND_LOOK).contains(&given_up), "{given_up:?}");
}

/// A program that does something else than to read cannot tell a silent peer from one that has answered.
#[test]
fn what_lies_unread_says_nothing_of_the_peer() {
    let timeouts = Timeouts::none()
        .keepalive(Keepalive::every(seconds(1)))
        .idle(seconds(1))
        .message(seconds(1))
        .closing(seconds(1));
    let (ends, start) = ends(timeouts);
    for (mut end, role) in ends {
        end.receive(&frame(role, TEXT, b"part"));
        end.tell(start);
        end.connection.note_unread();
        for second in 1..10 {
            end.tell_twice(start + seconds(second));
        }
        assert_eq!((end.timeout, end.state(), end.output.is_empty()), (None, State::Open, true));
        // The end of the connection is not put off by it.
        end.close(1000, "").unwrap();
        end.tell(start + seconds(10));
        end.tell_twice(start + seconds(11));
        timed_out(&end, Timeout::Closing);
    }
}

/// A Close frame that left another way ends what may be sent, and starts the time of the closing handshake.
#[test]
fn a_close_frame_that_left_another_way_is_one() {
    let (ends, start) = ends(Timeouts::none().closing(seconds(1)));
    for (mut end, role) in ends {
        end.connection.mark_closed();
        assert_eq!((end.state(), end.send("x")), (State::Closing, Err(SendError::Closed)));
        end.receive(&frame(role, PING, b""));
        end.tell(start);
        assert_eq!(end.connection.poll_timeout(), Some(start + seconds(1)));
        end.receive(&close_frame(role, 1000, b""));
        assert!(end.output.is_empty(), "nothing is answered");
        assert_eq!(end.outcome(), Some(clean(1000)));
    }
}

/// "A moment in the past means now": the time of a message starts with it.
#[test]
fn the_timers_are_to_be_checked_when_a_message_begins() {
    let (ends, start) = ends(Timeouts::new().message(seconds(5)));
    for (mut end, role) in ends {
        // Nothing has arrived, and the timers have seen that.
        end.receive(b"");
        end.tell(start + seconds(1));
        assert_eq!(end.connection.poll_timeout(), None);
        end.receive(&cut_frame(role, TEXT, 5, b"x"));
        assert_eq!(end.connection.poll_timeout(), Some(start + seconds(1)));
    }
}
