//! What the limits count, to the byte, and what memory they bound.

use sansock::split::{Receiver, SendQueue, Sender};
use sansock::{
    Config, Delivery, EncodedMessage, Limits, ProtocolError, ReceiveBuffer, Role, SendError,
};

use crate::pair::End;
use crate::wire::{
    BINARY, BOTH, CONTINUATION, FIN, PING, PONG, Seen, TEXT, close_frame, cut_frame, frame, header,
    receive,
};

fn limited(limits: Limits) -> [Config; 2] {
    let config = Config::new().limits(limits);
    [config, config.delivery(Delivery::Chunks)]
}

/// The error for these frames, the first with its opcode and the last with FIN, sent whole.
fn error(role: Role, config: &Config, lengths: &[usize]) -> Option<ProtocolError> {
    let last = lengths.len() - 1;
    let bytes: Vec<u8> = (0..)
        .zip(lengths)
        .flat_map(|(i, &length)| {
            let opcode = if i == 0 { BINARY } else { CONTINUATION };
            let fin = if i == last { FIN } else { 0 };
            frame(role, fin | opcode, &vec![0; length])
        })
        .collect();
    receive(role, config, [&bytes[..]]).1
}

#[test]
fn the_defaults() {
    let limits = Limits::new();
    assert_eq!((limits.frame, limits.message), (64 << 20, 64 << 20));
    assert_eq!((limits.fragments, limits.buffered), (131_072, 64 << 20));
    assert_eq!(Config::default().limits, limits);
}

#[test]
fn a_frame_at_the_limit_is_taken_and_one_byte_more_is_not() {
    for role in BOTH {
        for limit in [0, 1, 125, 126, 5_000, 65_535, 65_536] {
            for config in limited(Limits::new().frame(limit as u64)) {
                assert_eq!(error(role, &config, &[limit]), None);
                assert_eq!(error(role, &config, &[limit, limit, limit]), None);
                let too_large = Some(ProtocolError::FrameTooLarge {
                    length: limit as u64 + 1,
                    limit: limit as u64,
                });
                assert_eq!(error(role, &config, &[limit + 1]), too_large);
                assert_eq!(error(role, &config, &[0, limit + 1]), too_large);
            }
        }
    }
}

#[test]
fn a_message_at_the_limit_is_taken_and_one_byte_more_is_not() {
    for role in BOTH {
        for config in limited(Limits::new().message(1_000)) {
            for fits in [&[1_000][..], &[1_000, 0, 0], &[0, 1_000], &[400, 500, 100], &[500; 2]] {
                assert_eq!(error(role, &config, fits), None, "{fits:?}");
            }
            let too_large = Some(ProtocolError::MessageTooLarge { limit: 1_000 });
            for more in [&[1_001][..], &[1_000, 0, 1], &[0, 1_001], &[400, 500, 101]] {
                assert_eq!(error(role, &config, more), too_large, "{more:?}");
            }
        }
    }
}

#[test]
fn fragments_at_the_limit_are_taken_and_one_more_is_not() {
    for role in BOTH {
        for limit in [1, 2, 5] {
            for config in limited(Limits::new().fragments(limit)) {
                for length in [0, 3] {
                    let fits = vec![length; limit as usize];
                    assert_eq!(error(role, &config, &fits), None);
                    let many = vec![length; limit as usize + 1];
                    let too_many = ProtocolError::TooManyFragments { limit };
                    assert_eq!(error(role, &config, &many), Some(too_many));
                }
            }
        }
    }
}

#[test]
fn each_message_is_counted_from_zero_and_control_frames_are_not_counted() {
    for role in BOTH {
        for config in limited(Limits::new().frame(10).message(20).fragments(3)) {
            let mut bytes = Vec::new();
            for _ in 0..5 {
                bytes.extend(frame(role, TEXT, &[b'x'; 10]));
                bytes.extend(frame(role, PING, &[7; 125]));
                bytes.extend(frame(role, CONTINUATION, &[b'x'; 9]));
                bytes.extend(frame(role, PONG, &[7; 125]));
                bytes.extend(frame(role, PONG, &[7; 125]));
                bytes.extend(frame(role, FIN | CONTINUATION, b"x"));
            }
            bytes.extend(close_frame(role, 1000, &[b'r'; 100]));
            assert_eq!(receive(role, &config, [&bytes[..]]).1, None);
        }
    }
}

/// Memory grows with the bytes that arrive, never with the length that a header announces.
#[test]
fn an_announced_length_takes_no_memory() {
    for role in BOTH {
        for config in limited(Limits::new().frame(u64::MAX).message(u64::MAX)) {
            for length in [1 << 20, 1 << 32, 1 << 62] {
                let (mut receiver, mut buffer) =
                    (Receiver::new(role, &config), ReceiveBuffer::new());
                buffer.extend_from_slice(&header(role, FIN | BINARY, length));
                assert_eq!(receiver.advance(&mut buffer), Ok(false));
                assert!(buffer.capacity() <= 8 << 10, "{} for {length}", buffer.capacity());

                let mut arrived = 0;
                for step in [10, 1_000, 100_000, 700_000] {
                    buffer.extend_from_slice(&vec![0; step]);
                    while receiver.advance(&mut buffer).unwrap() {}
                    arrived += step;
                    let most = 2 * arrived + (512 << 10);
                    assert!(buffer.capacity() <= most, "{} for {arrived}", buffer.capacity());
                }
            }
        }
    }
}

/// Nor for one read, however long reads may be.
#[test]
fn a_long_read_takes_no_memory_for_what_is_only_announced() {
    for (role, read_size) in BOTH.into_iter().flat_map(|role| {
        [32 << 10, 256 << 10, 1 << 30, usize::MAX].map(|read_size| (role, read_size))
    }) {
        for config in limited(Limits::new().frame(u64::MAX).message(u64::MAX)) {
            for length in [1 << 20, 1 << 32, 1 << 62] {
                let mut receiver = Receiver::new(role, &config);
                let mut buffer = ReceiveBuffer::with_read_size(read_size);
                buffer.extend_from_slice(&header(role, FIN | BINARY, length));
                let (mut arrived, mut longest) = (0, 0);
                while arrived < 1 << 20 {
                    while receiver.advance(&mut buffer).unwrap() {}
                    let n = buffer.spare_mut().len();
                    let most = 4 * arrived + (128 << 10);
                    assert!(buffer.capacity() <= most, "{} for {arrived}", buffer.capacity());
                    buffer.filled(n.min((1 << 20) - arrived));
                    arrived += n;
                    longest = longest.max(n);
                }
                // In pieces it goes through the buffer, a few bytes of which are kept free.
                let whole = config.delivery == Delivery::Messages;
                let most = read_size.min(if whole { 256 << 10 } else { 32 << 10 });
                assert!(longest <= read_size && longest + 4 >= most, "{longest} of {read_size}");
            }
        }
    }
}

/// A message that no memory can hold is refused at the header that shows it.
#[test]
fn the_largest_allocation_limits_a_message_that_is_delivered_whole() {
    let limit = isize::MAX as u64;
    for role in BOTH {
        let header = header(role, CONTINUATION, limit);
        let bytes = [&frame(role, BINARY, b"x")[..], &header].concat();
        let [whole, pieces] = limited(Limits::new().frame(u64::MAX).message(u64::MAX));
        let too_large = Some(ProtocolError::MessageTooLarge { limit });
        assert_eq!(receive(role, &whole, [&bytes[..]]).1, too_large);
        assert_eq!(receive(role, &pieces, [&bytes[..]]).1, None);
    }
}

#[test]
fn pieces_of_an_endless_message_take_the_memory_of_one_read() {
    let config = limited(Limits::new().frame(u64::MAX).message(u64::MAX))[1];
    for role in BOTH {
        let (mut receiver, mut buffer) = (Receiver::new(role, &config), ReceiveBuffer::new());
        buffer.extend_from_slice(&header(role, FIN | BINARY, 1 << 62));
        let mut bytes = 0;
        for _ in 0..100 {
            let n = buffer.spare_mut().len();
            buffer.filled(n);
            while receiver.advance(&mut buffer).unwrap() {
                let Some(sansock::Event::Chunk { data, fin: false }) = buffer.event() else {
                    panic!("{:?}", buffer.event());
                };
                bytes += data.len();
            }
        }
        assert!(bytes > 1 << 20);
        assert!(buffer.capacity() <= 128 << 10, "{}", buffer.capacity());
    }
}

#[test]
fn a_million_empty_fragments_take_no_memory() {
    let config = Config::new().limits(Limits::new().fragments(u32::MAX));
    for role in BOTH {
        let (mut receiver, mut buffer) = (Receiver::new(role, &config), ReceiveBuffer::new());
        buffer.extend_from_slice(&frame(role, TEXT, b""));
        let empty = frame(role, CONTINUATION, b"").repeat(1_000);
        for _ in 0..1_000 {
            buffer.extend_from_slice(&empty);
            assert_eq!(receiver.advance(&mut buffer), Ok(false));
        }
        assert!(buffer.capacity() <= 64 << 10, "{}", buffer.capacity());
        assert!(receiver.is_in_message());
    }
}

#[test]
fn a_flood_of_pings_keeps_the_newest_pong_only() {
    for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let mut end = End::new(role, &Config::new());
        end.send("before").unwrap();
        for i in 0..20_000_u32 {
            end.input.extend_from_slice(&frame(
                role,
                PING,
                &[&i.to_be_bytes()[..], &[0; 121]].concat(),
            ));
            assert_eq!(end.connection.advance(&mut end.input, &mut end.output), Ok(true));
        }
        end.send("after").unwrap();
        assert!(end.input.capacity() <= 64 << 10);
        let newest = [&19_999_u32.to_be_bytes()[..], &[0; 121]].concat();
        let all = [
            frame(peer, FIN | TEXT, b"before"),
            frame(peer, PONG, &newest),
            frame(peer, FIN | TEXT, b"after"),
        ];
        assert_eq!(end.output.buffered_amount(), all.concat().len());
        assert_eq!(end.take_output(), all.concat());
    }
}

/// A peer that never reads costs no more than the limit.
#[test]
fn what_waits_for_a_peer_that_does_not_read_is_limited() {
    let config = Config::new().limits(Limits::new().buffered(10_000));
    let full = Err(SendError::BufferFull { limit: 10_000 });
    let news = EncodedMessage::new([0; 3_000]);
    for role in BOTH {
        let mut end = End::new(role, &config);
        let End { connection, output, .. } = &mut end;
        let mut sizes = [3_000, 1_000, 125, 7, 0].into_iter();
        let mut size = sizes.next().unwrap();
        loop {
            let waiting = output.buffered_amount();
            let payload = vec![0; size];
            let sent = connection.send(&payload, output);
            assert!(output.buffered_amount() <= 10_000, "{}", output.buffered_amount());
            if sent == full {
                assert_eq!(output.buffered_amount(), waiting, "nothing was written");
                let Some(smaller) = sizes.next() else { break };
                size = smaller;
            }
        }
        assert!(output.buffered_amount() > 10_000 - 20, "room was left: {output:?}");
        assert_eq!(connection.send_encoded(&news, output), full);
        assert_eq!(connection.send_fragment(b"", false, output), full);
        assert_eq!(connection.ping(&[0; 20], output), full);
        assert_eq!(connection.pong(&[0; 20], output), full);

        // Automatic replies are sent.
        end.receive(&frame(role, PING, &[1; 125]));
        end.receive(&close_frame(role, 1000, b""));
        assert_eq!(end.error, None);
        assert!(end.output.buffered_amount() <= 10_000 + 131 + 8);
        let peer = if role == Role::Client { Role::Server } else { Role::Client };
        let said = [frame(peer, PONG, &[1; 125]), close_frame(peer, 1000, b"")].concat();
        assert!(end.take_output().ends_with(&said));
    }
}

/// What a `SendQueue` has given out for writing waits too, and its payload in place.
#[test]
fn what_is_in_flight_counts_against_the_limit() {
    let config = Config::new().limits(Limits::new().buffered(10_000));
    let full = SendError::BufferFull { limit: 10_000 };
    let news = EncodedMessage::new([0; 8_192]);
    let long = vec![0; 100_000];
    for in_place in [false, true] {
        let (mut sender, mut queue) = (Sender::server(&config), SendQueue::new());
        let mut batch = if in_place {
            let mut batch = queue.take().unwrap();
            let mut unwritten = sender.send_in_place(&long, &mut batch).unwrap();
            queue.set_in_flight(unwritten.remaining());
            unwritten.consume(100_010 - 9_000);
            queue.progress(unwritten.remaining());
            drop(unwritten);
            batch
        } else {
            sender.send([0; 8_996], queue.queued()).unwrap();
            queue.take().unwrap()
        };
        assert_eq!((queue.buffered_amount(), batch.buffered_amount()), (9_000, 9_000));
        sender.send([0; 486], queue.queued()).unwrap();
        assert_eq!(sender.send([0; 497], queue.queued()), Err(full));
        assert_eq!(sender.send_encoded(&news, queue.queued()), Err(full));
        assert_eq!(sender.send_encoded_in_place(&news, queue.queued()).err(), Some(full));
        assert_eq!(sender.send_in_place(&long[..8_192], queue.queued()).err(), Some(full));
        assert_eq!(sender.send_fragment([0; 497], false, queue.queued()), Err(full));
        sender.send([0; 486], queue.queued()).unwrap();
        assert_eq!(sender.ping(&[0; 30], queue.queued()), Err(full));
        assert_eq!(queue.buffered_amount(), 9_000 + 2 * 490);

        // The peer takes what is in flight, and then all the rest.
        batch.consume(9_000);
        queue.put_back(batch);
        sender.send([0; 8_000], queue.queued()).unwrap();
        let mut batch = queue.take().unwrap();
        batch.consume(batch.as_slice().len());
        queue.put_back(batch);
        sender.send(&*long, queue.queued()).unwrap();
    }
}

/// Each header counts with the longest length, 14 bytes.
#[test]
fn what_waits_may_reach_the_limit_to_the_byte() {
    let config = Config::new().limits(Limits::new().buffered(1_000));
    for (length, taken) in [(983, true), (984, false)] {
        let mut end = End::new(Role::Server, &config);
        end.send(b"x").unwrap();
        assert_eq!(end.output.buffered_amount(), 3);
        assert_eq!(end.send(vec![0; length]).is_ok(), taken, "{length}");
    }
}

/// A message of any size can be sent when nothing waits: its sender has it in memory anyway.
#[test]
fn a_message_above_the_limit_is_sent_when_nothing_waits() {
    let config = Config::new().limits(Limits::new().buffered(100));
    for role in BOTH {
        let mut end = End::new(role, &config);
        end.send([0; 5_000]).unwrap();
        assert_eq!(end.send(b"x"), Err(SendError::BufferFull { limit: 100 }));
        end.take_output();
        end.send(b"x").unwrap();
        assert_eq!(end.send([0; 100]), Err(SendError::BufferFull { limit: 100 }));
        // Half of it gone is not enough, but enough for a small one.
        end.send([0; 60]).unwrap();
        end.output.consume(50);
        end.send([0; 60]).unwrap();
    }
}

/// A refused message leaves no trace: neither bytes nor a change in the order of fragments.
#[test]
fn a_refused_message_changes_nothing() {
    let config = Config::new().limits(Limits::new().buffered(100));
    for role in BOTH {
        let mut end = End::new(role, &config);
        end.send([0; 90]).unwrap();
        let before = end.output.buffered_amount();
        let End { connection, output, .. } = &mut end;
        let full = Err(SendError::BufferFull { limit: 100 });
        assert_eq!(connection.send_fragment([0; 50], false, output), full);
        assert_eq!(connection.ping(&[0; 126], output), Err(SendError::ControlTooLong(126)));
        assert_eq!(output.buffered_amount(), before);
        output.consume(before);
        // No fragmented message has begun.
        connection.send("whole", output).unwrap();
        connection.send_fragment("part", false, output).unwrap();
        assert_eq!(connection.send("whole", output), Err(SendError::MessageInProgress));
    }
}

/// A large message that arrives byte by byte costs time in proportion: moves and growth are
/// amortised.
#[test]
fn a_message_that_comes_byte_by_byte() {
    let payload = vec![b'x'; 200_000];
    for role in BOTH {
        let bytes = cut_frame(role, FIN | BINARY, 200_000, &payload);
        for config in limited(Limits::new()) {
            let (seen, error) = receive(role, &config, bytes.chunks(1));
            assert_eq!((seen.len(), error), (1, None));
            let (Seen::Binary(whole) | Seen::BinaryChunk(whole, true)) = &seen[0] else {
                panic!("{seen:.100?}");
            };
            assert!(*whole == payload);
        }
    }
}
