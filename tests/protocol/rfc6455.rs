//! The byte examples of RFC 6455, each driven through the reader and, where it can be, the writer.

use sansock::buffer::Unwritten;
use sansock::handshake::Established;
use sansock::{CloseCode, Config, Connection, Message, ReceiveBuffer, Role, SendBuffer, SendError};

use crate::wire::{
    BINARY, FIN, FixedKey, PING, Seen, TEXT, binary, close_frame, frame, receive, text,
};

fn connection(role: Role) -> Connection {
    Established::after_handshake(role, None).connection_with(&Config::new(), FixedKey)
}

/// What `from` writes.
fn written(
    from: Role,
    write: impl FnOnce(&mut Connection, &mut SendBuffer) -> Result<(), SendError>,
) -> Vec<u8> {
    let (mut connection, mut output) = (connection(from), SendBuffer::new());
    write(&mut connection, &mut output).unwrap();
    let mut bytes = Vec::new();
    output.write_to(&mut bytes).unwrap();
    bytes
}

/// What the peer of `from` sees.
fn read(from: Role, bytes: &[u8]) -> Vec<Seen> {
    let to = if from == Role::Client { Role::Server } else { Role::Client };
    let (seen, error) = receive(to, &Config::new(), [bytes]);
    assert_eq!(error, None, "{bytes:02x?}");
    seen
}

#[test]
fn section_5_7_an_unmasked_text_message() {
    let bytes = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(written(Role::Server, |server, output| server.send("Hello", output)), bytes);
    assert_eq!(read(Role::Server, &bytes), [text("Hello")]);
}

#[test]
fn section_5_7_a_masked_text_message() {
    let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(written(Role::Client, |client, output| client.send("Hello", output)), bytes);
    assert_eq!(read(Role::Client, &bytes), [text("Hello")]);
}

#[test]
fn section_5_7_a_fragmented_unmasked_text_message() {
    let bytes = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    let fragments = written(Role::Server, |server, output| {
        server.send_fragment("Hel", false, output)?;
        server.send_fragment("lo", true, output)
    });
    assert_eq!(fragments, bytes);
    assert_eq!(read(Role::Server, &bytes), [text("Hello")]);
}

#[test]
fn section_5_7_an_unmasked_ping_and_its_masked_pong() {
    let request = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    let reply = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(written(Role::Server, |server, output| server.ping(b"Hello", output)), request);
    assert_eq!(read(Role::Server, &request), [Seen::Ping(b"Hello".into())]);
    let answer = written(Role::Client, |client, output| {
        let mut input = ReceiveBuffer::new();
        input.extend_from_slice(&request);
        assert_eq!(client.advance(&mut input, output), Ok(true));
        Ok(())
    });
    assert_eq!(answer, reply);
    assert_eq!(written(Role::Client, |client, output| client.pong(b"Hello", output)), reply);
    assert_eq!(read(Role::Client, &reply), [Seen::Pong(b"Hello".into())]);
}

#[test]
fn section_5_7_256_bytes_in_an_unmasked_frame() {
    let payload: Vec<u8> = (0..=255).collect();
    let bytes = [&[0x82, 0x7E, 0x01, 0x00], &payload[..]].concat();
    assert_eq!(written(Role::Server, |server, output| server.send(&payload, output)), bytes);
    assert_eq!(read(Role::Server, &bytes), [binary(&payload)]);
}

#[test]
fn section_5_7_64_kib_in_an_unmasked_frame() {
    let payload: Vec<u8> = (0..=255).cycle().take(65_536).collect();
    let header = [0x82, 0x7F, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00];
    let bytes = [&header, &payload[..]].concat();
    assert_eq!(written(Role::Server, |server, output| server.send(&payload, output)), bytes);
    assert_eq!(read(Role::Server, &bytes), [binary(&payload)]);
}

/// "1000 (0x03E8)", network byte order; the reason follows it.
#[test]
fn section_5_5_1_the_body_of_a_close_frame() {
    let cases: [(Option<CloseCode>, &str, &[u8]); 4] = [
        (None, "", b"\x88\x00"),
        (Some(CloseCode::NORMAL), "", b"\x88\x02\x03\xE8"),
        (Some(CloseCode::GOING_AWAY), "bye", b"\x88\x05\x03\xE9bye"),
        (CloseCode::new(4999), "κ", b"\x88\x04\x13\x87\xCE\xBA"),
    ];
    for (code, reason, bytes) in cases {
        let close = |server: &mut Connection, output: &mut SendBuffer| {
            server.start_close(code, reason, output)
        };
        assert_eq!(written(Role::Server, close), bytes);
        let seen = Seen::Close(code.map(CloseCode::get), reason.into());
        assert_eq!(read(Role::Server, bytes), [seen]);
    }
}

/// The lengths at which 5.2 changes the form of a header, in both directions and types.
#[test]
fn section_5_2_payload_lengths() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        let letters: String = (b'a'..=b'z').map(char::from).cycle().take(length).collect();
        for (from, to) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let wire = frame(to, FIN | BINARY, &bytes);
            assert_eq!(written(from, |end, output| end.send(&bytes, output)), wire, "{length}");
            assert_eq!(read(from, &wire), [binary(&bytes)], "{from:?} {length}");
            let wire = frame(to, FIN | TEXT, letters.as_bytes());
            assert_eq!(written(from, |end, output| end.send(&letters, output)), wire, "{length}");
            assert_eq!(read(from, &wire), [text(&letters)], "{from:?} {length}");
        }
    }
}

/// "for a text message sent as three fragments, the first fragment would have an opcode of 0x1 and
/// a FIN bit clear, the second fragment would have an opcode of 0x0 and a FIN bit clear, and the
/// third fragment would have an opcode of 0x0 and a FIN bit that is set" (5.4); control frames "MAY
/// be injected in the middle".
#[test]
fn section_5_4_three_fragments_and_a_ping_between() {
    let bytes = b"\x01\x03one\x00\x03two\x89\x02hi\x80\x05three";
    let fragments = written(Role::Server, |server, output| {
        server.send_fragment("one", false, output)?;
        server.send_fragment("two", false, output)?;
        server.ping(b"hi", output)?;
        server.send_fragment("three", true, output)
    });
    assert_eq!(fragments, bytes);
    assert_eq!(read(Role::Server, bytes), [Seen::Ping(b"hi".into()), text("onetwothree")]);
}

/// "a fresh masking key" masks each frame (5.3), and the header announces what the key masks.
#[test]
fn section_6_1_a_payload_that_is_written_from_where_it_lies() {
    let payload = vec![b'x'; 300_000];
    for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let (mut end, mut output) = (connection(role), SendBuffer::new());
        end.ping(b"before", &mut output).unwrap();
        let mut written = Vec::new();
        let unwritten = end.send_in_place(&payload, &mut output).unwrap();
        assert!(unwritten.is_worth_a_write(Unwritten::WORTH_A_WRITE));
        unwritten.write_to(&mut written).unwrap();
        let frames = [frame(peer, PING, b"before"), frame(peer, FIN | BINARY, &payload)].concat();
        assert!(written == frames && output.is_empty(), "{role:?}");

        assert!(!end.is_message_in_progress());
        end.send_fragment(Message::Text("one"), false, &mut output).unwrap();
        assert!(end.is_message_in_progress());
        assert_eq!(end.send("two", &mut output), Err(SendError::MessageInProgress));
        let refused = end.send_in_place(&payload, &mut output).unwrap_err();
        assert_eq!(refused, SendError::MessageInProgress);
        assert_eq!(end.send_fragment(b"x", true, &mut output), Err(SendError::KindChanged));
        assert!(end.is_message_in_progress(), "what was refused changes nothing");
        end.send_fragment(Message::Text("two"), true, &mut output).unwrap();
        assert!(!end.is_message_in_progress());
    }
}

/// "If an endpoint receives a Close frame ... the endpoint MUST send a Close frame in response."
/// (5.5.1), which "typically echos the status code it received".
#[test]
fn section_5_5_1_the_answer_to_a_close_frame() {
    for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let answer = written(role, |end, output| {
            let mut input = ReceiveBuffer::new();
            input.extend_from_slice(&close_frame(role, 4000, b"a reason"));
            assert_eq!(end.advance(&mut input, output), Ok(true));
            Ok(())
        });
        assert_eq!(answer, close_frame(peer, 4000, b""));
    }
}

/// "Text" and "Binary" (5.6) are two things, whatever bytes they hold.
#[test]
fn section_5_6_text_is_not_binary() {
    assert_eq!(Message::Binary(b"text").as_text(), None);
    assert_eq!(Message::Text("text").as_text(), Some("text"));
    assert!(Message::Text("").is_empty() && !Message::Binary(b"\0").is_empty());
    assert_ne!(Message::Binary(b"text"), Message::Text("text"));
}

/// Text and bytes can be sent however the program holds them: owned, shared or borrowed.
#[test]
fn whatever_holds_text_or_bytes_can_be_sent() {
    use std::borrow::Cow;
    use std::sync::Arc;

    fn sends(message: impl sansock::AsMessage, expected: &[u8]) {
        assert_eq!(written(Role::Server, |end, output| end.send(message, output)), expected);
    }
    let hello = b"\x81\x05Hello";
    sends("Hello", hello);
    sends(String::from("Hello"), hello);
    let owned = String::from("Hello");
    sends(&owned, hello);
    sends(owned, hello);
    sends(Box::<str>::from("Hello"), hello);
    sends(Arc::<str>::from("Hello"), hello);
    sends(Cow::from("Hello"), hello);
    sends(sansock::OwnedMessage::from("Hello"), hello);
    sends(Message::Text("Hello"), hello);
    let hello = b"\x82\x05Hello";
    sends(*b"Hello", hello);
    sends(b"Hello", hello);
    sends(&b"Hello"[..], hello);
    sends(b"Hello".to_vec(), hello);
    sends(Box::<[u8]>::from(*b"Hello"), hello);
    sends(Arc::<[u8]>::from(*b"Hello"), hello);
    sends(Cow::from(&b"Hello"[..]), hello);
}
