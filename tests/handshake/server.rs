//! The server's side (4.2).

use sansock::SendBuffer;
use sansock::handshake::{
    Answer, HandshakeError, HeadError, HeadLimits, Host, HostPolicy, InvalidHost, Origin,
    OriginPolicy, Rejection, RequestError, ServerHandshake, UsageError,
};

use HandshakeError::{Head, Request};
use HeadError::{
    ControlByte, FoldedLine, HeaderLine, HttpVersion, InvalidHeader, LineEnding, MissingHeader,
    RepeatedHeader, StartLine,
};
use RequestError::{Body, Method, Target, UnsupportedVersion, UpgradeRequired};

use super::{
    REQUEST, RESPONSE, feed, feed_at_every_cut, parsed, serve, server, with, with_first_line,
};

/// Reads a request that is right; gives what `see` gives.
fn seen<T>(request: &str, see: impl FnOnce(sansock::handshake::Request<'_>) -> T) -> T {
    let mut handshake = server();
    assert_eq!(feed(&mut handshake, [request.as_bytes()]), Ok((true, vec![])), "{request}");
    see(handshake.request().unwrap())
}

/// What is written if the program rejects the request.
fn rejected(request: &str, rejection: &Rejection) -> Result<Vec<u8>, UsageError> {
    let mut output = SendBuffer::new();
    let outcome = seen(request, |it| it.reject(rejection, &mut output));
    assert_eq!(outcome.is_err(), output.is_empty(), "written if it is right");
    let written = outcome.map(|()| output.as_slice().to_vec());
    parsed::same_rejection(request.as_bytes(), rejection, &written);
    written
}

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
        ("HEAD /chat HTTP/1.1", Request(Method), 405),
        ("OPTIONS * HTTP/1.1", Request(Method), 405),
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

/// The error, at every cut, and an answer with its status that says that the connection ends.
fn refused(request: &str, error: &HandshakeError, status: u16) {
    assert_eq!(feed_at_every_cut(server, request.as_bytes()), Err(error.clone()), "{request}");
    assert_eq!(error.status(), status, "{error}");
    let (response, outcome) = serve(request.as_bytes(), &Answer::new());
    assert_eq!(outcome, Err(error.clone()));
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
    assert!(head.contains("\r\nConnection: close"), "{response}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{response}");
    assert_eq!(head.contains("\r\nAllow: GET"), status == 405, "{response}");
    let upgrade = "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    assert_eq!(head.contains(upgrade), status == 426, "{response}");
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
fn an_answer_may_choose_a_subprotocol_and_add_headers() {
    let answer = Answer::new().subprotocol("superchat").header("Set-Cookie", "a=b");
    let (response, established) = serve(REQUEST.as_bytes(), &answer);
    assert_eq!(
        String::from_utf8(response).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: superchat\r\n\
         Set-Cookie: a=b\r\n\
         \r\n"
    );
    assert_eq!(established.unwrap().subprotocol(), Some("superchat"));
}

#[test]
fn an_answer_that_is_wrong_is_our_fault_and_writes_nothing() {
    for (answer, error) in [
        (
            Answer::new().subprotocol("other"),
            HandshakeError::Usage(UsageError::UnavailableSubprotocol("other".into())),
        ),
        (
            Answer::new().subprotocol("CHAT"),
            HandshakeError::Usage(UsageError::UnavailableSubprotocol("CHAT".into())),
        ),
        (
            Answer::new().header("X\r\n", "y"),
            HandshakeError::Usage(UsageError::InvalidHeaderName("X\r\n".into())),
        ),
        (
            Answer::new().header("X", "y\r\n"),
            HandshakeError::Usage(UsageError::InvalidHeaderValue("X".into())),
        ),
        (
            Answer::new().header("upgrade", "x"),
            HandshakeError::Usage(UsageError::ReservedHeader("upgrade".into())),
        ),
        (
            Answer::new().header("Connection", "close"),
            HandshakeError::Usage(UsageError::ReservedHeader("Connection".into())),
        ),
        (
            Answer::new().header("Sec-WebSocket-Extensions", "x"),
            HandshakeError::Usage(UsageError::ReservedHeader("Sec-WebSocket-Extensions".into())),
        ),
        (
            Answer::new().header("Content-Length", "0"),
            HandshakeError::Usage(UsageError::ReservedHeader("Content-Length".into())),
        ),
    ] {
        let mut output = SendBuffer::new();
        let outcome = seen(REQUEST, |request| request.accept(&answer, &mut output));
        assert_eq!(outcome, Err(error.clone()));
        assert!(output.is_empty());
        error.respond(&mut output);
        assert_eq!(
            output.as_slice(),
            b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "what went wrong is not for the peer"
        );
    }
}

#[test]
fn a_plain_request_is_answered_as_the_program_likes() {
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost:9001\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
    ] {
        let mut output = SendBuffer::new();
        seen(request, |request| {
            assert!(!request.is_websocket());
            assert_eq!(request.accept(&Answer::new(), &mut output), Err(Request(UpgradeRequired)));
            assert!(output.is_empty());
        });
        let page = Rejection::new(200).header("Content-Type", "text/html").body("<p>");
        assert_eq!(
            rejected(request, &page).unwrap(),
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\
              Content-Type: text/html\r\n\r\n<p>"
        );
    }
}

/// A plain request of HTTP/1.0 need not have a Host; the answer to HEAD has the length of a body that
/// it does not have.
#[test]
fn health_checks_reach_the_program() {
    for (request, method, host, target, body) in [
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD", "a", "/", ""),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "a", "*", "ok"),
        ("OPTIONS /x HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "a", "/x", "ok"),
        ("OPTIONS / HTTP/1.0\r\n\r\n", "OPTIONS", "", "/", "ok"),
        ("GET / HTTP/1.0\r\n\r\n", "GET", "", "/", "ok"),
        ("GET http://a/x HTTP/1.0\r\n\r\n", "GET", "a", "/x", "ok"),
        ("GET /x HTTP/1.0\r\nHost: a\r\n\r\n", "GET", "a", "/x", "ok"),
        ("HEAD / HTTP/1.0\r\n\r\n", "HEAD", "", "/", ""),
    ] {
        seen(request, |it| {
            assert_eq!((it.method(), it.host(), it.target()), (method, host, target), "{request}");
            assert!(!it.is_websocket());
            let policy = HostPolicy::list(["a"]).unwrap();
            assert_eq!(policy.check(&it), Ok(()), "{request}");
        });
        let written = rejected(request, &Rejection::new(200).body("ok")).unwrap();
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(str::from_utf8(&written).unwrap(), format!("{head}{body}"));
    }
    for (request, error) in [
        ("GET / HTTP/1.1\r\n\r\n", Head(MissingHeader("Host"))),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Head(RepeatedHeader("Host"))),
        ("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", Head(InvalidHeader("Host"))),
        ("GET * HTTP/1.0\r\n\r\n", Request(Target)),
        ("POST / HTTP/1.0\r\n\r\n", Request(Method)),
    ] {
        refused(request, &error, error.status());
    }
}

#[test]
fn answers_to_errors_byte_by_byte() {
    for (error, response) in [
        (
            Request(UpgradeRequired),
            "HTTP/1.1 426 Upgrade Required\r\n\
             Connection: close, Upgrade\r\n\
             Content-Length: 78\r\n\
             Upgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             \r\n\
             this is a WebSocket endpoint (RFC 6455): the request needs Upgrade: websocket\n",
        ),
        (
            Request(Method),
            "HTTP/1.1 405 Method Not Allowed\r\n\
             Connection: close\r\n\
             Content-Length: 0\r\n\
             Allow: GET\r\n\
             \r\n",
        ),
        (
            HandshakeError::Request(RequestError::OriginDenied),
            "HTTP/1.1 403 Forbidden\r\n\
             Connection: close\r\n\
             Content-Length: 51\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             \r\n\
             the request's Origin is not allowed (OriginPolicy)\n",
        ),
        (
            HandshakeError::Head(HeadError::TooLarge { limit: 16384 }),
            "HTTP/1.1 431 Request Header Fields Too Large\r\n\
             Connection: close\r\n\
             Content-Length: 62\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             \r\n\
             the head is over the limit of 16384 bytes (HeadLimits::bytes)\n",
        ),
    ] {
        let mut output = SendBuffer::new();
        error.respond(&mut output);
        assert_eq!(str::from_utf8(output.as_slice()).unwrap(), response);
        let written = rejected(REQUEST, &error.into()).unwrap();
        assert_eq!(str::from_utf8(&written).unwrap(), response);
    }
}

#[test]
fn a_rejection_that_is_wrong_writes_nothing() {
    for (rejection, error) in [
        (Rejection::new(101), UsageError::InvalidStatus(101)),
        (Rejection::new(199), UsageError::InvalidStatus(199)),
        (Rejection::new(600), UsageError::InvalidStatus(600)),
        (Rejection::new(0), UsageError::InvalidStatus(0)),
        (Rejection::new(204).body("x"), UsageError::BodyNotAllowed(204)),
        (Rejection::new(205).body("x"), UsageError::BodyNotAllowed(205)),
        (Rejection::new(304).body("x"), UsageError::BodyNotAllowed(304)),
        (
            Rejection::new(404).header("content-length", "9"),
            UsageError::ReservedHeader("content-length".into()),
        ),
        (
            Rejection::new(404).header("Connection", "keep-alive"),
            UsageError::ReservedHeader("Connection".into()),
        ),
        (
            Rejection::new(404).header("Transfer-Encoding", "chunked"),
            UsageError::ReservedHeader("Transfer-Encoding".into()),
        ),
        (
            Rejection::new(302).header("Location", "/a\r\nX: y"),
            UsageError::InvalidHeaderValue("Location".into()),
        ),
    ] {
        assert_eq!(rejected(REQUEST, &rejection), Err(error));
    }
}

#[test]
fn a_rejection_may_have_any_status_of_200_to_599() {
    for (rejection, response) in [
        (Rejection::new(204), &b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"[..]),
        (
            Rejection::new(599).body(*b"\0"),
            b"HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 1\r\n\r\n\0",
        ),
        (
            Rejection::new(302).header("Location", "/b"),
            b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: /b\r\n\r\n",
        ),
    ] {
        let written = rejected(REQUEST, &rejection).unwrap();
        assert_eq!(written.escape_ascii().to_string(), response.escape_ascii().to_string());
    }
}

#[test]
fn a_rejection_has_the_reason_phrase_of_its_status() {
    // RFC 9110, 15, and RFC 6585.
    const PHRASES: &[(u16, &str)] = &[
        (200, "OK"),
        (204, "No Content"),
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (304, "Not Modified"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (406, "Not Acceptable"),
        (408, "Request Timeout"),
        (409, "Conflict"),
        (410, "Gone"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (421, "Misdirected Request"),
        (422, "Unprocessable Content"),
        (426, "Upgrade Required"),
        (429, "Too Many Requests"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
        (505, "HTTP Version Not Supported"),
    ];
    for status in 200..600 {
        let rejection = Rejection::new(status);
        assert_eq!(rejection.status(), status);
        let written = rejected(REQUEST, &rejection).unwrap();
        let phrase = PHRASES.iter().find(|it| it.0 == status).map_or("", |it| it.1);
        let line = format!("HTTP/1.1 {status} {phrase}\r\n");
        assert!(written.starts_with(line.as_bytes()), "{line}");
    }
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
fn origin_policies() {
    let list = OriginPolicy::list(["http://example.com", "https://app.example.com:8443"]).unwrap();
    // Host, Origin, same host?, in the list?
    for (host, origin, same_host, listed) in [
        ("example.com", "http://example.com", true, true),
        ("example.com", "HTTP://EXAMPLE.com:80", true, true),
        ("example.com:80", "http://example.com", true, true),
        ("example.com", "https://example.com", true, false),
        ("example.com:443", "https://example.com", true, false),
        ("example.com:443", "http://example.com", false, true),
        ("example.com:8080", "http://example.com:8080", true, false),
        ("example.com:8080", "http://example.com", false, true),
        ("example.com", "http://example.com:8080", false, false),
        ("a", "https://app.example.com:8443", false, true),
        ("a", "https://app.example.com", false, false),
        ("[::1]:9001", "http://[0::1]:9001", true, false),
        ("example.com", "http://example.com.evil.org", false, false),
        ("example.com", "http://evil-example.com", false, false),
        ("example.com", "http://evil.org/http://example.com", false, false),
        ("example.com", "http://example.com@evil.org", false, false),
        ("example.com", "http://example.com/", false, false),
        ("example.com", "http://evil.org http://example.com", false, false),
        ("example.com", "chrome-extension://example.com", false, false),
        ("example.com", "example.com", false, false),
        ("null", "null", false, false),
        ("example.com", "", false, false),
    ] {
        let request = with(REQUEST, "Host", &[&format!("Host: {host}")]);
        let request = with(&request, "Origin", &[&format!("Origin: {origin}")]);
        let allowed = |policy: &OriginPolicy| match seen(&request, |it| policy.check(&it)) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!((&error, error.status()), (&RequestError::OriginDenied, 403));
                false
            }
        };
        assert!(allowed(&OriginPolicy::Any));
        assert_eq!(allowed(&OriginPolicy::SameHost), same_host, "{host} {origin:?}");
        assert_eq!(allowed(&list), listed, "{origin:?}");
    }
    let request = with(REQUEST, "Origin", &[]);
    for policy in [OriginPolicy::Any, OriginPolicy::SameHost, list] {
        assert_eq!(seen(&request, |it| policy.check(&it)), Ok(()), "not a browser: {policy:?}");
    }
    assert_eq!(OriginPolicy::default(), OriginPolicy::SameHost);
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

#[test]
fn host_policies_compare_name_and_port() {
    let policy =
        HostPolicy::list(["LOCALHOST", "127.0.0.1", "[0::1]", "a.b:8443", "c:443"]).unwrap();
    for (host, allowed) in [
        ("localhost", true),
        ("LocalHost:9002", true),
        ("127.0.0.1:1", true),
        ("[::1]:9002", true),
        ("[0:0:0:0:0:0:0:1]", true),
        ("a.b:8443", true),
        ("c", true),
        ("c:443", true),
        ("c:80", false),
        ("a.b", false),
        ("a.b:80", false),
        ("localhost.evil.example", false),
        ("evil.localhost", false),
        ("localhost.", false),
        ("127.0.0.2", false),
        ("[::2]", false),
        ("[::ffff:127.0.0.1]", false),
        ("evil.example:9002", false),
    ] {
        let request = with(REQUEST, "Host", &[&format!("Host: {host}")]);
        let expected = if allowed { Ok(()) } else { Err(RequestError::HostDenied) };
        assert_eq!(seen(&request, |it| policy.check(&it)), expected, "{host}");
        assert_eq!(seen(&request, |it| HostPolicy::Any.check(&it)), Ok(()), "{host}");
    }
    assert_eq!(RequestError::HostDenied.status(), 421);
    assert_eq!(HostPolicy::default(), HostPolicy::Any);
    for text in ["", "a b", "a:b", "a/", "::1", "*.a", "u@a", "http://a"] {
        assert_eq!(text.parse::<Host>(), Err(InvalidHost), "{text:?}");
    }
    assert_eq!("A:80".parse::<Host>().unwrap().to_string(), "a:80");
}

/// Pages of apps: see the documentation of `OriginPolicy` for the risk.
#[test]
fn a_list_may_name_the_origins_without_a_host() {
    let with_origin = |origin: &str| with(REQUEST, "Origin", &[&format!("Origin: {origin}")]);
    for (listed, others) in [("null", ["file://", ""]), ("file://", ["null", "file://null"])] {
        let policy = OriginPolicy::list([listed, "capacitor://localhost"]).unwrap();
        for origin in [listed, "capacitor://localhost"] {
            assert_eq!(seen(&with_origin(origin), |it| policy.check(&it)), Ok(()), "{origin}");
        }
        for origin in others.into_iter().chain(["https://null", "http://server.example.com"]) {
            let denied = Err(RequestError::OriginDenied);
            assert_eq!(seen(&with_origin(origin), |it| policy.check(&it)), denied, "{origin}");
        }
        let policy = OriginPolicy::SameHost;
        let denied = Err(RequestError::OriginDenied);
        assert_eq!(seen(&with_origin(listed), |it| policy.check(&it)), denied);
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

#[test]
fn an_origin_is_shown_in_lower_case_without_the_default_port() {
    assert_eq!("https://A:443".parse::<Origin>().unwrap().to_string(), "https://a");
}

#[test]
fn a_request_error_is_rejected_as_the_handshake_error_that_it_is() {
    let rejection = Rejection::from(RequestError::OriginDenied);
    assert_eq!(rejection, Rejection::from(&HandshakeError::Request(RequestError::OriginDenied)));
    assert_eq!(rejection.status(), 403);
}
