//! Messages that own their memory, and what is shown of messages and endings.

use sansock::{
    Close, CloseCode, Config, Connection, Delivery, Event, Keepalive, Limits, Message, Outcome,
    OwnedMessage, ProtocolError, ReceiveBuffer, Role, SendBuffer, Timeout, Timeouts,
};
use testkit::pair::{clean, closed, seconds};

use crate::wire::{BINARY, BOTH, CONTINUATION, FIN, FixedKey, PING, TEXT, frame};

fn connection(role: Role, config: &Config) -> Connection {
    match role {
        Role::Client => Connection::client(config, FixedKey),
        Role::Server => Connection::server(config),
    }
}

/// What `take_message` makes of each event.
fn taken(role: Role, config: &Config, bytes: &[u8]) -> Vec<Option<OwnedMessage>> {
    let mut connection = connection(role, config);
    let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    input.extend_from_slice(bytes);
    let mut all = Vec::new();
    while connection.advance(&mut input, &mut output).unwrap() {
        let taken = input.take_message();
        assert_eq!(input.take_message(), None, "it is taken once");
        assert_eq!(input.event().is_none(), taken.is_some(), "the loan of a message has ended");
        all.push(taken);
    }
    assert!(input.is_idle());
    all
}

#[test]
fn a_message_can_be_taken_out_of_the_buffer() {
    for role in BOTH {
        let long = "\u{e9}".repeat(50_000);
        let bytes = [
            frame(role, FIN | TEXT, b"Hello"),
            frame(role, FIN | BINARY, b""),
            frame(role, FIN | PING, b"ping"),
            frame(role, TEXT, b"two "),
            frame(role, FIN | CONTINUATION, b"parts"),
            frame(role, BINARY, &[1, 2]),
            frame(role, FIN | CONTINUATION, &[3]),
            frame(role, FIN | TEXT, long.as_bytes()),
            frame(role, FIN | TEXT, b"and on"),
        ];
        let expected = [
            Some(OwnedMessage::from("Hello")),
            Some(OwnedMessage::from(Vec::new())),
            None,
            Some(OwnedMessage::from(String::from("two parts"))),
            Some(OwnedMessage::from(&[1, 2, 3][..])),
            Some(OwnedMessage::from(long)),
            Some(OwnedMessage::from("and on")),
        ];
        assert_eq!(taken(role, &Config::new(), &bytes.concat()), expected, "{role:?}");
    }
}

#[test]
fn pieces_can_be_taken_too() {
    for role in BOTH {
        let config = Config::new().delivery(Delivery::Chunks);
        let bytes =
            [frame(role, TEXT, "a\u{e9}".as_bytes()), frame(role, FIN | CONTINUATION, b"z")];
        let pieces = taken(role, &config, &bytes.concat());
        let text: String = pieces.iter().flatten().filter_map(OwnedMessage::as_text).collect();
        assert_eq!(text, "a\u{e9}z", "{role:?}");
    }
}

/// The memory of one that was assembled changes hands, without a copy of its bytes.
#[test]
fn an_assembled_message_is_handed_over_without_a_copy() {
    for role in BOTH {
        let mut connection = connection(role, &Config::new());
        let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
        input.extend_from_slice(&frame(role, BINARY, &[7; 1_000]));
        input.extend_from_slice(&frame(role, FIN | CONTINUATION, &[8; 1_000]));
        assert_eq!(connection.advance(&mut input, &mut output), Ok(true));
        let Some(Event::Message(lent)) = input.event() else { panic!("a message") };
        let place = lent.as_bytes().as_ptr();
        let owned = input.take_message().unwrap();
        assert_eq!(owned.as_bytes().as_ptr(), place);
        assert_eq!(owned.as_bytes().len(), 2_000);
    }
}

#[test]
fn messages_and_endings_are_shown_in_a_line() {
    assert_eq!(Message::Text("Hello").to_string(), "Hello");
    assert_eq!(Message::Binary(&[1, 2]).to_string(), "2 bytes");
    assert_eq!(OwnedMessage::from("Hello").to_string(), "Hello");
    let close = Close { code: Some(CloseCode::NORMAL), reason: "bye" };
    assert_eq!(close.to_string(), "1000: bye");
    assert_eq!(Close::default().to_string(), "1005");
    for (outcome, text, reason) in [
        (clean(1001), "closed: 1001", ""),
        (closed(1000, "bye"), "closed: 1000: bye", "bye"),
        (Outcome::Abnormal, "the transport ended without a Close frame (1006)", ""),
        (Outcome::Failed(ProtocolError::InvalidUtf8), "failed: invalid UTF-8", ""),
        (
            Outcome::TimedOut(Timeout::Keepalive),
            "the peer did not answer a Ping in time (Keepalive::timeout)",
            "",
        ),
    ] {
        assert_eq!(outcome.to_string(), text);
        assert_eq!(outcome.reason(), reason, "{text}");
        assert_eq!(outcome.was_clean(), text.starts_with("closed"), "{text}");
    }
}

#[test]
fn what_a_message_is_can_be_asked() {
    let message = Message::Text("Hello").with_compression(sansock::Compression::Never);
    assert_eq!(
        (message.message(), message.len(), message.is_empty()),
        (Message::Text("Hello"), 5, false)
    );
    assert_eq!(Message::from(&[1, 2, 3]), Message::Binary(&[1, 2, 3]));
    let event = Event::Message(Message::Text("Hello"));
    assert_eq!((event.as_message(), event.is_control()), (Some(Message::Text("Hello")), false));
    let event = Event::Ping(b"");
    assert_eq!((event.as_message(), event.is_control()), (None, true));
}

/// Whichever way a program comes to the defaults, they are the same.
#[test]
fn defaults_are_defaults() {
    assert_eq!(Config::default(), Config::new());
    assert_eq!(Limits::default(), Limits::new());
    assert_eq!(Timeouts::default(), Timeouts::new());
    assert_eq!(Config::new().read_size(1 << 20).read_size, 1 << 20);
    let keepalive = Keepalive::every(seconds(20));
    assert_eq!((keepalive.interval, keepalive.timeout), (seconds(20), seconds(20)));
    let timeouts =
        Timeouts::new().keepalive(keepalive).keepalive(None).closing(None).handshake(None);
    assert_eq!((timeouts.keepalive, timeouts.closing, timeouts.handshake), (None, None, None));
}
