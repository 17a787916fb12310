//! Keepalive: Pings into silence, with a virtual clock.

use std::time::Duration;

use sansock::{State, Timeout, Timeouts};

use crate::pair::{Pair, SECOND_LOOK, seconds};
use crate::timers::{config, ends, keepalive, peer, timed_out};
use crate::wire::{PING, PONG, Seen, TEXT, close_frame, cut_frame, frame};

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
        // The end of the transport, which the program brings about, gives it no time to write.
        end.connection.receive_eof();
        timed_out(&end, Timeout::Keepalive);
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

/// Also those that came before the last wait, if the reader has waited twice since the last check.
#[test]
fn bytes_since_the_last_check_are_a_sign_of_life() {
    let (ends, start) = ends(keepalive());
    for (mut end, role) in ends {
        end.receive(&frame(role, PONG, b""));
        end.receive(b"");
        end.tell(start + seconds(19));
        assert_eq!(end.connection.poll_timeout(), Some(start + seconds(39)));
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
