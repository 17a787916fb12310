//! Keepalive while a large message waits for a slow peer, with a virtual clock.

use std::time::{Duration, Instant};

use sansock::split::SendQueue;
use sansock::{Config, Keepalive, Limits, Outcome, Role, SendBuffer, State, Timeout, Timeouts};

use crate::pair::{End, seconds};
use crate::wire::{BOTH, PING, PONG, close_frame, frame};

const MESSAGE: usize = 4 << 20;

fn peer(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

/// How many bytes a peer takes at a time.
type Takes = fn(seconds: u64) -> usize;

/// An end with a message of 4 MiB on its way, and a Ping after 20 seconds of silence.
fn sending(role: Role) -> (End, Instant) {
    let keepalive = Keepalive { interval: seconds(20), timeout: seconds(5) };
    let start = Instant::now();
    let mut end = End::new(role, &Config::new().timeouts(Timeouts::new().keepalive(keepalive)));
    end.tell(start);
    end.send(vec![0; MESSAGE]).unwrap();
    (end, start)
}

/// Lets the peer take bytes ten times a second for `time` seconds, while the timers are checked
/// when they ask for it, and answers no Ping. Returns after how many seconds the connection timed
/// out.
fn timed_out(end: &mut End, start: Instant, time: u64, takes: Takes) -> Option<u64> {
    for tenths in 0..time * 10 {
        let now = start + Duration::from_millis(100 * tenths);
        let n = takes(tenths / 10).min(end.output.as_slice().len());
        end.output.consume(n);
        if end.connection.poll_timeout().is_some_and(|at| at <= now) {
            end.tell(now);
        }
        if end.timeout.is_some() {
            return Some(tenths / 10);
        }
    }
    None
}

#[test]
fn a_peer_that_takes_a_large_message_in_is_alive() {
    for role in BOTH {
        let (mut end, start) = sending(role);
        // 5 KiB a second: the message takes 14 minutes.
        assert_eq!(timed_out(&mut end, start, 300, |_| 512), None, "{role:?}");
        // With pauses.
        let (mut end, start) = sending(role);
        let takes: Takes = |seconds| if seconds % 4 == 0 { 2_000 } else { 0 };
        assert_eq!(timed_out(&mut end, start, 300, takes), None, "{role:?}");
    }
}

#[test]
fn a_peer_that_takes_nothing_more_is_dead() {
    for role in BOTH {
        let (mut end, start) = sending(role);
        assert_eq!(timed_out(&mut end, start, 60, |_| 0), Some(25), "{role:?}");
        assert_eq!(end.outcome(), Some(Outcome::TimedOut(Timeout::Keepalive)));
        // It dies in the middle: the time begins when a check first sees it.
        let (mut end, start) = sending(role);
        let takes: Takes = |seconds| if seconds < 30 { 2_000 } else { 0 };
        let seconds = timed_out(&mut end, start, 120, takes).unwrap();
        assert!((35..=66).contains(&seconds), "{role:?}: {seconds}");
    }
}

/// Otherwise such a peer would hold the message in memory for weeks.
#[test]
fn a_peer_that_takes_one_byte_at_a_time_is_dead() {
    for role in BOTH {
        let (mut end, start) = sending(role);
        let seconds = timed_out(&mut end, start, 120, |_| 1).unwrap();
        assert!(seconds <= 66, "{role:?}: {seconds}");
    }
}

/// The kernel takes what a program sends to a dead peer, until its buffer is full.
#[test]
fn small_messages_that_leave_whole_are_no_sign_of_life() {
    for role in BOTH {
        let (mut end, start) = sending(role);
        end.output.consume(end.output.buffered_amount());
        end.tell(start);
        let mut timed_out_at = None;
        for second in 1..=60 {
            let now = start + seconds(second);
            if end.send("x").is_err() {
                break;
            }
            end.tell(now);
            end.output.consume(end.output.buffered_amount());
            timed_out_at = timed_out_at.or(end.timeout.map(|_| second));
        }
        assert_eq!(timed_out_at, Some(26), "{role:?}");
    }
}

/// Neither is a large one for what is written after it.
#[test]
fn a_message_that_left_whole_is_no_sign_of_life_at_the_next() {
    for role in BOTH {
        let (mut end, start) = sending(role);
        end.output.consume(end.output.buffered_amount());
        end.tell(start);
        end.send(vec![0; MESSAGE]).unwrap();
        assert_eq!(timed_out(&mut end, start, 60, |_| 0), Some(25), "{role:?}");
    }
}

/// A connection that has nothing to write gives its buffer back, and gets one that others have used: what
/// they wrote, more or less, says nothing of this peer.
#[test]
fn what_others_wrote_with_a_pooled_buffer_is_no_sign_of_life() {
    for (role, sends) in BOTH.into_iter().flat_map(|role| [(role, false), (role, true)]) {
        let (mut end, start) = sending(role);
        end.output.consume(end.output.buffered_amount());
        end.tell(start);
        let mut pool = [3_000_000, 0, 100_000, 20_000_000].map(|written| {
            let mut buffer = SendBuffer::new();
            buffer.extend_from_slice(&vec![0; written]);
            buffer.consume(written);
            if written % 3 == 0 {
                buffer.release();
            }
            buffer
        });
        let mut timed_out_at = None;
        for (second, i) in (1..=60).zip((0..pool.len()).cycle()) {
            std::mem::swap(&mut end.output, &mut pool[i]);
            if sends && end.send(vec![0; 1_000]).is_err() {
                break;
            }
            end.tell(start + seconds(second));
            end.output.consume(end.output.buffered_amount());
            std::mem::swap(&mut end.output, &mut pool[i]);
            timed_out_at = timed_out_at.or(end.timeout.map(|_| second));
        }
        assert_eq!(timed_out_at, Some(26), "{role:?}, sends: {sends}");
    }
}

/// The time for the answer starts when the Ping is written.
#[test]
fn a_ping_behind_a_large_message_is_answered_in_time() {
    for role in BOTH {
        let (mut end, start) = sending(role);
        // The peer takes nothing for 20 seconds; then a Ping is queued.
        assert_eq!(timed_out(&mut end, start, 21, |_| 0), None);
        // It takes the message in 26 seconds, and then the Ping.
        let later = start + seconds(21);
        assert_eq!(timed_out(&mut end, later, 26, |_| 16_000), None);
        assert!(!end.output.is_empty());
        let later = later + seconds(26);
        assert_eq!(timed_out(&mut end, later, 4, |_| 16_000), None);
        assert!(end.output.is_empty());
        end.receive(&frame(role, PONG, &1_u64.to_be_bytes()));
        end.tell_twice(later + seconds(5));
        assert_eq!((end.timeout, end.state()), (None, State::Open), "{role:?}");
        // An unanswered one is the end.
        end.tell(later + seconds(25));
        assert!(!end.take_output().is_empty());
        end.tell_twice(later + seconds(30));
        assert_eq!(end.timeout, Some(Timeout::Keepalive));
        assert_eq!(end.take_output(), close_frame(peer(role), 1011, b""));
    }
}

/// A Ping for which there was no room is sent when there is some: nobody can answer one that was not.
#[test]
fn a_ping_without_room_is_sent_later() {
    let keepalive = Keepalive { interval: seconds(20), timeout: seconds(5) };
    let config = Config::new()
        .timeouts(Timeouts::new().keepalive(keepalive))
        .limits(Limits::new().buffered(100_000));
    // When the peer takes all, and whether it answers.
    let cases = [(22, true), (22, false), (19, true), (24, false)];
    for ((taken, answers), role) in cases.into_iter().flat_map(|case| BOTH.map(|role| (case, role)))
    {
        let start = Instant::now();
        let mut end = End::new(role, &config);
        end.tell(start);
        end.send(vec![0; MESSAGE]).unwrap();
        assert_eq!(timed_out(&mut end, start, taken, |_| 0), None);
        end.output.consume(end.output.buffered_amount());
        // Asked for at 20 seconds, or, if it did not fit then, at the deadline.
        let asked = if taken < 20 { 20 } else { 25 };
        assert_eq!(timed_out(&mut end, start + seconds(taken), asked - taken + 1, |_| 0), None);
        let ping = end.take_output();
        assert_eq!(ping.len(), frame(peer(role), PING, &[0; 8]).len(), "{role:?}, {taken}");
        let asked = start + seconds(asked + 1);
        if answers {
            end.receive(&frame(role, PONG, &1_u64.to_be_bytes()));
            end.tell(asked);
            assert_eq!(timed_out(&mut end, asked, 20, |_| 0), None, "{role:?}");
            assert_eq!(end.state(), State::Open);
        } else {
            assert_eq!(timed_out(&mut end, asked, 20, |_| 0), Some(4), "{role:?}");
        }
    }
    // There never is any.
    for role in BOTH {
        let mut end = End::new(role, &config);
        let start = Instant::now();
        end.tell(start);
        end.send(vec![0; MESSAGE]).unwrap();
        assert_eq!(timed_out(&mut end, start, 60, |_| 0), Some(25), "{role:?}");
    }
}

/// What is in flight outside the lock takes room too.
#[test]
fn a_ping_waits_for_the_room_that_a_batch_in_flight_takes() {
    let keepalive = Keepalive { interval: seconds(20), timeout: seconds(5) };
    let config = Config::new()
        .timeouts(Timeouts::new().keepalive(keepalive))
        .limits(Limits::new().buffered(10_000));
    for role in BOTH {
        let (_, mut sender) = End::new(role, &config).connection.split();
        let (mut queue, start) = (SendQueue::new(), Instant::now());
        sender.handle_timeout(start, queue.queued()).unwrap();
        sender.send([0; 9_980], queue.queued()).unwrap();
        let mut batch = queue.take().unwrap();
        sender.handle_timeout(start + seconds(20), queue.queued()).unwrap();
        assert!(queue.queued().is_empty(), "{role:?}");
        batch.consume(batch.as_slice().len());
        queue.put_back(batch);
        sender.handle_timeout(start + seconds(21), queue.queued()).unwrap();
        let ping = frame(peer(role), PING, &[0; 8]).len();
        assert_eq!(queue.queued().buffered_amount(), ping, "{role:?}");
    }
}

/// A Ping that waits is not needed any more once the peer has been heard.
#[test]
fn a_ping_without_room_is_not_sent_to_a_peer_that_was_heard() {
    let config = Config::new()
        .timeouts(Timeouts::new().keepalive(Keepalive::every(seconds(20))))
        .limits(Limits::new().buffered(100_000));
    for role in BOTH {
        let start = Instant::now();
        let mut end = End::new(role, &config);
        end.tell(start);
        end.send(vec![0; MESSAGE]).unwrap();
        assert_eq!(timed_out(&mut end, start, 22, |_| 0), None);
        end.receive(&frame(role, PONG, b"unsolicited"));
        end.tell(start + seconds(22));
        end.output.consume(end.output.buffered_amount());
        end.tell(start + seconds(23));
        assert!(end.output.is_empty(), "{role:?}");
        end.tell(start + seconds(43));
        assert!(!end.output.is_empty(), "20 seconds after the peer took the rest");
    }
}

/// The same with a queue that is written outside a lock.
#[test]
fn what_is_taken_of_a_batch_in_flight_counts_too() {
    let cases: &[(usize, bool)] = &[(2_000, true), (0, false), (1, false)];
    for (&(n, is_alive), role) in cases.iter().flat_map(|case| BOTH.map(|role| (case, role))) {
        let (end, start) = sending(role);
        let (receiver, mut sender) = end.connection.split();
        let (mut input, mut queue) = (end.input, SendQueue::new());
        sender.send(&*vec![0; MESSAGE], queue.queued()).unwrap();
        let mut result = Ok(());
        for tenths in 0..1_000 {
            let now = start + Duration::from_millis(100 * tenths);
            sender.note(receiver.progress(&mut input));
            let mut batch = queue.take().unwrap();
            // The timers are checked while another thread writes.
            result = result.and(sender.handle_timeout(now, queue.queued()));
            batch.consume(n.min(batch.as_slice().len()));
            queue.put_back(batch);
            // Memory that is given back says nothing of the peer.
            if tenths % 2 == 0 {
                queue.release();
            }
        }
        let expected = if is_alive { Ok(()) } else { Err(Timeout::Keepalive) };
        assert_eq!(result, expected, "{role:?}, {n} bytes at a time");
    }
}

#[test]
fn a_large_message_on_its_way_is_use() {
    for role in BOTH {
        let config = Config::new().timeouts(Timeouts::new().idle(seconds(10)));
        let start = Instant::now();
        let mut end = End::new(role, &config);
        end.tell(start);
        end.send(vec![0; MESSAGE]).unwrap();
        assert_eq!(timed_out(&mut end, start, 60, |_| 2_000), None);
        assert_eq!(end.state(), State::Open);
        end.output.consume(end.output.buffered_amount());
        end.tell(start + seconds(60));
        end.tell_twice(start + seconds(75));
        assert_eq!(end.state(), State::Closing);
    }
}
