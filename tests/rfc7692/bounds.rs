//! What a peer may cost.

use flate2::{Compress, Compression};
use sansock::{CloseCode, Config, Delivery, Limits, ProtocolError, Role};

use crate::wire::{End, FORGOTTEN, KEPT, binary_frame, deflated, flushed, frame, noise};

const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

fn limited(limit: u64, delivery: Delivery) -> End {
    let config = Config::new().limits(Limits::new().message(limit)).delivery(delivery);
    End::new(Role::Client, &config, KEPT)
}

/// Whether a message of `data` gets through in these frames, the same with any reads.
fn passes(frames: &[u8], limit: u64) -> bool {
    let mut verdicts = Vec::new();
    for delivery in DELIVERIES {
        for step in [1, 7, 1_000, usize::MAX] {
            if step < 7 && frames.len() > 10_000 {
                continue;
            }
            verdicts.push(match limited(limit, delivery).receive(frames, step) {
                Ok(seen) => {
                    assert_eq!(seen.len(), 1);
                    true
                }
                Err(error) => {
                    assert_eq!(error, ProtocolError::MessageTooLarge { limit });
                    false
                }
            });
        }
    }
    assert!(verdicts.iter().all(|it| *it == verdicts[0]));
    verdicts[0]
}

#[test]
fn the_limit_counts_what_comes_out_to_the_byte() {
    for limit in [0, 1, 2, 3, 5, 125, 4_095, 4_096, 4_097, 65_536, 262_144, 300_000_usize] {
        for length in [limit.saturating_sub(1), limit, limit + 1, limit + 2, 2 * limit + 10] {
            for data in [vec![b'a'; length], noise(length)] {
                let payload = deflated(&data);
                let expected = length <= limit;
                let limit = limit as u64;
                let what = format!("{length} with {limit}");
                assert_eq!(passes(&binary_frame(&payload), limit), expected, "{what}");
                let (first, second) = payload.split_at(payload.len() / 2);
                let fragments = [frame(0x42, first), frame(0x80, second)].concat();
                assert_eq!(passes(&fragments, limit), expected, "{what}, fragments");
            }
        }
    }
}

#[test]
fn the_limit_counts_across_fragments_and_not_across_messages() {
    let mut stream = Compress::new(Compression::default(), false);
    let mut end = limited(10_000, Delivery::Messages);
    for _ in 0..20 {
        let parts = [0; 10].map(|_| flushed(&mut stream, &[b'x'; 1_000]));
        let mut frames = frame(0x42, &parts[0]);
        parts[1..].iter().for_each(|part| frames.extend(frame(0x00, part)));
        frames.extend(frame(0x80, &[0]));
        assert_eq!(end.receive(&frames, 100).unwrap().len(), 1);
    }
    let part = flushed(&mut stream, &[b'x'; 1_000]);
    let mut frames = frame(0x42, &part);
    (0..9).for_each(|_| frames.extend(frame(0x00, &part)));
    assert_eq!(end.receive(&frames, 100).unwrap(), []);
    let more = flushed(&mut stream, b"x");
    let outcome = end.receive(&frame(0x00, &more), 100);
    assert_eq!(outcome, Err(ProtocolError::MessageTooLarge { limit: 10_000 }));
}

/// Row 15 of the ways in which others were broken: a limit for the bytes on the wire only.
#[test]
fn row_15_a_bomb_costs_no_more_than_the_limit() {
    const LIMIT: usize = 1 << 20;
    // 64 MiB in 64 KiB.
    let bomb = deflated(&vec![0; 64 << 20]);
    assert!(bomb.len() < 70_000);
    let fragments: Vec<u8> = bomb.chunks(100).flat_map(|piece| frame(0x00, piece)).collect();
    for frames in [binary_frame(&bomb), [frame(0x42, b""), fragments].concat()] {
        for delivery in DELIVERIES {
            for step in [1_000, usize::MAX] {
                let mut end = limited(LIMIT as u64, delivery);
                let outcome = end.receive(&frames, step);
                assert_eq!(outcome, Err(ProtocolError::MessageTooLarge { limit: LIMIT as u64 }));
                // And what the reads of the wire take.
                assert!(end.input.capacity() <= LIMIT + (160 << 10), "{}", end.input.capacity());
            }
        }
    }
    // In pieces, any size takes little memory.
    let mut end = limited(u64::MAX, Delivery::Chunks);
    assert_eq!(end.receive(&binary_frame(&bomb), usize::MAX).unwrap().len(), 1);
    assert!(end.input.capacity() <= 256 << 10, "{}", end.input.capacity());
}

#[test]
fn a_bomb_is_answered_with_1009() {
    let bomb = deflated(&vec![0; 1 << 20]);
    let config = Config::new().limits(Limits::new().message(1_000));
    let mut end = End::new(Role::Server, &config, FORGOTTEN);
    let mut frame = binary_frame(&bomb);
    frame[1] |= 0x80;
    let header = frame.len() - bomb.len();
    frame.splice(header..header, [0; 4]);
    assert_eq!(end.receive(&frame, 100), Err(ProtocolError::MessageTooLarge { limit: 1_000 }));
    assert_eq!(end.close_code(), 1009);
}

/// Row 16: what was pending when all the input was consumed was forgotten.
#[test]
fn row_16_nothing_is_lost_at_the_limit() {
    // Runs, whose last code expands to many bytes when no input is left.
    for length in (1..600).chain(65_000..65_100).chain(262_100..262_200) {
        let payload = deflated(&vec![b'a'; length]);
        for limit in [length - 1, length, length + 1] {
            for delivery in DELIVERIES {
                let outcome =
                    limited(limit as u64, delivery).receive(&binary_frame(&payload), usize::MAX);
                match outcome {
                    Ok(seen) => {
                        let expected = vec![b'a'; length];
                        let kind = sansock::MessageKind::Binary;
                        assert_eq!(seen, [crate::wire::Seen::Message(kind, expected)]);
                        assert!(limit >= length);
                    }
                    Err(_) => assert!(limit < length, "{length} with {limit}"),
                }
            }
        }
    }
}

#[test]
fn frames_and_fragments_are_limited_as_ever() {
    let payload = deflated(&noise(2_000));
    let limits = Limits::new().frame(1_000);
    let mut end = End::new(Role::Client, &Config::new().limits(limits), KEPT);
    let outcome = end.receive(&binary_frame(&payload)[..4], 1);
    let length = payload.len() as u64;
    assert_eq!(outcome, Err(ProtocolError::FrameTooLarge { length, limit: 1_000 }));
    let limits = Limits::new().fragments(10);
    let mut end = End::new(Role::Client, &Config::new().limits(limits), KEPT);
    let frames = [frame(0x42, b""), frame(0x00, b"").repeat(10)].concat();
    assert_eq!(end.receive(&frames, 1), Err(ProtocolError::TooManyFragments { limit: 10 }));
}

/// Blocks without data inflate to nothing, and still cost the time of inflating them.
#[test]
fn compressed_bytes_are_limited_too() {
    for (limit, most) in [(0, 256 << 10), (80_000, 90_000 + (256 << 10))] {
        for delivery in DELIVERIES {
            let mut end = limited(limit, delivery);
            let block = [0x00, 0x00, 0x00, 0xff, 0xff];
            let blocks = block.repeat(most / 5);
            let mut frames = frame(0x42, &blocks);
            frames.extend(frame(0x00, &[0; 8][..most % 5]));
            // Exactly as many are accepted.
            assert_eq!(end.receive(&frames, usize::MAX), Ok(vec![]), "{limit}");
            let error = ProtocolError::MessageTooLarge { limit };
            // One more is too many as soon as it is announced.
            assert_eq!(end.receive(&frame(0x00, &[0])[..2], 1), Err(error));
            assert_eq!(error.close_code(), CloseCode::MESSAGE_TOO_BIG);
        }
    }
    // Each message is counted for itself.
    let mut end = limited(10, Delivery::Messages);
    for _ in 0..5 {
        let payload = [&[0x00, 0x00, 0x00, 0xff, 0xff].repeat(40_000)[..], &[0]].concat();
        assert_eq!(end.receive(&binary_frame(&payload), usize::MAX).unwrap().len(), 1);
    }
}

/// What a compressor makes of data that it cannot compress is never too much.
#[test]
fn what_a_compressor_makes_is_not_too_much() {
    for length in [0, 1, 1_000, 100_000, 1_000_000] {
        for level in [0, 1, 6, 9] {
            let mut stream = Compress::new(Compression::new(level), false);
            // Each kilobyte flushed by itself.
            let data = noise(length);
            let mut frames = frame(0x42, b"");
            for part in data.chunks(1_000) {
                frames.extend(frame(0x00, &flushed(&mut stream, part)));
            }
            frames.extend(frame(0x80, b"\0"));
            let mut end = limited(length as u64, Delivery::Messages);
            assert_eq!(end.receive(&frames, usize::MAX).unwrap().len(), 1, "{length}, {level}");
        }
    }
}

/// Blocks without data inflate to nothing, however many there are.
#[test]
fn empty_blocks_cost_nothing() {
    for block in
        [&[0x00, 0x00, 0x00, 0xff, 0xff][..], &[0x03, 0x00], &[0x01, 0x00, 0x00, 0xff, 0xff]]
    {
        let payload = [&block.repeat(20_000)[..], &[0]].concat();
        for delivery in DELIVERIES {
            let mut end = limited(0, delivery);
            let seen = end.receive(&binary_frame(&payload), 1_000).unwrap();
            assert_eq!(seen.len(), 1);
            assert!(end.input.capacity() <= 128 << 10);
        }
    }
}
