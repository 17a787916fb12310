//! Compressed messages that arrive (RFC 7692, 6.2 and 7.2.2).

use flate2::{Compress, Compression, FlushCompress};
use sansock::handshake::Established;
use sansock::{Config, Delivery, MessageKind, ProtocolError, Role};
use testkit::masks::Keys;

use crate::wire::{
    End, FORGOTTEN, KEPT, Seen, binary_frame, deflated, flushed, frame, json, noise, text,
    text_frame, ways,
};

/// "Hello" in one block with fixed codes.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// What comes of these frames is the same however they are cut.
fn assert_seen(frames: &[u8], expected: &[Seen]) {
    for (config, deflate) in ways() {
        for step in (1..=frames.len().min(40)).chain([frames.len()]) {
            let mut end = End::new(Role::Client, &config, deflate);
            let seen = end.receive(frames, step);
            assert_eq!(seen.as_deref(), Ok(expected), "{deflate:?} {frames:02x?} by {step}");
        }
    }
}

#[test]
fn the_examples_of_section_7_2_3() {
    for payload in [
        // 7.2.3.1 "A Message Compressed Using One Compressed DEFLATE Block"
        &HELLO[..],
        // 7.2.3.3 "Using a DEFLATE Block with No Compression"
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        // 7.2.3.4 "Using a DEFLATE Block with "BFINAL" Set to 1"
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        // 7.2.3.5 "Two DEFLATE Blocks in One Message"
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        assert_seen(&text_frame(payload), &[text("Hello")]);
        assert_seen(&text_frame(payload).repeat(3), &[text("Hello"), text("Hello"), text("Hello")]);
    }
    // 7.2.3.1, fragmented
    let fragments = [&[0x41, 0x03, 0xf2, 0x48, 0xcd][..], &[0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00]];
    assert_seen(&fragments.concat(), &[text("Hello")]);
    // 7.2.3.6 "Generating an Empty Fragment"
    assert_seen(&text_frame(&[0x00]), &[text("")]);
}

#[test]
fn the_window_goes_over_to_the_next_message() {
    // 7.2.3.2 "Sharing LZ77 Sliding Window"
    let frames = [text_frame(&HELLO), text_frame(&[0xf2, 0x00, 0x11, 0x00, 0x00])].concat();
    for step in 1..=frames.len() {
        let seen = End::client(KEPT).receive(&frames, step);
        assert_eq!(seen, Ok(vec![text("Hello"), text("Hello")]), "{step}");
        let mut end = End::client(FORGOTTEN);
        assert_eq!(end.receive(&frames, step), Err(ProtocolError::InvalidDeflate));
    }
}

#[test]
fn messages_that_are_not_compressed_come_in_between() {
    let frames = [
        frame(0x81, b"plain"),
        text_frame(&HELLO),
        frame(0x82, &[0xFF]),
        frame(0x81, b""),
        text_frame(&[0x00]),
        text_frame(&HELLO),
    ];
    let binary = Seen::Message(MessageKind::Binary, vec![0xFF]);
    let expected = [text("plain"), text("Hello"), binary, text(""), text(""), text("Hello")];
    assert_seen(&frames.concat(), &expected);
}

#[test]
fn control_frames_come_in_between() {
    let frames = [
        frame(0x41, &HELLO[..1]),
        frame(0x89, b"ping"),
        frame(0x00, &HELLO[1..4]),
        frame(0x8A, b""),
        frame(0x00, b""),
        frame(0x80, &HELLO[4..]),
        frame(0x88, b"\x03\xe8"),
    ];
    let expected =
        [Seen::Ping(b"ping".to_vec()), Seen::Pong(Vec::new()), text("Hello"), Seen::Close];
    for step in 1..40 {
        let mut end = End::client(KEPT);
        assert_eq!(end.receive(&frames.concat(), step).as_deref(), Ok(&expected[..]));
        // In pieces, what came before the Ping is handed over before it.
        let mut end = End::new(Role::Client, &Config::new().delivery(Delivery::Chunks), KEPT);
        let seen = end.receive(&frames.concat(), step).unwrap();
        let of_text = |seen: &Seen| match seen {
            Seen::Pieces(_, bytes) | Seen::Message(_, bytes) => bytes.clone(),
            _ => Vec::new(),
        };
        assert_eq!(seen.iter().flat_map(of_text).collect::<Vec<_>>(), b"Hello");
        assert_eq!(seen.iter().filter(|it| of_text(it).is_empty()).count(), 3);
    }
}

#[test]
fn a_fragment_may_be_cut_anywhere_and_be_empty() {
    let message = json(3_000);
    let payload = deflated(message.as_bytes());
    let expected = [text(&message)];
    for cut in (0..payload.len()).step_by(7) {
        let (first, second) = payload.split_at(cut);
        let frames = [frame(0x41, first), frame(0x00, b""), frame(0x80, second)].concat();
        for (config, deflate) in ways() {
            let mut end = End::new(Role::Client, &config, deflate);
            assert_eq!(end.receive(&frames, frames.len()).as_deref(), Ok(&expected[..]), "{cut}");
        }
    }
    let frames = [frame(0x41, b""), frame(0x00, b""), frame(0x00, &payload), frame(0x80, b"")];
    assert_seen(&frames.concat(), &expected);
}

/// The tail that a sender should have removed, or a stream that ends: what comes next is not
/// broken.
#[test]
fn with_and_without_the_tail_and_with_final_blocks() {
    let tail = [0x00, 0x00, 0xff, 0xff];
    let finished = |data: &[u8]| {
        let mut bytes = Vec::with_capacity(1_000);
        let mut stream = Compress::new(Compression::default(), false);
        stream.compress_vec(data, &mut bytes, FlushCompress::Finish).unwrap();
        bytes
    };
    let (hello, world) = (finished(b"Hello"), finished(b" world"));
    for (payload, message) in [
        (deflated(b"Hello"), "Hello"),
        ([&deflated(b"Hello")[..], &tail].concat(), "Hello"),
        (hello.clone(), "Hello"),
        ([&hello[..], &[0]].concat(), "Hello"),
        ([&hello[..], &[0], &tail].concat(), "Hello"),
        ([&hello[..], &tail].concat(), "Hello"),
        ([&hello[..], &world].concat(), "Hello world"),
        ([&hello[..], &deflated(b" world")].concat(), "Hello world"),
        ([&hello[..], &deflated(b" world"), &tail].concat(), "Hello world"),
        ([&deflated(b"Hello")[..], &tail, &world].concat(), "Hello world"),
        ([&hello[..], &world, &deflated(b"")].concat(), "Hello world"),
        (finished(b""), ""),
        (finished(b"").repeat(100), ""),
        ([&[0][..], &tail].concat(), ""),
        // No data at all: no block either, but nothing that would be wrong.
        (Vec::new(), ""),
    ] {
        let frames = [text_frame(&payload), text_frame(&HELLO), text_frame(&payload)].concat();
        assert_seen(&frames, &[text(message), text("Hello"), text(message)]);
        let fragments: Vec<u8> = payload.iter().flat_map(|byte| frame(0x00, &[*byte])).collect();
        let frames = [frame(0x41, b""), fragments, frame(0x80, b""), text_frame(&HELLO)].concat();
        assert_seen(&frames, &[text(message), text("Hello")]);
    }
}

#[test]
fn a_final_block_is_followed_by_messages_that_refer_to_what_came_after_it() {
    let mut finished = Vec::with_capacity(1_000);
    let mut stream = Compress::new(Compression::default(), false);
    stream.compress_vec(b"first", &mut finished, FlushCompress::Finish).unwrap();
    let mut stream = Compress::new(Compression::default(), false);
    let long = json(500);
    let second = flushed(&mut stream, long.as_bytes());
    let third = flushed(&mut stream, long.as_bytes());
    assert!(third.len() < 20);
    let without_tail = |bytes: &[u8]| bytes[..bytes.len() - 4].to_vec();
    let frames = [
        text_frame(&[&finished[..], &without_tail(&second)].concat()),
        text_frame(&without_tail(&third)),
    ];
    let seen = End::client(KEPT).receive(&frames.concat(), 10);
    assert_eq!(seen, Ok(vec![text(&format!("first{long}")), text(&long)]));
}

#[test]
fn reserved_bits_are_for_the_first_frame_of_a_message() {
    let rsv1 = ProtocolError::ReservedBits;
    for (before, first, error) in [
        // "An endpoint MUST NOT set" it on control frames and non-first fragments (6.1).
        (&[][..], 0xC9, rsv1(0xC9)),
        (&[], 0xCA, rsv1(0xCA)),
        (&[], 0xC8, rsv1(0xC8)),
        (&[0x41, 0x00], 0xC0, rsv1(0xC0)),
        (&[0x41, 0x00], 0x40, rsv1(0x40)),
        (&[0x01, 0x00], 0xC0, rsv1(0xC0)),
        (&[], 0xE1, rsv1(0xE1)),
        (&[], 0xD2, rsv1(0xD2)),
        (&[], 0xA1, rsv1(0xA1)),
        (&[], 0xC0, rsv1(0xC0)),
        (&[0x41, 0x00], 0xC1, ProtocolError::ExpectedContinuation),
        (&[0x41, 0x00], 0x81, ProtocolError::ExpectedContinuation),
        (&[], 0xC3, ProtocolError::ReservedOpcode(3)),
    ] {
        // The first byte tells.
        let bytes = [before, &[first]].concat();
        for step in 1..=bytes.len() {
            let mut end = End::client(KEPT);
            assert_eq!(end.receive(&bytes, step), Err(error), "{bytes:02x?}");
        }
        let mut end = End::new(Role::Server, &Config::new(), KEPT);
        let before =
            if before.is_empty() { Vec::new() } else { [before[0], 0x80, 0, 0, 0, 0].to_vec() };
        assert_eq!(end.receive(&[&before[..], &[first]].concat(), 1), Err(error));
        assert_eq!(end.close_code(), 1002);
    }
}

#[test]
fn a_compressed_message_needs_the_extension() {
    for role in [Role::Client, Role::Server] {
        let connection =
            Established::after_handshake(role, None).connection_with(&Config::new(), Keys(1));
        let mut end = End { connection, ..End::new(role, &Config::new(), KEPT) };
        assert_eq!(end.receive(&[0xC1], 1), Err(ProtocolError::ReservedBits(0xC1)));
    }
}

#[test]
fn what_is_no_deflate_fails_with_1007() {
    for payload in [
        // A block of the reserved type (RFC 1951, 3.2.3).
        &[0x06][..],
        &[0xFF, 0xFF],
        // A stored block whose length does not match its complement.
        &[0x00, 0x01, 0x00, 0x01, 0x00, 0x41],
        // A distance beyond the first byte.
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        // Behind a final block.
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x07],
    ] {
        for fragments in [text_frame(payload), binary_frame(payload)] {
            for (config, deflate) in ways() {
                for step in 1..=fragments.len() {
                    let mut end = End::new(Role::Client, &config, deflate);
                    let seen = end.receive(&fragments, step);
                    assert_eq!(seen, Err(ProtocolError::InvalidDeflate), "{payload:02x?}");
                    let again = end.receive(&text_frame(&HELLO), 100);
                    assert_eq!(again, Err(ProtocolError::InvalidDeflate));
                }
            }
        }
        let mut masked = vec![0xC1, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
        masked.extend(payload);
        let mut end = End::new(Role::Server, &Config::new(), KEPT);
        assert_eq!(end.receive(&masked, 100), Err(ProtocolError::InvalidDeflate));
        assert_eq!(end.close_code(), 1007);
    }
}

/// It is not waited for the end of the frame, let alone of the message.
#[test]
fn text_that_is_not_utf_8_fails_at_once() {
    let bad = [&json(1_000).into_bytes()[..], b"\xff", &noise(4_000)].concat();
    let mut stream = Compress::new(Compression::default(), false);
    let payload = [flushed(&mut stream, &bad[..1_001]), flushed(&mut stream, &bad[1_001..])];
    let enough = payload[0].len();
    let payload = payload.concat();
    for frames in [text_frame(&payload), frame(0x41, &payload)] {
        let header = frames.len() - payload.len();
        for (config, deflate) in ways() {
            let mut end = End::new(Role::Client, &config, deflate);
            let seen = end.receive(&frames[..header + enough], 10);
            assert_eq!(seen, Err(ProtocolError::InvalidUtf8));
        }
    }
    for (config, deflate) in ways() {
        // A message that ends inside a character.
        let payload = deflated(b"snowman \xe2\x98");
        let mut end = End::new(Role::Client, &config, deflate);
        assert_eq!(end.receive(&text_frame(&payload), 3), Err(ProtocolError::InvalidUtf8));
        // Binary may be anything.
        let mut end = End::new(Role::Client, &config, deflate);
        let seen = end.receive(&binary_frame(&deflated(&bad)), 100);
        assert_eq!(seen, Ok(vec![Seen::Message(MessageKind::Binary, bad.clone())]));
    }
}

#[test]
fn characters_may_be_cut_by_frames_and_pieces() {
    let message = "añ日本語🍒".repeat(30_000);
    let payload = deflated(message.as_bytes());
    let mut frames = frame(0x41, b"");
    payload.chunks(5).for_each(|piece| frames.extend(frame(0x00, piece)));
    frames.extend(frame(0x80, b""));
    for (config, deflate) in ways() {
        let mut end = End::new(Role::Client, &config, deflate);
        assert_eq!(end.receive(&frames, 11), Ok(vec![text(&message)]));
        assert_eq!(end.receive(&text_frame(&payload), usize::MAX), Ok(vec![text(&message)]));
    }
}

/// What is inflated fills the memory for it again and again, to the byte or not.
#[test]
fn the_last_piece_comes_when_no_bytes_are_left() {
    let config = Config::new().delivery(Delivery::Chunks);
    for length in (4_090..4_100).chain(65_530..65_540).chain([131_072, 1_000_000]) {
        let message = vec![b'a'; length];
        let frames = binary_frame(&deflated(&message)).repeat(2);
        let mut end = End::new(Role::Client, &config, KEPT);
        let seen = end.receive(&frames, usize::MAX);
        let expected = Seen::Message(MessageKind::Binary, message);
        assert_eq!(seen, Ok(vec![expected.clone(), expected]), "{length}");
    }
}

#[test]
fn pieces_are_handed_over_as_they_arrive() {
    let config = Config::new().delivery(Delivery::Chunks);
    let mut end = End::new(Role::Client, &config, KEPT);
    let mut stream = Compress::new(Compression::default(), false);
    let pieces = [json(100), json(70_000), json(5)];
    let mut seen = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        let payload = flushed(&mut stream, piece.as_bytes());
        let first = if i == 0 { 0x41 } else { 0x00 };
        seen = end.receive(&frame(first, &payload), usize::MAX).unwrap();
        assert_eq!(seen, [Seen::Pieces(MessageKind::Text, piece.clone().into_bytes())]);
    }
    assert_eq!(seen.len(), 1);
    assert_eq!(end.receive(&frame(0x80, &[0]), 1), Ok(vec![text("")]));
}
