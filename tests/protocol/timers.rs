//! Time as data: keepalive, idle, message completion and closing handshake, with a virtual clock.

use std::time::{Duration, Instant};

use sansock::{
    Config, Connection, Keepalive, Outcome, ReceiveBuffer, Role, SendBuffer, SendError, State,
    Teardown, Timeout, Timeouts,
};
use testkit::pair::clean;

use crate::pair::{End, Pair, SECOND_LOOK, seconds};
use crate::wire::{BOTH, FIN, PING, PONG, TEXT, close_frame, cut_frame, frame};

pub(super) fn config(timeouts: Timeouts) -> Config {
    Config::new().timeouts(timeouts)
}

/// A Ping after 20 seconds of silence, the end 5 seconds later.
pub(super) fn keepalive() -> Timeouts {
    Timeouts::new().keepalive(Keepalive { interval: seconds(20), timeout: seconds(5) })
}

/// Two ends whose timers were checked once.
pub(super) fn ends(timeouts: Timeouts) -> ([(End, Role); 2], Instant) {
    let start = Instant::now();
    let ends = BOTH.map(|role| {
        let mut end = End::new(role, &config(timeouts));
        end.tell(start);
        (end, role)
    });
    (ends, start)
}

pub(super) fn timed_out(end: &End, timeout: Timeout) {
    assert_eq!(end.timeout, Some(timeout));
    assert_eq!(end.outcome(), Some(Outcome::TimedOut(timeout)));
    assert_eq!(end.outcome().map(|outcome| outcome.code()), Some(1006));
    assert_eq!(end.state(), State::Closed);
    assert_eq!(end.teardown(), Teardown::Drop { until: None });
    assert_eq!(end.connection.poll_timeout(), None);
}

pub(super) fn peer(role: Role) -> Role {
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

/// What waits to be written has ten seconds even if nothing is timed: they begin with the check of
/// the timers that is due at the end of the transport.
#[test]
fn the_last_write_is_timed_if_nothing_else_is() {
    let (ends, start) = ends(Timeouts::none());
    for (mut end, _) in ends {
        end.tell(start + seconds(1));
        assert_eq!(end.connection.poll_timeout(), None);
        end.connection.receive_eof();
        assert_eq!(end.teardown(), Teardown::HalfClose, "until the timers are checked");
        assert_eq!(end.connection.poll_timeout(), Some(start + seconds(1)), "now");
        end.tell(start + seconds(5));
        assert_eq!(end.teardown(), Teardown::Drop { until: Some(start + seconds(15)) });
        assert_eq!(end.connection.poll_timeout(), None);
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

/// A program that checks late finds two deadlines passed: the first look is at the earlier one only.
#[test]
fn a_look_at_one_deadline_is_none_at_another() {
    let (ends, start) = ends(keepalive().idle(seconds(26)));
    for (mut end, role) in ends {
        end.tell(start + seconds(20));
        end.take_output();
        let late = start + seconds(27);
        end.tell(late);
        // The Pong was unread; no message was.
        end.receive(&frame(role, PONG, &1_u64.to_be_bytes()));
        end.tell(late + SECOND_LOOK);
        assert_eq!((end.timeout, end.state()), (None, State::Open), "the first look at the other");
        end.tell(late + 2 * SECOND_LOOK);
        assert_eq!((end.timeout, end.state()), (None, State::Closing), "idle");
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
