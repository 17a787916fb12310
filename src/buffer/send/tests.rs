//! Which bytes wait, in which order they are sent, and how much memory they take.

use super::*;
use crate::frame::Opcode;

fn pong(buffer: &mut SendBuffer, payload: &[u8]) {
    buffer.set_pong(&FrameHeader::new(Opcode::Pong, payload.len() as u64), payload);
}

fn drain(buffer: &mut SendBuffer, step: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while !buffer.is_empty() {
        let n = buffer.as_slice().len().min(step);
        out.extend_from_slice(&buffer.as_slice()[..n]);
        let before = buffer.buffered_amount();
        buffer.consume(n);
        assert_eq!(buffer.buffered_amount(), before - n);
    }
    out
}

#[test]
fn bytes_leave_in_order_at_any_step() {
    for step in 1..20 {
        let mut buffer = SendBuffer::new();
        let mut expected = Vec::new();
        for i in 0..50u8 {
            buffer.push_frame(&FrameHeader::new(Opcode::Binary, 3), &[i, i, i]);
            expected.extend_from_slice(&[0x82, 3, i, i, i]);
        }
        assert_eq!(drain(&mut buffer, step), expected, "step {step}");
    }
}

#[test]
fn a_newer_pong_takes_the_place_of_the_one_that_waits() {
    for step in 1..12 {
        let mut buffer = SendBuffer::new();
        buffer.extend_from_slice(b"first");
        pong(&mut buffer, b"a");
        buffer.extend_from_slice(b"second");
        pong(&mut buffer, b"bcd");
        assert_eq!(drain(&mut buffer, step), b"first\x8a\x03bcdsecond", "step {step}");
    }
}

#[test]
fn a_pong_that_is_half_written_is_not_replaced() {
    for written in 1..5 {
        let mut buffer = SendBuffer::new();
        pong(&mut buffer, b"old");
        buffer.extend_from_slice(b"data");
        buffer.consume(written);
        pong(&mut buffer, b"new");
        let all = [&b"\x8a\x03old"[written..], b"data\x8a\x03new"].concat();
        assert_eq!(buffer.buffered_amount(), all.len());
        assert_eq!(drain(&mut buffer, usize::MAX), all);
    }
}

#[test]
fn a_pong_keeps_its_place_when_the_bytes_move() {
    let mut buffer = SendBuffer::new();
    buffer.extend_from_slice(&[1; 200]);
    buffer.consume(150);
    pong(&mut buffer, b"x");
    buffer.extend_from_slice(&[2; 300]);
    let expected = [&[1; 50][..], b"\x8a\x01x", &[2; 300]].concat();
    assert_eq!(drain(&mut buffer, 7), expected);
}

#[test]
fn a_flood_of_pings_costs_no_memory() {
    let mut buffer = SendBuffer::new();
    for _ in 0..10_000 {
        pong(&mut buffer, &[0; 125]);
    }
    assert_eq!(buffer.buffered_amount(), 127);
}

/// Random frames, Pongs and partial writes, compared with a plain list of the expected bytes.
#[test]
fn whatever_is_queued_and_written_leaves_in_order() {
    let mut lot = 1_u32;
    let mut below = |bound: usize| {
        lot = lot.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (lot >> 16) as usize % bound
    };
    let mut buffer = SendBuffer::new();
    // Waiting frames; `true` marks the Pong that may still be replaced.
    let mut waiting: Vec<(Vec<u8>, bool)> = Vec::new();
    for round in 0..10_000_u32 {
        let payload = vec![round.to_le_bytes()[0]; below(126)];
        match below(5) {
            0 => {
                pong(&mut buffer, &payload);
                let frame = [&[0x8A, u8::try_from(payload.len()).unwrap()], &payload[..]].concat();
                match waiting.iter_mut().find(|(_, replaceable)| *replaceable) {
                    Some((old, _)) => *old = frame,
                    None => waiting.push((frame, true)),
                }
            }
            1 => {
                buffer.extend_from_slice(&payload);
                waiting.push((payload, false));
            }
            2 => {
                let header = FrameHeader::new(Opcode::Binary, payload.len() as u64);
                buffer.push_frame(&header, &payload);
                waiting.push(([&header.encode(), &payload[..]].concat(), false));
            }
            // Somewhat more is written than queued, so that the buffer runs empty at times.
            _ => {
                let mut n = below(buffer.as_slice().len() + 1);
                buffer.consume(n);
                while n > 0 {
                    let (first, replaceable) = &mut waiting[0];
                    *replaceable = false;
                    let written = n.min(first.len());
                    first.drain(..written);
                    n -= written;
                    if first.is_empty() {
                        waiting.remove(0);
                    }
                }
            }
        }
        let all: Vec<u8> = waiting.iter().flat_map(|(frame, _)| frame.clone()).collect();
        assert_eq!(buffer.buffered_amount(), all.len());
        assert!(all.starts_with(buffer.as_slice()), "round {round}");
        assert_eq!(buffer.as_slice().is_empty(), all.is_empty());
        assert!(buffer.bytes.room() <= 4 * all.len().max(4_096), "{}", buffer.bytes.room());
    }
}

/// The results of a transport's writes, in order; after them it takes everything.
struct Scripted(Vec<io::Result<usize>>, Vec<u8>);

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let answer = if self.0.is_empty() { Ok(bytes.len()) } else { self.0.remove(0) };
        self.1.extend_from_slice(&bytes[..*answer.as_ref().unwrap_or(&0)]);
        answer
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn write_to_goes_on_until_all_is_written_or_the_transport_fails() {
    use io::ErrorKind::{BrokenPipe, Interrupted, WouldBlock, WriteZero};

    for (answers, written, outcome) in [
        (vec![], 6, Ok(())),
        (vec![Ok(1), Ok(2)], 6, Ok(())),
        (vec![Err(Interrupted)], 6, Ok(())),
        (vec![Ok(2), Err(Interrupted), Err(Interrupted), Ok(1)], 6, Ok(())),
        (vec![Err(WouldBlock)], 0, Err(WouldBlock)),
        (vec![Ok(2), Err(WouldBlock)], 2, Err(WouldBlock)),
        (vec![Ok(5), Err(Interrupted), Err(BrokenPipe)], 5, Err(BrokenPipe)),
        (vec![Ok(0)], 0, Err(WriteZero)),
        (vec![Ok(3), Ok(0)], 3, Err(WriteZero)),
    ] {
        let mut buffer = SendBuffer::new();
        buffer.extend_from_slice(b"abcdef");
        let script = answers.iter().map(|it| it.map_err(io::Error::from)).collect();
        let mut transport = Scripted(script, Vec::new());
        let ended = buffer.write_to(&mut transport).map_err(|error| error.kind());
        assert_eq!(ended, outcome, "{answers:?}");
        assert_eq!(transport.1, b"abcdef"[..written], "{answers:?}");
        assert_eq!(buffer.check_written().0 as usize, written, "{answers:?}");
        assert_eq!(buffer.as_slice(), &b"abcdef"[written..], "what was not written still waits");
    }
}

/// What one write may do: all, a part, with a Pong that waits, nothing, or fail.
#[test]
fn write_once_writes_once_and_what_was_not_taken_still_waits() {
    use io::ErrorKind::{Interrupted, WouldBlock};

    for (answer, outcome, rest) in [
        (None, Ok(6), &b""[..]),
        (Some(Ok(5)), Ok(5), b"f"),
        (Some(Ok(1)), Ok(1), b"bcdef"),
        (Some(Ok(0)), Ok(0), b"abcdef"),
        (Some(Err(WouldBlock)), Err(WouldBlock), b"abcdef"),
        (Some(Err(Interrupted)), Err(Interrupted), b"abcdef"),
    ] {
        for with_pong in [false, true] {
            let mut buffer = SendBuffer::new();
            buffer.extend_from_slice(b"abcdef");
            let mut rest = rest.to_vec();
            if with_pong {
                pong(&mut buffer, b"p");
                rest.extend_from_slice(b"\x8a\x01p");
            }
            let script = answer.map(|it| it.map_err(io::Error::from)).into_iter().collect();
            let mut transport = Scripted(script, Vec::new());
            let ended = buffer.write_once(&mut transport).map_err(|error| error.kind());
            assert_eq!(ended, outcome);
            assert_eq!(transport.1, b"abcdef"[..outcome.unwrap_or(0)]);
            assert_eq!(buffer.check_written().0 as usize, transport.1.len());
            assert_eq!(drain(&mut buffer, usize::MAX), rest);
        }
    }
}

/// Bytes are queued, then written, then queued again. Returns the position of the first waiting
/// byte, and the room.
fn grown((queued, written, then): (usize, usize, usize)) -> (usize, usize) {
    let mut buffer = SendBuffer::new();
    buffer.extend_from_slice(&vec![1; queued]);
    buffer.consume(written);
    buffer.extend_from_slice(&vec![2; then]);
    assert!(buffer.as_slice() == [vec![1; queued - written], vec![2; then]].concat());
    let room = buffer.bytes.room();
    assert!(room <= SendBuffer::LARGE || buffer.capacity() == room, "{}", buffer.capacity());
    (buffer.bytes.start(), room)
}

#[test]
fn memory_grows_by_doubling_and_bytes_move_over_those_that_were_written() {
    for (lengths, lies) in [
        ((0, 0, 1), (0, 256)),
        ((0, 0, 300), (0, 300)),
        // Just enough room, or one byte too few.
        ((100, 60, 156), (60, 256)),
        ((100, 60, 157), (0, 256)),
        ((200, 160, 216), (0, 256)),
        ((200, 160, 217), (0, 512)),
        // No more bytes move than were written.
        ((200, 100, 57), (0, 256)),
        ((200, 99, 57), (99, 512)),
        ((200, 50, 1000), (50, 1200)),
    ] {
        assert_eq!(grown(lengths), lies, "{lengths:?}");
    }
}

#[test]
fn a_large_buffer_grows_by_an_eighth_and_bytes_move_over_an_eighth_of_them() {
    const LARGE: usize = SendBuffer::LARGE;
    let and_an_eighth = |length: usize| length + length / 8;

    for (lengths, lies) in [
        ((0, 0, LARGE), (0, LARGE)),
        ((0, 0, LARGE + 8), (0, and_an_eighth(LARGE + 8))),
        // Not large yet: they move over as many as they are.
        ((LARGE + LARGE / 8, LARGE / 8, LARGE), (LARGE / 8, and_an_eighth(2 * LARGE + LARGE / 8))),
        // An eighth of them, or one byte less.
        ((9 * LARGE, LARGE, 2 * LARGE), (0, and_an_eighth(9 * LARGE))),
        ((9 * LARGE, LARGE - 1, 2 * LARGE), (LARGE - 1, and_an_eighth(11 * LARGE))),
        // Behind them there is room enough.
        ((16 * LARGE, 4 * LARGE, 4 * LARGE), (0, and_an_eighth(16 * LARGE))),
    ] {
        assert_eq!(grown(lengths), lies, "{lengths:?}");
    }
}

/// Memory that is given back: what a large buffer has above its waiting bytes and a quarter of them.
#[test]
fn a_large_buffer_shrinks_to_what_waits() {
    const LARGE: usize = SendBuffer::LARGE;

    for (waiting, capacity, left) in [
        (0, LARGE, LARGE),
        (0, LARGE + 1, 0),
        (100, LARGE, LARGE),
        (100, LARGE + 1, 100),
        (LARGE, LARGE + LARGE / 4, LARGE + LARGE / 4),
        (LARGE, LARGE + LARGE / 4 + 1, LARGE),
    ] {
        let mut buffer = SendBuffer::new();
        buffer.bytes.grow_exact(capacity);
        // Ten bytes that were written lie before them, and a Pong waits between them.
        buffer.extend_from_slice(&[0; 10]);
        let half = vec![1; waiting / 2];
        buffer.extend_from_slice(&half);
        pong(&mut buffer, b"p");
        buffer.extend_from_slice(&half);
        buffer.consume(10);
        buffer.shrink();
        assert_eq!(buffer.capacity(), left, "{waiting} wait in {capacity}");
        assert!(drain(&mut buffer, usize::MAX) == [&half[..], b"\x8a\x01p", &half].concat());
    }
}

#[test]
fn memory_is_given_back_when_nothing_waits() {
    let mut buffer = SendBuffer::new();
    buffer.extend_from_slice(b"ab");
    buffer.release();
    assert_eq!((buffer.as_slice(), buffer.bytes.capacity()), (&b"ab"[..], 256));
    buffer.consume(2);
    buffer.release();
    assert_eq!(buffer.bytes.capacity(), 0);
}

#[test]
fn capacity_counts_all_but_the_place_of_a_pong() {
    let mut buffer = SendBuffer::new();
    pong(&mut buffer, b"a");
    assert_eq!(buffer.capacity(), 0);
    buffer.extend_from_slice(b"b");
    assert_eq!(buffer.capacity(), 256);
}

#[test]
fn the_place_of_a_pong_is_as_long_as_the_longest() {
    assert_eq!(WaitingPong::new().frame.len(), 131);
}

/// A shorter Pong takes its place, so less is written than was counted.
#[test]
fn a_pong_that_was_replaced_leaves_no_rest() {
    let mut buffer = SendBuffer::new();
    pong(&mut buffer, &[7; 100]);
    assert_eq!(buffer.check_written(), (0, false));
    pong(&mut buffer, b"");
    let n = buffer.as_slice().len();
    buffer.consume(n);
    assert_eq!(buffer.check_written(), (2, false));
}

#[test]
fn what_was_counted_outlives_the_memory() {
    let mut buffer = SendBuffer::new();
    buffer.extend_from_slice(b"12345");
    buffer.consume(5);
    buffer.set_ahead(10, 20);
    assert_eq!(buffer.check_written(), (15, false));
    buffer.release();
    assert_eq!((buffer.capacity(), buffer.waiting()), (0, 20));
    assert_eq!(buffer.check_written(), (15, true));
}
