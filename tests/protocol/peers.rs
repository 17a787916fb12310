//! How other implementations were broken: a test for each known case that concerns the core.
//! `row_12_...` is row 12 of the list of cases that the crate was designed against; the name and
//! the comment say what happened there.

use std::io::{self, Read};

use sansock::split::Receiver;
use sansock::{
    CloseCode, Config, Delivery, Keepalive, Limits, ProtocolError, ReceiveBuffer, Role, Timeout,
    Timeouts,
};

use crate::pair::{End, Pair, SECOND_LOOK, seconds};
use crate::wire::{
    BINARY, BOTH, CONTINUATION, FIN, KEY, PING, Seen, TEXT, cut_frame, frame, header, masked,
    raw_header, receive, text,
};

fn limited(limits: Limits) -> Config {
    Config::new().limits(limits)
}

/// CVE-2020-27813: a 64-bit length was added to the message's in signed 64-bit arithmetic, wrapped,
/// and passed the check of the limit.
#[test]
fn row_06_lengths_are_added_without_wrapping() {
    let config = limited(Limits::new().frame(u64::MAX).message(1_000));
    let largest = limited(Limits::new().frame(u64::MAX).message(u64::MAX - 1));
    for role in BOTH {
        for huge in [(1 << 63) - 1, (1 << 63) - 10, 1 << 62] {
            let begun = frame(role, BINARY, b"0123456789");
            let bytes = [begun, header(role, FIN | CONTINUATION, huge)].concat();
            let (_, error) = receive(role, &config, [&bytes[..]]);
            assert_eq!(error, Some(ProtocolError::MessageTooLarge { limit: 1_000 }));
            // A length larger than memory is not mistaken for a shorter one either.
            let (seen, _) = receive(role, &largest, [&bytes[..]]);
            assert_eq!(seen, []);
        }
    }
}

/// CVE-2020-13935: a length with its top bit set was negative and made the reader loop forever.
#[test]
fn row_07_a_length_with_its_top_bit_set_is_refused() {
    for role in BOTH {
        for length in [1 << 63, u64::MAX, u64::MAX - 13] {
            let bytes = raw_header(role, FIN | BINARY, 127, &length.to_be_bytes());
            let (_, error) = receive(role, &Config::new(), [&bytes[..]]);
            assert_eq!(error, Some(ProtocolError::LengthTopBit));
            assert_eq!(ProtocolError::LengthTopBit.close_code(), CloseCode::PROTOCOL_ERROR);
        }
    }
}

/// CVE-2026-1528: certain 64-bit lengths overflowed the parser and threw.
#[test]
fn row_08_any_64_bit_length_is_an_error_or_waited_for() {
    for role in BOTH {
        let limits = [Limits::new(), Limits::new().frame(u64::MAX).message(u64::MAX)];
        for limits in limits {
            for bit in 0..64 {
                for length in [1 << bit, (1 << bit) - 1, u64::MAX << bit, !(1 << bit)] {
                    for first in [TEXT, FIN | TEXT, FIN | BINARY] {
                        let mut bytes = raw_header(role, first, 127, &length.to_be_bytes());
                        bytes.extend(if role == Role::Server {
                            masked(b"x", KEY)
                        } else {
                            b"x".into()
                        });
                        let (seen, error) = receive(role, &limited(limits), [&bytes[..]]);
                        assert_eq!(seen, []);
                        let expected = match length {
                            0x8000_0000_0000_0000.. => Some(ProtocolError::LengthTopBit),
                            0..=0xFFFF => Some(ProtocolError::NonMinimalLength),
                            _ if length <= limits.frame => None,
                            _ => Some(ProtocolError::FrameTooLarge { length, limit: limits.frame }),
                        };
                        // No memory of 32 bits holds it.
                        let message = ProtocolError::MessageTooLarge { limit: isize::MAX as u64 };
                        let large = length > isize::MAX as u64 && expected.is_none();
                        assert_eq!(
                            error,
                            if large { Some(message) } else { expected },
                            "{length:#x}"
                        );
                    }
                }
            }
        }
    }
}

/// CVE-2022-35922: the announced length was allocated before the data came.
#[test]
fn row_10_an_announced_length_is_not_allocated() {
    for role in BOTH {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            for first in [BINARY, FIN | BINARY, FIN | TEXT] {
                let config = Config::new().delivery(delivery);
                let (mut receiver, mut buffer) =
                    (Receiver::new(role, &config), ReceiveBuffer::new());
                buffer.extend_from_slice(&cut_frame(role, first, 64 << 20, b"a little"));
                while receiver.advance(&mut buffer).unwrap() {}
                assert!(buffer.capacity() <= 16 << 10, "{}", buffer.capacity());
            }
        }
    }
}

/// Two Rust libraries cast 64-bit lengths to `usize` before they compared them: on 32 bits the low
/// half became the length, and the following bytes became frames.
#[test]
fn row_11_a_length_is_not_cut_to_32_bits() {
    let all = Limits::new().frame(u64::MAX).message(u64::MAX);
    for role in BOTH {
        for low in [0, 5] {
            let mut bytes = cut_frame(role, FIN | BINARY, (1 << 32) + low, b"Hello");
            bytes.extend(frame(role, FIN | TEXT, b"smuggled"));
            let (seen, error) = receive(role, &Config::new(), [&bytes[..]]);
            assert_eq!(seen, []);
            let too_large =
                ProtocolError::FrameTooLarge { length: (1 << 32) + low, limit: 64 << 20 };
            assert_eq!(error, Some(too_large));
            let (seen, error) = receive(role, &limited(all), [&bytes[..]]);
            assert_eq!(seen, []);
            let waits = usize::BITS > 32;
            assert_eq!(error.is_none(), waits, "{error:?}");
        }
    }
}

/// CVE-2026-48779: an object for each tiny fragment, so that 16 MB on the wire took a GB.
#[test]
fn row_12_a_fragment_costs_its_bytes_and_no_more() {
    for role in BOTH {
        let (mut receiver, mut buffer) =
            (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
        buffer.extend_from_slice(&frame(role, BINARY, b"x"));
        let tiny = frame(role, CONTINUATION, b"x").repeat(1_000);
        for _ in 0..100 {
            buffer.extend_from_slice(&tiny);
            assert_eq!(receiver.advance(&mut buffer), Ok(false));
        }
        assert!(buffer.capacity() <= 2 * 100_000 + (64 << 10), "{}", buffer.capacity());
        for _ in 0..31 {
            buffer.extend_from_slice(&tiny);
            assert_eq!(receiver.advance(&mut buffer), Ok(false));
        }
        buffer.extend_from_slice(&tiny);
        let too_many = ProtocolError::TooManyFragments { limit: 131_072 };
        assert_eq!(receiver.advance(&mut buffer), Err(too_many));
    }
}

/// CVE-2026-12151 and others: the limit was checked for each frame, never for the message.
#[test]
fn row_13_the_limit_is_the_message_s_and_known_from_the_header() {
    let config = limited(Limits::new().frame(600).message(1_000));
    for role in BOTH {
        let mut bytes = frame(role, BINARY, &[0; 600]);
        bytes.extend(frame(role, PING, b"between"));
        bytes.extend(header(role, CONTINUATION, 401));
        let (seen, error) = receive(role, &config, [&bytes[..]]);
        assert_eq!(seen, [Seen::Ping(b"between".into())]);
        assert_eq!(error, Some(ProtocolError::MessageTooLarge { limit: 1_000 }));
    }
}

/// Fragments without payload were kept in a list that no limit counted: 380 MB for 16 MB.
#[test]
fn row_14_empty_fragments_are_counted() {
    for role in BOTH {
        let (mut receiver, mut buffer) =
            (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
        buffer.extend_from_slice(&frame(role, TEXT, b""));
        let empty = frame(role, CONTINUATION, b"").repeat(1_000);
        let error = (0..1_000).find_map(|_| {
            buffer.extend_from_slice(&empty);
            receiver.advance(&mut buffer).err()
        });
        assert_eq!(error, Some(ProtocolError::TooManyFragments { limit: 131_072 }));
        assert!(buffer.capacity() <= 64 << 10, "{}", buffer.capacity());
    }
}

/// Keys from `rand()`, a clock or a counter: a script that has seen some can predict the next, and
/// so choose the bytes that a proxy sees.
#[cfg(feature = "rand")]
#[test]
fn row_25_each_frame_has_a_key_of_its_own() {
    use std::collections::HashSet;
    const FRAMES: usize = 1_000;
    let draw = || {
        let mut end = End::new(Role::Client, &Config::new());
        end.connection = sansock::handshake::Established::after_handshake(Role::Client, None)
            .connection(&Config::new());
        for round in 0..FRAMES {
            match round % 3 {
                0 => end.send("the same").unwrap(),
                1 => end.connection.ping(b"the same", &mut end.output).unwrap(),
                // A Pong that answers.
                _ => end.receive(&frame(Role::Client, PING, b"the same")),
            }
        }
        let bytes = end.take_output();
        // Only one of the Pongs remains.
        let frames = bytes.chunks_exact(2 + 4 + 8);
        assert!(frames.remainder().is_empty() && frames.len() > FRAMES / 2);
        let keys = frames.map(|frame| u32::from_be_bytes(*frame[2..].first_chunk().unwrap()));
        keys.collect::<Vec<_>>()
    };
    // Among a thousand draws out of 2^32, two are equal once in ten thousand runs; three times in a
    // row never.
    let keys = draw();
    let different: HashSet<_> = keys.iter().collect();
    assert!(different.len() + 3 > keys.len());
    let steps: HashSet<_> = keys.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert!(steps.len() + 3 > keys.len());
    let others = draw();
    assert!(others.iter().filter(|key| different.contains(key)).count() < 3);
}

/// A Pong was queued for each Ping of a peer that never reads: 80 MB for 400,000 Pings.
#[test]
fn row_26_a_flood_of_pings_keeps_one_pong() {
    for role in BOTH {
        let mut end = End::new(role, &Config::new());
        let pings = frame(role, PING, &[7; 125]).repeat(100);
        for _ in 0..300 {
            end.receive(&pings);
            assert_eq!(end.take_seen().len(), 100);
        }
        assert!(end.output.buffered_amount() <= 2 + 4 + 125);
        assert!(end.input.capacity() <= 64 << 10);
    }
}

/// Unanswered keepalive Pings were kept forever.
#[test]
fn row_27_one_keepalive_ping_is_in_flight() {
    let keepalive = Keepalive { interval: seconds(1), timeout: seconds(1_000) };
    let timeouts = Timeouts::none().keepalive(keepalive);
    let silent = Config::new().timeouts(Timeouts::none());
    let mut pair = Pair::of(&Config::new().timeouts(timeouts), &silent);
    pair.down = true;
    for _ in 0..1_000 {
        pair.pass(seconds(1));
        assert_eq!(pair.client.timeout, None);
        pair.sleep(seconds(0));
    }
    assert!(pair.client.output.is_empty());
    pair.pass(seconds(1) + SECOND_LOOK);
    assert_eq!(pair.client.timeout, Some(Timeout::Keepalive));
}

/// Messages were read ahead of a program that was slow to take them.
#[test]
fn row_29_nothing_is_processed_before_it_is_asked_for() {
    for role in BOTH {
        let message = frame(role, FIN | TEXT, b"message");
        let bytes = [message.repeat(3), vec![0xFF; 5]].concat();
        let (mut receiver, mut buffer) =
            (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
        buffer.extend_from_slice(&bytes);
        for taken in 1..=3 {
            let event = receiver.next_event(&mut buffer).unwrap().map(Seen::from);
            assert_eq!(event, Some(text("message")));
            let left = &bytes[taken * message.len()..];
            assert_eq!(buffer.as_slice(), left, "not even unmasked");
        }
        assert_eq!(receiver.advance(&mut buffer), Err(ProtocolError::ReservedBits(0xFF)));

        // What one read brings is bounded, however much there is to read.
        let (mut receiver, mut buffer) =
            (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
        let mut read = 0;
        for _ in 0..20 {
            let n = buffer.spare_mut().len();
            assert!(n <= 64 << 10, "{n}");
            let endless = message.repeat(n / message.len() + 2);
            let at = read % message.len();
            read += n;
            buffer.spare_mut()[..n].copy_from_slice(&endless[at..at + n]);
            buffer.filled(n);
            while receiver.advance(&mut buffer).unwrap() {}
        }
    }
}

/// CVE-2026-45736: a buffer that was not filled was sent, with memory of other connections.
#[test]
fn row_30_no_byte_leaves_that_was_not_put_there() {
    for role in BOTH {
        let peer = if role == Role::Client { Role::Server } else { Role::Client };
        let mut end = End::new(role, &Config::new());
        end.send([0x55; 1_000]).unwrap();
        end.output.consume(end.output.as_slice().len());
        // Shorter than the old content, and with headers of all lengths.
        for length in [0, 1, 3, 130, 10] {
            let payload = vec![0xAA; length];
            end.send(&payload).unwrap();
            end.connection.ping(&payload[..length.min(10)], &mut end.output).unwrap();
            let mut expected = frame(peer, FIN | BINARY, &payload);
            expected.extend(frame(peer, PING, &payload[..length.min(10)]));
            assert_eq!(end.take_output(), expected);
        }
    }
}

/// CHANGELOG of another library, 0.26.1: a foreign `Read` was given uninitialised memory.
#[test]
fn row_31_a_transport_sees_only_memory_that_was_written() {
    /// Looks at the memory that it must fill: zeros, and bytes that arrived before.
    struct Curious(usize);

    impl Read for Curious {
        fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
            assert!(target.iter().all(|byte| [0, 0x55].contains(byte)));
            let n = target.len().min(self.0);
            target[..n].fill(0x55);
            Ok(n)
        }
    }

    for read in [1, 1_000, 5_000, usize::MAX] {
        let mut buffer = ReceiveBuffer::new();
        let mut receiver = Receiver::new(Role::Client, &Config::new());
        // A large message, so that reads go straight into it.
        buffer.extend_from_slice(b"\x82\x7F\0\0\0\0\0\x10\0\0");
        for _ in 0..20 {
            assert_eq!(receiver.advance(&mut buffer), Ok(false));
            let n = buffer.read_from(&mut Curious(read.min(10_000))).unwrap();
            assert!(n > 0);
        }
    }
}

/// A bad frame raised an error event without a handler, and the program died.
#[test]
fn row_34_an_error_is_a_value_and_stays() {
    for role in BOTH {
        let mut end = End::new(role, &Config::new());
        end.receive(&[0xF3]);
        let error = Err(ProtocolError::ReservedBits(0xF3));
        for _ in 0..3 {
            end.input.extend_from_slice(&frame(role, FIN | TEXT, b"good"));
            assert_eq!(end.connection.advance(&mut end.input, &mut end.output), error);
        }
        assert_eq!(end.seen, []);
    }
}

/// A header was read in two steps, and lost if the second step had to wait.
#[test]
fn row_35_half_a_header_stays_where_it_is() {
    for role in BOTH {
        for length in [5, 300, 70_000] {
            let payload = vec![b'x'; length];
            let bytes = frame(role, FIN | TEXT, &payload);
            let head = bytes.len() - length;
            let (mut receiver, mut buffer) =
                (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
            for at in 0..head - 1 {
                buffer.extend_from_slice(&bytes[at..=at]);
                for _ in 0..3 {
                    assert_eq!(receiver.advance(&mut buffer), Ok(false));
                    assert_eq!(buffer.as_slice(), &bytes[..=at]);
                }
            }
            buffer.extend_from_slice(&bytes[head - 1..]);
            assert!(receiver.next_event(&mut buffer).unwrap().is_some());
        }
    }
}
