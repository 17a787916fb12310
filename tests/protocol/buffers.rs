//! A receive buffer belongs to the program, which may give it to another connection.

use std::ops::RangeInclusive;

use sansock::handshake::Established;
use sansock::split::{Receiver, Sender};
use sansock::{Config, Delivery, Event, Message, ReceiveBuffer, Role, SendBuffer};

use crate::splits::Numbers;
use crate::wire::{
    BINARY, BOTH, CONTINUATION, FIN, FixedKey, PING, Seen, TEXT, close_frame, frame, raw_header,
    text,
};

fn next(receiver: &mut Receiver, buffer: &mut ReceiveBuffer, bytes: &[u8]) -> Option<Seen> {
    buffer.extend_from_slice(bytes);
    receiver.next_event(buffer).unwrap().map(Seen::from)
}

/// An idle buffer can serve any connection, even in the middle of the last one's message.
#[test]
fn an_idle_buffer_serves_another_connection() {
    let config = Config::new();
    let chunks = config.delivery(Delivery::Chunks);
    for role in BOTH {
        let amid: [(Config, Vec<u8>); 6] = [
            (config, frame(role, BINARY, b"")),
            (config, frame(role, TEXT, b"")),
            (config, [frame(role, BINARY, b""), frame(role, CONTINUATION, b"")].concat()),
            (chunks, frame(role, BINARY, b"a piece\xFF")),
            (chunks, frame(role, TEXT, b"a piece")),
            (config, crate::wire::header(role, FIN | BINARY, 10)),
        ];
        for (config, start) in amid {
            let (mut first, mut buffer) = (Receiver::new(role, &config), ReceiveBuffer::new());
            buffer.extend_from_slice(&start);
            while first.advance(&mut buffer).unwrap() {}
            assert!(buffer.is_idle(), "{start:02x?}");

            let mut second = Receiver::new(role, &Config::new());
            let whole = frame(role, FIN | TEXT, "hé".as_bytes());
            assert_eq!(next(&mut second, &mut buffer, &whole), Some(text("hé")), "{start:02x?}");
            let fragments =
                [frame(role, TEXT, b"h\xC3"), frame(role, FIN | CONTINUATION, b"\xA9")].concat();
            assert_eq!(next(&mut second, &mut buffer, &fragments), Some(text("hé")));
            second.advance(&mut buffer).unwrap();
            assert!(buffer.is_idle());
        }
    }
}

#[test]
fn a_buffer_that_holds_something_is_not_idle() {
    let held = [
        (Config::new(), b"\x81".to_vec()),
        (Config::new(), b"\x81\x05Hel".to_vec()),
        (Config::new(), b"\x01\x03Hel".to_vec()),
        (Config::new(), b"\x89\x05Hel".to_vec()),
        (Config::new().delivery(Delivery::Chunks), b"\x81\x03\xE2\x82".to_vec()),
        (Config::new(), b"\x82\x7E\xFF\xFF".to_vec()),
    ];
    for (config, bytes) in held {
        let (mut receiver, mut buffer) =
            (Receiver::new(Role::Client, &config), ReceiveBuffer::new());
        assert_eq!(next(&mut receiver, &mut buffer, &bytes), None);
        assert!(!buffer.is_idle(), "{bytes:02x?}");
        buffer.release();
        assert!(buffer.capacity() > 0, "{bytes:02x?}: nothing is lost");
    }
    let (mut receiver, mut buffer) =
        (Receiver::new(Role::Client, &Config::new()), ReceiveBuffer::new());
    buffer.extend_from_slice(b"\x81\x05Hello");
    assert!(receiver.advance(&mut buffer).unwrap());
    assert!(!buffer.is_idle(), "the event lies in it");
    buffer.release();
    assert!(buffer.is_idle());
    assert_eq!(buffer.capacity(), 0);
}

/// Reads as much as the buffer asks for, until an event is lent or no bytes are left.
fn arrives(receiver: &mut Receiver, buffer: &mut ReceiveBuffer, bytes: &mut &[u8]) -> bool {
    loop {
        if receiver.advance(buffer).unwrap() {
            return true;
        }
        if bytes.is_empty() {
            return false;
        }
        assert!(buffer.spare_mut().len() <= Config::READ_SIZE);
        buffer.read_from(bytes).unwrap();
    }
}

/// With short messages a read brings many. After a long one it brings the next one and the headers
/// around it, so that it need not be moved; or, if that is too long, little more than its header.
#[test]
fn a_read_is_as_long_as_what_is_expected_next() {
    // The header of a length of 16 bits, which one of 64 bits exceeds by 6 bytes.
    for (role, header) in [(Role::Server, 8), (Role::Client, 4)] {
        for (length, expected) in [
            (0, None),
            (125, None),
            (4_096, None),
            (4_097, Some(4_097 + 2 * header)),
            (20_000, Some(20_000 + 2 * header)),
            (65_535, Some(65_535 + 2 * header)),
            (65_536, Some(65_536 + 2 * (header + 6))),
            (131_040, Some(131_040 + 2 * (header + 6))),
            (131_041, Some(256)),
            (1 << 20, Some(256)),
        ] {
            let (mut receiver, mut buffer) =
                (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
            let message = frame(role, FIN | BINARY, &vec![7; length]);
            // The first message arrives in pieces, the later ones whole.
            for _ in 0..3 {
                assert!(arrives(&mut receiver, &mut buffer, &mut &message[..]), "{length}");
                assert!(!receiver.advance(&mut buffer).unwrap());
                match expected {
                    Some(expected) => assert_eq!(buffer.spare_mut().len(), expected, "{length}"),
                    None => assert!(buffer.spare_mut().len() >= 4_092, "{length}"),
                }
            }
            // A short message ends the expectation.
            let short = frame(role, FIN | BINARY, b"short");
            assert!(arrives(&mut receiver, &mut buffer, &mut &short[..]));
            assert!(!receiver.advance(&mut buffer).unwrap());
            assert!(buffer.spare_mut().len() >= 4_092, "{length}");
        }
    }
}

/// A message in fragments is followed by a read for one alike; or, if that is too long for one read
/// and its fragments are long, by reads for little more than their headers.
#[test]
fn a_read_is_as_long_as_the_fragments_that_are_expected_next() {
    const MOST: usize = 32 << 10;
    const MANY: RangeInclusive<usize> = 4_000..=MOST;
    for (length, count, within, after) in [
        (1_000, 3, MANY, MANY),
        (30_000, 3, MANY, 30_042..=30_042),
        (100_000, 3, 256..=256, 100_042..=100_042),
        (1 << 20, 3, 256..=256, 256..=256),
        (1 << 20, 512, MANY, MANY),
    ] {
        for role in BOTH {
            let (mut receiver, mut buffer) =
                (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
            let payload = vec![7; length];
            let fragments: Vec<&[u8]> = payload.chunks(length.div_ceil(count)).collect();
            for (i, fragment) in fragments.iter().enumerate() {
                let first = if i == 0 { BINARY } else { CONTINUATION };
                let is_last = i + 1 == fragments.len();
                let frame = frame(role, if is_last { FIN | first } else { first }, fragment);
                assert_eq!(arrives(&mut receiver, &mut buffer, &mut &frame[..]), is_last);
                assert!(!receiver.advance(&mut buffer).unwrap());
                let (read, expected) =
                    (buffer.spare_mut().len(), if is_last { &after } else { &within });
                assert!(expected.contains(&read), "{length}, fragment {i}: {read}");
            }
        }
    }
}

/// The missing bytes of a long message or fragment are read straight into the message; a read for
/// those of a short one may also bring the next frames.
#[test]
fn a_long_rest_is_read_alone() {
    const ARRIVED: usize = 100;
    for (first, length, alone) in [
        (FIN | BINARY, 4_096, false),
        (FIN | BINARY, 4_097, true),
        (FIN | BINARY, 30_000, true),
        (BINARY, 5_000, false),
        (BINARY, ARRIVED + (16 << 10) - 1, false),
        (BINARY, ARRIVED + (16 << 10), true),
        (BINARY, 30_000, true),
    ] {
        for role in BOTH {
            let (mut receiver, mut buffer) =
                (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
            let bytes = frame(role, first, &vec![7; length]);
            let header = bytes.len() - length;
            buffer.extend_from_slice(&bytes[..header + ARRIVED]);
            assert!(!receiver.advance(&mut buffer).unwrap());
            let read = buffer.spare_mut().len();
            assert_eq!(read == length - ARRIVED, alone, "{length} of {first:02x}: {read}");
            assert_eq!(
                arrives(&mut receiver, &mut buffer, &mut &bytes[header + ARRIVED..]),
                first & FIN != 0
            );
        }
    }
}

/// A program that mixes up its connections gets nonsense, but never a `&str` that is not UTF-8.
/// Here each piece of a frame goes into a random buffer and to a random receiver.
#[test]
fn text_is_utf8_even_if_buffers_are_mixed_up() {
    let mut numbers = Numbers::new(81);
    let (plain, chunks) = (Config::new(), Config::new().delivery(Delivery::Chunks));
    let kinds = [
        (Role::Client, plain),
        (Role::Client, plain),
        (Role::Client, chunks),
        (Role::Server, plain),
        (Role::Server, chunks),
    ];
    let mut receivers = kinds.map(|(role, config)| Receiver::new(role, &config));
    let mut buffers: [_; 3] = std::array::from_fn(|_| ReceiveBuffer::new());
    let payloads: [&[u8]; 9] = [
        b"",
        b"a",
        "é".as_bytes(),
        "€".as_bytes(),
        "💩💩💩".as_bytes(),
        b"\xE2\x82",
        b"\xAC",
        b"\x01\x7E\xE2\x82\xAC\xC2",
        "ébetween".as_bytes(),
    ];
    let (mut texts, mut errors) = (0, 0);
    for _ in 0..10_000 {
        let role = BOTH[numbers.below(2)];
        let first = [TEXT, FIN | TEXT, BINARY, FIN, CONTINUATION, FIN | BINARY, PING];
        let payload = payloads[numbers.below(payloads.len())];
        let bytes = match numbers.below(30) {
            0 => frame(role, FIN | TEXT, "€".repeat(8_000).as_bytes()),
            1 => raw_header(role, FIN | TEXT, 126, &[0x40, 0]),
            2 => close_frame(role, 1000, payload),
            3 => "€€é".repeat(1 + numbers.below(3_000)).into_bytes(),
            _ => frame(role, first[numbers.below(first.len())], payload),
        };
        for piece in numbers.cut(&bytes, 1 + bytes.len()) {
            let buffer = &mut buffers[numbers.below(3)];
            buffer.extend_from_slice(piece);
            let chosen = numbers.below(kinds.len());
            loop {
                let event = match receivers[chosen].next_event(buffer) {
                    Ok(Some(event)) => event,
                    Ok(None) => break,
                    Err(_) => {
                        errors += 1;
                        receivers[chosen] = Receiver::new(kinds[chosen].0, &kinds[chosen].1);
                        // Unreadable bytes would stay in front forever.
                        *buffer = ReceiveBuffer::new();
                        break;
                    }
                };
                let text = match event {
                    Event::Message(Message::Text(text))
                    | Event::Chunk { data: Message::Text(text), .. } => text,
                    Event::Close(close) => close.reason,
                    _ => continue,
                };
                texts += 1;
                let bytes = std::hint::black_box(text.as_bytes());
                assert!(std::str::from_utf8(bytes).is_ok(), "{bytes:02x?}");
            }
            if receivers[chosen].is_closed() {
                receivers[chosen] = Receiver::new(kinds[chosen].0, &kinds[chosen].1);
            }
        }
    }
    assert!(texts > 200 && errors > 200, "{texts} texts, {errors} errors: too few to tell");
}

/// Only the number of the waiting bytes is shown.
#[test]
fn debug_output_shows_no_payload_that_waits() {
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(b"\x81\x06secret");
    let mut connection =
        Established::after_handshake(Role::Client, None).connection_with(&Config::new(), FixedKey);
    assert!(format!("{input:?}").contains("unread: 8"), "{input:?}");
    let (mut sender, mut output) = (Sender::client(&Config::new(), FixedKey), SendBuffer::new());
    sender.send_fragment("secret", false, &mut output).unwrap();
    assert!(format!("{sender:?}").contains("message: Some(Text), state: Open"), "{sender:?}");
    for text in [format!("{input:?}{connection:?}"), format!("{sender:?}{output:?}")] {
        assert!(!text.contains("secret") && !text.contains("115, 101"), "{text}");
    }
    assert!(connection.advance(&mut input, &mut output).unwrap());
    assert!(format!("{input:?}").contains("unread: 0"), "{input:?}");
}
