//! The time for a message, with a virtual clock.

use std::time::{Duration, Instant};

use sansock::{Outcome, Role, Teardown, Timeout, Timeouts};
use testkit::pair::clean;

use crate::pair::{End, SECOND_LOOK, seconds};
use crate::timers::{config, ends, peer, timed_out};
use crate::wire::{
    BINARY, BOTH, CONTINUATION, FIN, PING, TEXT, close_frame, cut_frame, frame, header,
};

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

/// A message that was cut off never arrives completely, and has no deadline.
#[test]
fn a_message_that_was_cut_off_is_not_waited_for() {
    for (by_close, outcome) in [(true, clean(1000)), (false, Outcome::Abnormal)] {
        let (ends, start) = ends(Timeouts::new().message(seconds(3)).closing(seconds(5)));
        for (mut end, role) in ends {
            end.receive(&frame(role, TEXT, b"part"));
            if by_close {
                end.receive(&close_frame(role, 1000, b""));
            } else {
                end.connection.receive_eof();
            }
            end.tell(start + seconds(1));
            assert_eq!(end.connection.poll_timeout(), Some(start + seconds(6)));
            end.tell_twice(start + seconds(5));
            assert_ne!(end.teardown(), Teardown::Drop { until: None });
            end.tell_twice(start + seconds(6));
            assert_eq!(end.teardown(), Teardown::Drop { until: None });
            assert_eq!((end.timeout, end.outcome()), (None, Some(outcome.clone())));
        }
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
