//! Messages that end too early.

use flate2::{Compress, Compression, Decompress, FlushDecompress, Status};
use sansock::{Config, Delivery, ProtocolError, Role};

use crate::wire::{End, FORGOTTEN, KEPT, binary_frame, flushed, json, noise};

const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// Whether `payload` ends between two blocks: behind its tail a final block without data ends the
/// stream, and nothing comes out.
fn ends_between_blocks(window: &[u8], payload: &[u8]) -> bool {
    let mut stream = Decompress::new(false);
    let mut output = vec![0; 1 << 20];
    let mut inflate = |input: &[u8]| {
        let before = (stream.total_in(), stream.total_out());
        let status = stream.decompress(input, &mut output, FlushDecompress::None).ok()?;
        Some((status, stream.total_in() - before.0, stream.total_out() - before.1))
    };
    if !window.is_empty() {
        assert!(inflate(&[window, &TAIL].concat()).is_some());
    }
    inflate(payload).is_some()
        && inflate(&TAIL) == Some((Status::Ok, 4, 0))
        && inflate(&[1, 0, 0, 0xFF, 0xFF]) == Some((Status::StreamEnd, 5, 0))
}

/// Half a message is not delivered as a whole one, wherever it was cut.
#[test]
fn a_message_that_ends_inside_a_block_fails_with_1007() {
    let levels = [0, 1, 3, 6, 9];
    let texts = [json(700).into_bytes(), noise(400), vec![0; 3_000], vec![b'a'; 70_000]];
    let (mut cut_off, mut whole) = (0, 0);
    for (level, text) in levels.into_iter().flat_map(|it| texts.iter().map(move |text| (it, text)))
    {
        for takeover in [KEPT, FORGOTTEN] {
            let mut stream = Compress::new(Compression::new(level), false);
            let [before, payload] = [b"the message before", &text[..]].map(|data| {
                if takeover == FORGOTTEN {
                    stream.reset();
                }
                let compressed = flushed(&mut stream, data);
                compressed[..compressed.len() - TAIL.len()].to_vec()
            });
            let window = if takeover == FORGOTTEN { &[][..] } else { &before };
            let step = payload.len().div_ceil(500);
            for end in (1..payload.len()).step_by(step).chain([payload.len()]) {
                let is_whole = ends_between_blocks(window, &payload[..end]);
                for delivery in [Delivery::Messages, Delivery::Chunks] {
                    let config = Config::new().delivery(delivery);
                    let mut receiver = End::new(Role::Client, &config, takeover);
                    let frames = [binary_frame(&before), binary_frame(&payload[..end])].concat();
                    let outcome = receiver.receive(&frames, usize::MAX);
                    let expected =
                        if is_whole { None } else { Some(ProtocolError::InvalidDeflate) };
                    assert_eq!(outcome.err(), expected, "level {level}, {end} of {payload:02x?}");
                    if is_whole { whole += 1 } else { cut_off += 1 }
                }
            }
        }
    }
    assert!(cut_off > 10_000 && whole >= 80, "{cut_off}, {whole}");
}

/// The tail that a sender did not remove ends a payload. The same bytes may be data of a block.
#[test]
fn the_bytes_of_the_tail_do_not_end_a_message_inside_a_block() {
    // A stored block with twice the bytes of the tail.
    let block = [&[0, 8, 0, 0xF7, 0xFF], &TAIL[..], &TAIL].concat();
    for takeover in [KEPT, FORGOTTEN] {
        for (payload, expected) in [
            (&block[..9], Some(ProtocolError::InvalidDeflate)),
            (&[&block[..], &[0]].concat(), None),
            (&[&block[..], &[0], &TAIL].concat(), None),
        ] {
            let mut receiver = End::new(Role::Client, &Config::new(), takeover);
            let outcome = receiver.receive(&binary_frame(payload), usize::MAX);
            assert_eq!(outcome.err(), expected, "{payload:02x?}");
        }
    }
}
