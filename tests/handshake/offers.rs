//! What a client asks for (4.1): the offer and the request.

use sansock::SendBuffer;
use sansock::handshake::{ClientHandshake, HeadLimits, Offer, UsageError};

use super::{NONCE, offer, parsed};

/// What is written for an offer.
fn request(offer: &Offer) -> Result<String, UsageError> {
    let mut output = SendBuffer::new();
    let started = ClientHandshake::start(offer, NONCE, HeadLimits::new(), &mut output);
    assert_eq!(started.is_err(), output.is_empty(), "written if it is right");
    parsed::same_offer(offer, started.as_ref().map(|_| output.as_slice()));
    started.map(|_| String::from_utf8(output.as_slice().to_vec()).unwrap())
}

#[test]
fn the_request_has_the_host_with_its_port_rules() {
    for (uri, line, host) in [
        ("ws://example.com", "GET / HTTP/1.1", "Host: example.com"),
        ("ws://EXAMPLE.com:80/a", "GET /a HTTP/1.1", "Host: example.com"),
        ("wss://example.com:443/a?b=c", "GET /a?b=c HTTP/1.1", "Host: example.com"),
        ("ws://example.com:443", "GET / HTTP/1.1", "Host: example.com:443"),
        ("wss://example.com:80?x", "GET /?x HTTP/1.1", "Host: example.com:80"),
        ("ws://127.0.0.1:9001//", "GET // HTTP/1.1", "Host: 127.0.0.1:9001"),
        ("ws://[::1]", "GET / HTTP/1.1", "Host: [::1]"),
        ("ws://[::1]:9001", "GET / HTTP/1.1", "Host: [::1]:9001"),
    ] {
        assert_eq!(
            request(&offer(uri)).unwrap(),
            format!(
                "{line}\r\n{host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
        );
    }
}

#[test]
fn subprotocols_origin_authorization_and_headers_follow() {
    let offer = offer("ws://Aladdin:open%20sesame@example.com")
        .header("Cookie", "a=b; c")
        .header("X-Empty", "")
        .subprotocol("v2.chat")
        .origin("https://example.com")
        .subprotocol("chat");
    let request = request(&offer).unwrap();
    assert!(
        request.ends_with(
            "Sec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: v2.chat, chat\r\n\
             Origin: https://example.com\r\n\
             Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\
             Cookie: a=b; c\r\n\
             X-Empty: \r\n\
             \r\n"
        ),
        "{request}"
    );
}

#[test]
fn an_offer_that_is_wrong_is_refused_before_anything_is_written() {
    let offer = || offer("ws://example.com");
    for (offer, error) in [
        (offer().header("", "x"), UsageError::InvalidHeaderName("".into())),
        (offer().header("X Y", "x"), UsageError::InvalidHeaderName("X Y".into())),
        (offer().header("X", "a\u{1}"), UsageError::InvalidHeaderValue("X".into())),
        (offer().subprotocol(""), UsageError::InvalidSubprotocol("".into())),
        (offer().subprotocol("a b"), UsageError::InvalidSubprotocol("a b".into())),
        (offer().subprotocol("a,b"), UsageError::InvalidSubprotocol("a,b".into())),
        (offer().subprotocol("\u{e9}"), UsageError::InvalidSubprotocol("\u{e9}".into())),
        (
            offer().subprotocol("a").subprotocol("b").subprotocol("a"),
            UsageError::InvalidSubprotocol("a".into()),
        ),
        (offer().origin(""), UsageError::InvalidHeaderValue("Origin".into())),
        (offer().origin("http://a\r\n"), UsageError::InvalidHeaderValue("Origin".into())),
    ] {
        assert_eq!(request(&offer), Err(error), "{offer:?}");
    }
    for name in [
        "Host",
        "host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "sec-websocket-protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Accept",
        "Origin",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        let error = UsageError::ReservedHeader(name.into());
        assert_eq!(request(&offer().header(name, "x")), Err(error), "{name}");
    }
}

#[test]
fn authorization_comes_from_the_url_or_from_a_header() {
    let authorization = |uri| request(&offer(uri).header("Authorization", "Bearer x"));
    assert!(authorization("ws://a").unwrap().contains("\r\nAuthorization: Bearer x\r\n"));
    let error = UsageError::ReservedHeader("Authorization".into());
    assert_eq!(authorization("ws://user@a"), Err(error));
}

#[test]
fn an_offer_shows_its_subprotocols() {
    let offer = offer("ws://a/");
    assert_eq!(offer.subprotocols().count(), 0);
    let offer = offer.subprotocol("v2.chat").subprotocol("chat");
    assert!(offer.subprotocols().eq(["v2.chat", "chat"]));
}
