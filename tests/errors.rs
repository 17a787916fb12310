//! The texts of errors: what was wrong, and which limit says so.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashSet;
use std::error::Error;

use sansock::handshake::{
    ClientHandshake, HandshakeError, HeadError, HeadLimits, Incomplete, InvalidHost, InvalidOrigin,
    Offer, RequestError, ResponseError, UsageError,
};
use sansock::uri::UriError;
use sansock::{CloseCode, ProtocolError, ReceiveBuffer, SendBuffer, SendError, Timeout};

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
        (&InvalidHost, &["name:port"]),
        (&CloseCode::try_from(999).unwrap_err(), &["999"]),
    ]);
}

#[test]
fn an_error_of_the_handshake_names_the_header() {
    use HandshakeError as H;
    let name = || "X-Y".into();
    check(&[
        (&H::Head(HeadError::TooLarge { limit: 11 }), &["11", "HeadLimits::bytes"]),
        (&H::Head(HeadError::TargetTooLong { limit: 11 }), &["11", "target", "HeadLimits::bytes"]),
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
        (&H::Request(RequestError::Method), &["GET", "HEAD", "OPTIONS"]),
        (&H::Request(RequestError::HandshakeMethod), &["WebSocket", "GET"]),
        (&H::Request(RequestError::Target), &["target"]),
        (&H::Request(RequestError::Body), &["body"]),
        (&H::Request(RequestError::UpgradeRequired), &["WebSocket"]),
        (&H::Request(RequestError::UnsupportedProtocol), &[":protocol", "websocket"]),
        (&H::Request(RequestError::UnsupportedVersion), &["13"]),
        (&H::Request(RequestError::OriginDenied), &["OriginPolicy", "Server::origins"]),
        (&H::Request(RequestError::HostDenied), &["Host", "HostPolicy", "Server::hosts"]),
        (&refusal(), &["404", "Not Found"]),
        (&H::Response(ResponseError::AcceptMismatch), &["Sec-WebSocket-Accept"]),
        (&H::Response(ResponseError::UnexpectedSubprotocol), &["subprotocol", "did not offer"]),
        (&H::Response(ResponseError::UnexpectedExtension), &["extension", "did not offer"]),
        (&H::Response(ResponseError::ExtensionParameters), &["parameters"]),
        (
            &H::Response(ResponseError::NoExtendedConnect),
            &["SETTINGS_ENABLE_CONNECT_PROTOCOL", "HTTP/1.1"],
        ),
        (&H::Usage(UsageError::InvalidHeaderName(name())), &["X-Y"]),
        (&H::Usage(UsageError::InvalidHeaderValue(name())), &["X-Y"]),
        (&H::Usage(UsageError::ReservedHeader(name())), &["X-Y"]),
        (&H::Usage(UsageError::InvalidSubprotocol(name())), &["X-Y"]),
        (&H::Usage(UsageError::UnavailableSubprotocol(name())), &["X-Y"]),
        (&H::Usage(UsageError::InvalidStatus(101)), &["101"]),
        (&H::Usage(UsageError::BodyNotAllowed(204)), &["204"]),
        (&H::Usage(UsageError::ExtendedConnect), &["extended CONNECT", "HttpServerHandshake"]),
        (&H::Usage(UsageError::Unrepresentable("URL")), &["URL", "crate http"]),
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

/// The fault says which status a server answers with.
#[test]
fn each_fault_has_its_status() {
    let response = refusal();
    assert_eq!(response.response().map(sansock::handshake::Response::status), Some(404));
    for (error, status) in [
        (HandshakeError::from(HeadError::LineEnding), 400),
        (HeadError::TooManyHeaders { limit: 1 }.into(), 431),
        (RequestError::Target.into(), 400),
        (RequestError::OriginDenied.into(), 403),
        (RequestError::Method.into(), 405),
        (RequestError::HandshakeMethod.into(), 400),
        (RequestError::UpgradeRequired.into(), 426),
        (RequestError::UnsupportedProtocol.into(), 501),
        (Incomplete::UnexpectedEof.into(), 400),
        (Incomplete::TimedOut.into(), 408),
        (UsageError::InvalidStatus(0).into(), 500),
        (ResponseError::AcceptMismatch.into(), 502),
        (response, 502),
    ] {
        assert_eq!(error.status(), status, "{error}");
        assert_eq!(error.response().is_some(), error.to_string().contains("404"), "{error}");
    }
}
