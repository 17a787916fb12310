//! The server's side (4.2): which requests it takes.

use sansock::handshake::{
    Answer, HandshakeError, HeadError, HeadLimits, RequestError, ServerHandshake,
};

use HandshakeError::{Head, Request};
use HeadError::{
    ControlByte, FoldedLine, HeaderLine, HttpVersion, InvalidHeader, LineEnding, MissingHeader,
    RepeatedHeader, StartLine,
};
use RequestError::{Body, HandshakeMethod, Method, Target, UnsupportedVersion, UpgradeRequired};

use super::{
    REQUEST, RESPONSE, feed, feed_at_every_cut, refused, seen, serve, server, with, with_first_line,
};

#[test]
fn requests_that_are_right() {
    for (name, lines) in [
        ("", &[][..]),
        ("Upgrade", &["Upgrade: WebSocket"]),
        ("Upgrade", &["upgrade: foo/1, websocket"]),
        ("Upgrade", &["Upgrade: foo", "Upgrade: websocket"]),
        ("Upgrade", &["Upgrade:websocket \t"]),
        ("Connection", &["connection: UPGRADE"]),
        ("Connection", &["Connection: keep-alive, Upgrade"]),
        ("Connection", &["Connection: keep-alive", "Connection: ,upgrade,"]),
        ("Connection", &["Connection: upgrade", "Connection: keep-alive"]),
        ("Sec-WebSocket-Version", &["SEC-WEBSOCKET-VERSION:13"]),
        ("Content-Length", &["Content-Length: 0"]),
        ("Host", &["Host: [::1]:9001"]),
        ("Host", &["Host: server.example.com:"]),
        ("Origin", &[]),
        ("Origin", &["Origin: null"]),
        ("Origin", &["Origin:"]),
        ("Sec-WebSocket-Protocol", &[]),
        ("Sec-WebSocket-Protocol", &["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: x"]),
        ("Sec-WebSocket-Protocol", &["Sec-WebSocket-Protocol:"]),
        ("Sec-WebSocket-Protocol", &["Sec-WebSocket-Protocol: , chat,, x ,"]),
        ("Sec-WebSocket-Extensions", &["Sec-WebSocket-Extensions: foo; a=\"b\", bar"]),
        ("Sec-WebSocket-Extensions", &["Sec-WebSocket-Extensions:"]),
        ("Sec-WebSocket-Extensions", &["Sec-WebSocket-Extensions: ,, foo,"]),
        ("Expect", &["Expect: x"]),
        ("X", &["X:", "X: \u{e9}", "X: a\tb", "x: ::"]),
    ] {
        let request = with(REQUEST, name, lines);
        let frames = b"\x81\x00";
        let bytes = [request.as_bytes(), frames].concat();
        assert_eq!(feed_at_every_cut(server, &bytes), Ok((true, frames.to_vec())), "{request}");
        let (response, established) = serve(request.as_bytes(), &Answer::new());
        assert!(established.is_ok(), "{request}");
        assert_eq!(response, with(RESPONSE, "Sec-WebSocket-Protocol", &[]).as_bytes());
    }
}

#[test]
fn each_header_that_is_wrong_has_its_error_and_status() {
    const KEY: &str = "Sec-WebSocket-Key";
    const VERSION: &str = "Sec-WebSocket-Version";
    const PROTOCOL: &str = "Sec-WebSocket-Protocol";
    const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
    for (name, lines, error, status) in [
        ("Host", &[][..], Head(MissingHeader("Host")), 400),
        ("Host", &["Host: a", "Host: a"], Head(RepeatedHeader("Host")), 400),
        ("Host", &["Host:"], Head(InvalidHeader("Host")), 400),
        ("Host", &["Host: a b"], Head(InvalidHeader("Host")), 400),
        ("Host", &["Host: a, b"], Head(InvalidHeader("Host")), 400),
        ("Host", &["Host: u@a"], Head(InvalidHeader("Host")), 400),
        ("Host", &["Host: a/b"], Head(InvalidHeader("Host")), 400),
        ("Host", &["Host: a:b"], Head(InvalidHeader("Host")), 400),
        // A zone means something on one machine alone (RFC 6874, 1).
        ("Host", &["Host: [fe80::1%25eth0]"], Head(InvalidHeader("Host")), 400),
        ("Host", &["Host: [fe80::1%eth0]"], Head(InvalidHeader("Host")), 400),
        ("Host", &["Host: \u{e9}"], Head(InvalidHeader("Host")), 400),
        ("Upgrade", &[], Request(UpgradeRequired), 426),
        ("Upgrade", &["Upgrade: websocket/13"], Request(UpgradeRequired), 426),
        ("Upgrade", &["Upgrade: websockets"], Request(UpgradeRequired), 426),
        ("Upgrade", &["Upgrade: h2c"], Request(UpgradeRequired), 426),
        ("Connection", &[], Head(MissingHeader("Connection")), 400),
        ("Connection", &["Connection: keep-alive"], Head(InvalidHeader("Connection")), 400),
        ("Connection", &["Connection: Upgraded"], Head(InvalidHeader("Connection")), 400),
        ("Connection", &["Connection: keep-alive Upgrade"], Head(InvalidHeader("Connection")), 400),
        (VERSION, &[], Request(UnsupportedVersion), 426),
        (VERSION, &["Sec-WebSocket-Version: 8"], Request(UnsupportedVersion), 426),
        (VERSION, &["Sec-WebSocket-Version: 013"], Request(UnsupportedVersion), 426),
        (VERSION, &["Sec-WebSocket-Version: 13, 8"], Request(UnsupportedVersion), 426),
        (VERSION, &["Sec-WebSocket-Version:"], Request(UnsupportedVersion), 426),
        (
            VERSION,
            &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"],
            Head(RepeatedHeader(VERSION)),
            400,
        ),
        (KEY, &[], Head(MissingHeader(KEY)), 400),
        (KEY, &["Sec-WebSocket-Key:"], Head(InvalidHeader(KEY)), 400),
        (KEY, &["Sec-WebSocket-Key: a"], Head(InvalidHeader(KEY)), 400),
        (KEY, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"], Head(InvalidHeader(KEY)), 400),
        (KEY, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE="], Head(InvalidHeader(KEY)), 400),
        (
            KEY,
            &[
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ],
            Head(RepeatedHeader(KEY)),
            400,
        ),
        (PROTOCOL, &["Sec-WebSocket-Protocol: a b"], Head(InvalidHeader(PROTOCOL)), 400),
        (PROTOCOL, &["Sec-WebSocket-Protocol: a/b"], Head(InvalidHeader(PROTOCOL)), 400),
        (PROTOCOL, &["Sec-WebSocket-Protocol: \u{e9}"], Head(InvalidHeader(PROTOCOL)), 400),
        (PROTOCOL, &["Sec-WebSocket-Protocol: a, b, a"], Head(InvalidHeader(PROTOCOL)), 400),
        (
            PROTOCOL,
            &["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"],
            Head(InvalidHeader(PROTOCOL)),
            400,
        ),
        (EXTENSIONS, &["Sec-WebSocket-Extensions: a;"], Head(InvalidHeader(EXTENSIONS)), 400),
        ("Origin", &["Origin: http://a", "Origin: http://a"], Head(RepeatedHeader("Origin")), 400),
        ("Origin", &["Origin: http://\u{e9}"], Head(InvalidHeader("Origin")), 400),
        ("Content-Length", &["Content-Length: 1"], Request(Body), 400),
        ("Content-Length", &["Content-Length:"], Head(InvalidHeader("Content-Length")), 400),
        ("Content-Length", &["Content-Length: -0"], Head(InvalidHeader("Content-Length")), 400),
        ("Content-Length", &["Content-Length: 0, 0"], Head(InvalidHeader("Content-Length")), 400),
        (
            "Content-Length",
            &["Content-Length: 0", "Content-Length: 0"],
            Head(RepeatedHeader("Content-Length")),
            400,
        ),
        ("Transfer-Encoding", &["Transfer-Encoding: chunked"], Request(Body), 400),
        ("Transfer-Encoding", &["Transfer-Encoding: identity"], Request(Body), 400),
        ("X", &["X"], Head(HeaderLine), 400),
        ("X", &["X : y"], Head(HeaderLine), 400),
        ("X", &[": y"], Head(HeaderLine), 400),
        ("X", &["X y: z"], Head(HeaderLine), 400),
        ("X", &["X: y", " z"], Head(FoldedLine), 400),
        ("X", &["X: y", "\tz"], Head(FoldedLine), 400),
        ("X", &["X: y\nZ: z"], Head(LineEnding), 400),
        ("X", &["X: y\rZ: z"], Head(LineEnding), 400),
        ("X", &["X: \0"], Head(ControlByte(0)), 400),
    ] {
        refused(&with(REQUEST, name, lines), &error, status);
    }
}

#[test]
fn a_request_with_any_header_of_the_handshake_is_not_plain() {
    for (kept, error) in [
        ("Upgrade", Head(MissingHeader("Connection"))),
        ("Sec-WebSocket-Key", Request(UpgradeRequired)),
        ("Sec-WebSocket-Version", Request(UpgradeRequired)),
    ] {
        let names = ["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"];
        let others = names.iter().filter(|name| **name != kept);
        let request = others.fold(REQUEST.to_owned(), |it, name| with(&it, name, &[]));
        refused(&request, &error, error.status());
    }
}

#[test]
fn each_request_line_that_is_wrong_has_its_error_and_status() {
    for (line, error, status) in [
        ("GET /chat", Head(StartLine), 400),
        ("GET", Head(StartLine), 400),
        ("GET  /chat HTTP/1.1", Head(StartLine), 400),
        ("GET /chat  HTTP/1.1", Head(StartLine), 400),
        (" GET /chat HTTP/1.1", Head(StartLine), 400),
        ("GET /chat HTTP/1.1 ", Head(StartLine), 400),
        ("GET /a b HTTP/1.1", Head(StartLine), 400),
        ("GET\t/chat HTTP/1.1", Head(StartLine), 400),
        ("GET /chat http/1.1", Head(StartLine), 400),
        ("GET /chat HTTP/1", Head(StartLine), 400),
        ("GET /chat HTTP/1.10", Head(StartLine), 400),
        ("GET /chat HTTP/11", Head(StartLine), 400),
        ("GET /chat SIP/2.0", Head(StartLine), 400),
        ("G(T /chat HTTP/1.1", Head(StartLine), 400),
        ("HTTP/1.1 200 OK", Head(StartLine), 400),
        ("GET /chat HTTP/0.9", Head(HttpVersion), 400),
        ("GET /chat HTTP/1.0", Head(HttpVersion), 400),
        ("GET /chat HTTP/1.2", Head(HttpVersion), 400),
        ("GET /chat HTTP/2.0", Head(HttpVersion), 400),
        ("PRI * HTTP/2.0", Head(HttpVersion), 400),
        ("POST /chat HTTP/1.1", Request(Method), 405),
        ("HEAD /chat HTTP/1.1", Request(HandshakeMethod), 400),
        ("OPTIONS * HTTP/1.1", Request(HandshakeMethod), 400),
        ("CONNECT server.example.com:80 HTTP/1.1", Request(Method), 405),
        ("get /chat HTTP/1.1", Request(Method), 405),
        ("GETS /chat HTTP/1.1", Request(Method), 405),
        ("GET * HTTP/1.1", Request(Target), 400),
        ("GET chat HTTP/1.1", Request(Target), 400),
        ("GET server.example.com:80 HTTP/1.1", Request(Target), 400),
        ("GET /chat#part HTTP/1.1", Request(Target), 400),
        ("GET /ch\u{e9}t HTTP/1.1", Request(Target), 400),
        ("GET /ch\tat HTTP/1.1", Request(Target), 400),
        ("GET ws://example.com/chat HTTP/1.1", Request(Target), 400),
        ("GET wss://server.example.com:80/chat HTTP/1.1", Request(Target), 400),
        ("GET ftp://server.example.com/chat HTTP/1.1", Request(Target), 400),
        ("GET http://example.com/chat HTTP/1.1", Request(Target), 400),
        ("GET http://server.example.com:8080/chat HTTP/1.1", Request(Target), 400),
        ("GET http://server.example.com:443/chat HTTP/1.1", Request(Target), 400),
        ("GET http://u@server.example.com/chat HTTP/1.1", Request(Target), 400),
        ("GET http:///chat HTTP/1.1", Request(Target), 400),
        ("GET /ch\0at HTTP/1.1", Head(ControlByte(0)), 400),
        ("GET /chat HTTP/1.1\nX: y", Head(LineEnding), 400),
        ("GET /chat\rX HTTP/1.1", Head(LineEnding), 400),
    ] {
        refused(&with_first_line(REQUEST, line), &error, status);
    }
}

#[test]
fn what_is_not_http_is_refused_at_its_first_bytes() {
    for (bytes, error) in [
        (&b"\x16\x03\x01"[..], Head(ControlByte(0x16))),
        (b"\0", Head(ControlByte(0))),
        (b"\rG", Head(LineEnding)),
        (b"\r\n\n", Head(LineEnding)),
        (b"\r\n ", Head(StartLine)),
        (b"\n", Head(LineEnding)),
        (b" ", Head(StartLine)),
        (b"SSH-2.0-OpenSSH\r", Head(StartLine)),
        (b"{\"", Head(StartLine)),
        (b"\x81\x85", Head(StartLine)),
        (b"PRI * HTTP/2.0\r\n", Head(HttpVersion)),
        (b"GET /\r\n", Head(StartLine)),
        (b"POST / HTTP/1.1\r\n", Request(Method)),
        (b"GET / HTTP/1.1\n", Head(LineEnding)),
    ] {
        assert_eq!(feed(&mut server(), [bytes]), Err(error), "{}", bytes.escape_ascii());
    }
}

/// "a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty
/// line (CRLF) received prior to the request-line." (RFC 9112, 2.2)
#[test]
fn empty_lines_before_the_request_are_ignored_within_the_limit() {
    for lines in 0..3 {
        let request = format!("{}{REQUEST}", "\r\n".repeat(lines));
        assert_eq!(feed_at_every_cut(server, request.as_bytes()), Ok((true, vec![])));
        let limit = request.len() - 1;
        let mut handshake = ServerHandshake::new(HeadLimits::new().bytes(limit));
        let too_large = Err(Head(HeadError::TooLarge { limit }));
        assert_eq!(feed(&mut handshake, [request.as_bytes()]), too_large);
    }
    let endless = "\r\n".repeat(10_000);
    let too_large = Err(Head(HeadError::TooLarge { limit: 16384 }));
    assert_eq!(feed(&mut server(), [endless.as_bytes()]), too_large);
}

/// "A server that receives a request-target longer than any URI it wishes to parse MUST respond
/// with a 414 (URI Too Long) status code"; "It is RECOMMENDED that all HTTP senders and recipients
/// support, at a minimum, request-line lengths of 8000 octets." (RFC 9112, 3)
#[test]
fn a_target_over_the_limit_gets_414() {
    let line = |length: usize| format!("GET /{} HTTP/1.1", "x".repeat(length - 14));
    assert_eq!(line(8000).len(), 8000);
    let fits = with_first_line(REQUEST, &line(8000));
    assert_eq!(feed(&mut server(), [fits.as_bytes()]), Ok((true, vec![])));

    let limit = HeadLimits::new().bytes;
    let (target, other) = (HeadError::TargetTooLong { limit }, HeadError::TooLarge { limit });
    let long = "x".repeat(limit);
    for (request, error, status) in [
        (format!("{}\r\n", line(limit + 1)), &target, 414),
        (format!("GET ws://a/?{long}"), &target, 414),
        (format!("\r\nHEAD /{long}"), &target, 414),
        (format!("{}\r\n\r\n", line(limit - 2)), &other, 431),
        (format!("{long} / HTTP/1.1\r\n"), &other, 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nReferer: /{long}"), &other, 431),
    ] {
        assert_eq!(feed(&mut server(), [request.as_bytes()]), Err(Head(error.clone())));
        assert_eq!(feed(&mut server(), request.as_bytes().chunks(1)), Err(Head(error.clone())));
        assert_eq!(error.status(), status);
    }
}

#[test]
fn the_target_is_a_path_or_a_url_of_this_host() {
    for (line, target, path, query) in [
        ("GET / HTTP/1.1", "/", "/", None),
        ("GET /? HTTP/1.1", "/?", "/", Some("")),
        ("GET /a%20b?c=d?e HTTP/1.1", "/a%20b?c=d?e", "/a%20b", Some("c=d?e")),
        ("GET //a/../b HTTP/1.1", "//a/../b", "//a/../b", None),
        ("GET http://server.example.com HTTP/1.1", "/", "/", None),
        ("GET HTTP://Server.Example.com:80/x?y HTTP/1.1", "/x?y", "/x", Some("y")),
        ("GET https://server.example.com?y HTTP/1.1", "/?y", "/", Some("y")),
        ("GET ws://server.example.com/x?y HTTP/1.1", "/x?y", "/x", Some("y")),
        ("GET WSS://server.example.com:443 HTTP/1.1", "/", "/", None),
    ] {
        seen(&with_first_line(REQUEST, line), |request| {
            assert_eq!((request.target(), request.path(), request.query()), (target, path, query));
        });
    }
}

#[test]
fn the_program_sees_host_origin_subprotocols_and_headers() {
    seen(REQUEST, |request| {
        assert!(request.is_websocket());
        assert_eq!((request.host(), request.port()), ("server.example.com", None));
        assert_eq!(request.origin(), Some("http://example.com"));
        assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
        assert_eq!(request.headers().len(), 7);
        assert_eq!(request.headers().get_str("upgrade"), Some("websocket"));
    });
    seen(&with(REQUEST, "Host", &["Host: [0:0::1]:9001"]), |request| {
        assert_eq!((request.host(), request.port()), ("[::1]", Some(9001)));
    });
}

#[test]
fn limits_are_exact_and_configurable() {
    let length = REQUEST.len();
    for (limits, outcome) in [
        (HeadLimits::new().bytes(length), Ok((true, vec![]))),
        (
            HeadLimits::new().bytes(length - 1),
            Err(HandshakeError::Head(HeadError::TooLarge { limit: length - 1 })),
        ),
        (HeadLimits::new().headers(7), Ok((true, vec![]))),
        (
            HeadLimits::new().headers(6),
            Err(HandshakeError::Head(HeadError::TooManyHeaders { limit: 6 })),
        ),
    ] {
        let server = || ServerHandshake::new(limits);
        assert_eq!(feed_at_every_cut(server, REQUEST.as_bytes()), outcome, "{limits:?}");
    }
}

#[test]
fn each_byte_of_a_host_header_is_taken_or_refused() {
    let (before, after) = REQUEST.split_once("server.example.com").unwrap();
    for byte in 0..=255_u8 {
        let bytes = [before.as_bytes(), b"a", &[byte], b"b", after.as_bytes()].concat();
        let in_name = byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let outcome = feed(&mut server(), [&*bytes]);
        assert_eq!(outcome.is_ok(), in_name, "{byte:#x}: {outcome:?}");
    }
}

/// What a log needs to show of what arrived, in a line.
#[test]
fn debug_output_shows_the_request() {
    let text = seen(REQUEST, |request| format!("{request:?}"));
    for part in ["/chat", "is_websocket: true", "Upgrade: websocket"] {
        assert!(text.contains(part), "{text} does not have {part}");
    }
}

/// One that was too slow, or that sent no HTTP, is not waited for.
#[test]
fn only_a_client_that_can_read_the_response_is_waited_for() {
    for (request, lingers) in [
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nSec-WebSocket-Version: 13\r\n\r\n", true),
        ("no HTTP\r\n", false),
        ("GET / HTTP/1.1\r\nno header\r\n\r\n", false),
        ("GET / HTTP/1.1\n", false),
        ("\x16\x03", false),
    ] {
        let Err(error) = feed(&mut server(), [request.as_bytes()]) else {
            panic!("{request} is right")
        };
        assert_eq!(error.lingers(), lingers, "{request}: {error}");
    }
    assert!(!HandshakeError::from(sansock::handshake::Incomplete::TimedOut).lingers());
}
