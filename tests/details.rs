//! What is easily forgotten: texts of errors, `Debug` output, values that are handed back.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashSet;
use std::error::Error;
use std::time::Instant;

use sansock::{
    ClientHandshake, CloseCode, Config, Established, HandshakeError, HeadError, HeadLimits,
    Incomplete, InvalidOrigin, MaskSource, Message, Offer, Origin, ProtocolError, ReceiveBuffer,
    RequestError, ResponseError, Role, SendBuffer, SendError, Sender, ServerHandshake, Timeout,
    Uri, UriError, UsageError,
};

struct NoKeys;

impl MaskSource for NoKeys {
    fn next_key(&mut self) -> [u8; 4] {
        [0; 4]
    }
}

/// The texts, each with what it must say.
fn check(errors: &[(&dyn Error, &[&str])]) {
    let mut different = HashSet::new();
    for (error, parts) in errors {
        let text = error.to_string();
        for part in *parts {
            assert!(text.contains(part), "{text:?} does not say {part:?}");
        }
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text:?} is no part of a sentence");
        assert!(different.insert(text.clone()), "{text:?} is said of two errors");
    }
}

#[test]
fn an_error_names_what_was_wrong_and_a_limit_its_knob() {
    use ProtocolError as P;
    use SendError as S;
    check(&[
        (&P::ReservedBits(0xC1), &["reserved bits", "0xc1"]),
        (&P::ReservedOpcode(0xB), &["opcode", "0xb"]),
        (&P::FragmentedControl, &["fragmented"]),
        (&P::ControlTooLong, &["125"]),
        (&P::NonMinimalLength, &["shortest"]),
        (&P::LengthTopBit, &["top bit"]),
        (&P::Unmasked, &["client", "not masked"]),
        (&P::Masked, &["server", "masked"]),
        (&P::UnexpectedContinuation, &["continuation"]),
        (&P::ExpectedContinuation, &["new message"]),
        (&P::InvalidUtf8, &["UTF-8"]),
        (&P::InvalidDeflate, &["compressed"]),
        (&P::CloseLength, &["Close", "one byte"]),
        (&P::CloseCode(1006), &["1006"]),
        (&P::FrameTooLarge { length: 12, limit: 11 }, &["12", "11", "Limits::frame"]),
        (&P::MessageTooLarge { limit: 11 }, &["11", "Limits::message"]),
        (&P::TooManyFragments { limit: 11 }, &["11", "Limits::fragments"]),
        (&S::Closed, &["clos"]),
        (&S::MessageInProgress, &["in progress"]),
        (&S::KindChanged, &["one type"]),
        (&S::ControlTooLong(126), &["126", "125"]),
        (&S::ReasonTooLong(124), &["124", "123"]),
        (&S::ReasonWithoutCode, &["code"]),
        (&S::BufferFull { limit: 11 }, &["11", "Limits::buffered"]),
        (&Timeout::Handshake, &["Timeouts::handshake"]),
        (&Timeout::Keepalive, &["Keepalive::timeout"]),
        (&Timeout::Message, &["Timeouts::message"]),
        (&Timeout::Closing, &["Timeouts::closing"]),
        (&UriError::Scheme, &["ws://"]),
        (&UriError::UserInfo, &["user name"]),
        (&UriError::Host, &["host"]),
        (&UriError::Port, &["65535"]),
        (&UriError::ResourceName, &["percent-encoded"]),
        (&UriError::Fragment, &["#"]),
        (&InvalidOrigin, &["scheme://host"]),
        (&CloseCode::try_from(999).unwrap_err(), &["999"]),
    ]);
}

#[test]
fn an_error_of_the_handshake_names_the_header() {
    use HandshakeError as H;
    let name = || "X-Y".into();
    check(&[
        (&H::Head(HeadError::TooLarge { limit: 11 }), &["11", "HeadLimits::bytes"]),
        (&H::Head(HeadError::TooManyHeaders { limit: 11 }), &["11", "HeadLimits::headers"]),
        (&H::Head(HeadError::ControlByte(0x07)), &["0x07"]),
        (&H::Head(HeadError::ControlByte(0x16)), &["0x16", "TLS", "wss:"]),
        (&H::Head(HeadError::LineEnding), &["CR LF"]),
        (&H::Head(HeadError::FoldedLine), &["space or tab"]),
        (&H::Head(HeadError::StartLine), &["first line"]),
        (&H::Head(HeadError::HttpVersion), &["1.1"]),
        (&H::Head(HeadError::HeaderLine), &["name: value"]),
        (&H::Head(HeadError::MissingHeader("Host")), &["Host", "missing"]),
        (&H::Head(HeadError::RepeatedHeader("Host")), &["Host", "more than one"]),
        (&H::Head(HeadError::InvalidHeader("Host")), &["Host", "not valid"]),
        (&H::Head(HeadError::TooManyExtensions { limit: 32 }), &["32"]),
        (&H::Incomplete(Incomplete::UnexpectedEof), &["ended"]),
        (&H::Incomplete(Incomplete::TimedOut), &["too long", "Timeouts::handshake"]),
        (&H::Request(RequestError::Method), &["GET"]),
        (&H::Request(RequestError::Target), &["target"]),
        (&H::Request(RequestError::Body), &["body"]),
        (&H::Request(RequestError::UpgradeRequired), &["WebSocket"]),
        (&H::Request(RequestError::UnsupportedVersion), &["13"]),
        (&H::Request(RequestError::OriginDenied), &["Origin", "OriginPolicy"]),
        (&refusal(), &["404", "Not Found"]),
        (&H::Response(ResponseError::AcceptMismatch), &["Sec-WebSocket-Accept"]),
        (&H::Response(ResponseError::UnexpectedSubprotocol), &["subprotocol", "did not offer"]),
        (&H::Response(ResponseError::UnexpectedExtension), &["extension", "did not offer"]),
        (&H::Response(ResponseError::ExtensionParameters), &["parameters"]),
        (&H::Usage(UsageError::InvalidHeaderName(name())), &["X-Y"]),
        (&H::Usage(UsageError::InvalidHeaderValue(name())), &["X-Y"]),
        (&H::Usage(UsageError::ReservedHeader(name())), &["X-Y"]),
        (&H::Usage(UsageError::InvalidSubprotocol(name())), &["X-Y"]),
        (&H::Usage(UsageError::UnavailableSubprotocol(name())), &["X-Y"]),
        (&H::Usage(UsageError::InvalidStatus(101)), &["101"]),
        (&H::Usage(UsageError::BodyNotAllowed(204)), &["204"]),
    ]);
}

/// What a client makes of a 404.
fn refusal() -> HandshakeError {
    let offer = Offer::new("ws://example.com/".parse().unwrap());
    let mut client =
        ClientHandshake::start(&offer, [0; 16], HeadLimits::new(), &mut SendBuffer::new()).unwrap();
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX: y\r\n\r\n\xffz");
    client.advance(&mut input).unwrap_err()
}

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn received(handshake: &mut ServerHandshake) -> sansock::Request<'_> {
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(REQUEST);
    assert_eq!(handshake.advance(&mut input), Ok(true));
    handshake.request().unwrap()
}

/// What a log needs to show of what arrived, in a line: bytes that are no text are escaped.
#[test]
fn debug_output_shows_what_arrived() {
    let mut handshake = ServerHandshake::new(HeadLimits::default());
    let request = format!("{:?}", received(&mut handshake));
    let response = format!("{:?}", refusal());
    for (text, parts) in [
        (request, ["/chat", "is_websocket: true", "Upgrade: websocket"]),
        (response, ["404", "Content-Length: 2, X: y", "\\xffz"]),
    ] {
        for part in parts {
            assert!(text.contains(part), "{text} does not have {part}");
        }
    }
    assert_eq!(format!("{:?} {0}", CloseCode::NORMAL), "CloseCode(1000) 1000");
}

/// And of what is still to come nothing but how much it is.
#[test]
fn debug_output_shows_no_payload_that_waits() {
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(b"\x81\x06secret");
    let mut connection =
        Established::elsewhere(Role::Client, None).connection_with(&Config::new(), NoKeys);
    assert!(format!("{input:?}").contains("unread: 8"), "{input:?}");
    let (mut sender, mut output) = (Sender::client(&Config::new(), NoKeys), SendBuffer::new());
    sender.send_fragment("secret", false, &mut output).unwrap();
    assert!(format!("{sender:?}").contains("message: Some(Text), closed: false"), "{sender:?}");
    for text in [format!("{input:?}{connection:?}"), format!("{sender:?}{output:?}")] {
        assert!(!text.contains("secret") && !text.contains("115, 101"), "{text}");
    }
    assert!(connection.advance(&mut input, &mut output).unwrap());
    assert!(format!("{input:?}").contains("unread: 0"), "{input:?}");
}

#[test]
fn what_is_one_thing_is_not_another() {
    assert_eq!(Message::Binary(b"text").as_text(), None);
    assert_eq!(Message::Text("text").as_text(), Some("text"));
    assert!(Message::Text("").is_empty() && !Message::Binary(b"\0").is_empty());
    assert_eq!(Uri::try_from("ws://a/b").map(|uri| uri.to_string()), Ok("ws://a/b".into()));
    assert_eq!(Uri::try_from("http://a/b"), Err(UriError::Scheme));
    assert_eq!("https://A:443".parse::<Origin>().unwrap().to_string(), "https://a");
    assert_eq!(HeadLimits::default(), HeadLimits::new());
}

/// Nobody is left to wait for.
#[test]
fn a_connection_whose_transport_has_ended_has_no_deadlines() {
    let mut output = SendBuffer::new();
    let mut connection =
        Established::elsewhere(Role::Server, None).connection_with(&Config::new(), NoKeys);
    connection.close(CloseCode::NORMAL, "", &mut output).unwrap();
    let now = Instant::now();
    assert_eq!(connection.handle_timeout(now, &mut output), Ok(()));
    assert!(connection.poll_timeout().is_some());
    connection.receive_eof();
    assert_eq!(connection.poll_timeout(), None);
    let late = now + std::time::Duration::from_secs(1_000);
    assert_eq!(connection.handle_timeout(late, &mut output), Ok(()));
}

#[cfg(feature = "deflate")]
#[test]
fn what_was_set_for_compression_is_what_was_negotiated() {
    use sansock::{DeflateConfig, DeflateLevel};
    let config = DeflateConfig::server().level(DeflateLevel::Fast).threshold(77);
    let negotiated = config.as_negotiated();
    assert_eq!((negotiated.level(), negotiated.threshold()), (DeflateLevel::Fast, 77));
    let connection = Established::elsewhere(Role::Server, None)
        .with_deflate(negotiated)
        .connection_with(&Config::new(), NoKeys);
    let text = format!("{connection:?}");
    for part in ["Inflate", "takeover", "in_use: false"] {
        assert!(text.contains(part), "{text} does not have {part}");
    }
}
