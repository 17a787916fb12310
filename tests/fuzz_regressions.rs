//! What fuzzing found, each with the rule that was broken. The targets are in `fuzz/`.

use std::time::{Duration, Instant};

#[cfg(feature = "deflate")]
use sansock::deflate::DeflateConfig;
#[cfg(feature = "deflate")]
use sansock::handshake::Established;
use sansock::split::Receiver;
use sansock::{
    Config, Connection, ProtocolError, ReceiveBuffer, Role, SendBuffer, State, Timeouts,
};
#[cfg(feature = "deflate")]
use sansock::{Delivery, Event, Limits};
#[cfg(feature = "deflate")]
use testkit::masks::FixedKey;

/// The error of a stream that arrives in pieces of `step` bytes.
fn error(bytes: &[u8], role: Role, step: usize) -> Option<ProtocolError> {
    let (mut receiver, mut buffer) = (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
    bytes.chunks(step).find_map(|piece| {
        buffer.extend_from_slice(piece);
        receiver.advance(&mut buffer).err()
    })
}

/// A client's receiver that has negotiated permessage-deflate.
#[cfg(feature = "deflate")]
fn inflating(config: &Config) -> Receiver {
    let deflate = DeflateConfig::client().as_negotiated();
    let established = Established::after_handshake(Role::Client, None).with_deflate(deflate);
    established.connection_with(config, FixedKey).split().0
}

/// Found by `receive`: a header that breaks two rules gave another error when it came byte by byte
/// than when it came at once.
#[test]
fn a_header_that_breaks_several_rules_gives_one_error_however_it_arrives() {
    use ProtocolError::*;
    for (bytes, role, expected) in [
        // A server's frame, masked, its length with the top bit: found as this.
        (&b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..], Role::Client, Masked),
        (b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", Role::Server, Unmasked),
        (b"\x82\xfe\x00\x05", Role::Client, Masked),
        (b"\x89\x7e\x00\x7e", Role::Server, ControlTooLong),
        (b"\xc9\xfe\x00\x7e", Role::Server, ReservedBits(0xc9)),
        (b"\x49\x85", Role::Server, FragmentedControl),
        (b"\x80\xfe\x00\x05", Role::Server, UnexpectedContinuation),
    ] {
        for step in 1..=bytes.len() {
            assert_eq!(error(bytes, role, step), Some(expected), "{bytes:x?} by {step}");
        }
    }
}

/// Found by `inflate`: with the bytes one by one a message was too large, or not UTF-8, before its
/// compression was wrong; at once it was the other way round.
#[cfg(feature = "deflate")]
#[test]
fn a_compressed_message_with_several_faults_gives_the_first_however_it_arrives() {
    for (bytes, limit, expected) in [
        // "fP", then a reference to what is not there.
        (
            &b"\xc1\x08\x4a\x0b\x00\x00\x07\x41\xf2\xcd"[..],
            1,
            ProtocolError::MessageTooLarge { limit: 1 },
        ),
        (b"\xc1\x08\x4a\x0b\x00\x00\x07\x41\xf2\xcd", 2, ProtocolError::InvalidDeflate),
        // Bytes that are no text, then the same.
        (b"\xc1\x0b\x4a\x4c\x04\x82\x0d\x24\x10\x48\x06\x01\x00", 100, ProtocolError::InvalidUtf8),
        (
            b"\xc2\x0b\x4a\x4c\x04\x82\x0d\x24\x10\x48\x06\x01\x00",
            100,
            ProtocolError::InvalidDeflate,
        ),
    ] {
        for step in 1..=bytes.len() {
            let config = Config::new().limits(Limits::new().message(limit));
            let (mut receiver, mut buffer) = (inflating(&config), ReceiveBuffer::new());
            let error = bytes.chunks(step).find_map(|piece| {
                buffer.extend_from_slice(piece);
                receiver.advance(&mut buffer).err()
            });
            assert_eq!(error, Some(expected), "{bytes:x?} by {step}");
        }
    }
}

/// Found by `inflate`: a final block that ends within the tail that the receiver appends (RFC 7692,
/// 7.2.2) was followed by another, which the rest of the tail began, or was not, depending on how
/// much came out at a time. It was cut off, so the message is not whole.
#[cfg(feature = "deflate")]
#[test]
fn a_final_block_that_ends_in_the_appended_tail_was_cut_off() {
    let payload =
        b"\xec\xc1\x31\x01\x00\x00\x00\xc2\xa0\xf5\x4f\x6d\x0d\x0f\xa0\x00\x00\x00\x00\x00\
          \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
          \x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x00\x00\x00\x00\xc8\
          \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
          \x00\x00\x00\x00\x00\x00\x80\x57\x6e\x03";
    let length = u8::try_from(payload.len()).unwrap();
    let frame = [&[0xc2, length], &payload[..]].concat();
    for delivery in [Delivery::Messages, Delivery::Chunks] {
        for step in [1, 7, frame.len()] {
            let config = Config::new().delivery(delivery);
            let (mut receiver, mut buffer) = (inflating(&config), ReceiveBuffer::new());
            let mut outcome = Ok(false);
            for piece in frame.chunks(step) {
                buffer.extend_from_slice(piece);
                outcome = receiver.advance(&mut buffer);
                while let Ok(true) = outcome {
                    assert!(matches!(buffer.event(), Some(Event::Chunk { fin: false, .. })));
                    outcome = receiver.advance(&mut buffer);
                }
            }
            assert_eq!(outcome, Err(ProtocolError::InvalidDeflate), "{delivery:?} by {step}");
        }
    }
}

/// Found by `connection`: each call of `advance` counted as use while a message in one frame was still
/// arriving, so a loop that calls it between two looks at the time kept an idle connection forever.
#[test]
fn a_message_that_stops_arriving_does_not_keep_an_idle_connection_open() {
    let second = Duration::from_secs(1);
    let timeouts = Timeouts::none().idle(second);
    let mut connection = Connection::server(&Config::new().timeouts(timeouts));
    let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    let start = Instant::now();
    // The start of a message of 126 bytes.
    input.extend_from_slice(b"\x82\xfe\x00\x7e\0\0\0\0 and no more");
    for milliseconds in [0, 1_000, 1_100] {
        assert_eq!(connection.state(), State::Open);
        assert_eq!(connection.advance(&mut input, &mut output), Ok(false));
        let now = start + Duration::from_millis(milliseconds);
        assert_eq!(connection.handle_timeout(now, &mut output), Ok(()));
    }
    assert_eq!(connection.state(), State::Closing);
    assert_eq!(output.as_slice(), b"\x88\x02\x03\xe9");
}
