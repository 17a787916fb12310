//! What a server writes (4.2.2): answers to errors, rejections, the 101 response.

use sansock::SendBuffer;
use sansock::handshake::{
    Answer, HandshakeError, HeadError, HostPolicy, Rejection, RequestError, ServerHandshake,
    UsageError,
};

use HandshakeError::{Head, Request};
use HeadError::{InvalidHeader, MissingHeader, RepeatedHeader};
use RequestError::{Body, Method, Target, UpgradeRequired};

use super::{REQUEST, feed, parsed, refused, seen, serve, server, with};

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

/// "If a server receives both an Upgrade and an Expect header field with the "100-continue"
/// expectation (Section 10.1.1), the server MUST send a 100 (Continue) response before sending a
/// 101 (Switching Protocols) response." (RFC 9110, 7.8)
#[test]
fn a_client_that_expects_100_gets_it_before_101() {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let (switching, _) = serve(REQUEST.as_bytes(), &Answer::new());
    for line in ["Expect: 100-continue", "expect:100-Continue", "Expect: x, 100-continue"] {
        let request = with(REQUEST, "Expect", &[line]);
        let (response, established) = serve(request.as_bytes(), &Answer::new());
        assert!(established.is_ok());
        assert_eq!(response, [CONTINUE, &switching].concat(), "{line}");
        // Not before a response that ends the connection, for no content is to come.
        let mut output = SendBuffer::new();
        seen(&request, |it| it.reject(&Rejection::new(403), &mut output)).unwrap();
        assert!(output.as_slice().starts_with(b"HTTP/1.1 403 "), "{line}");
        let refused = with(&request, "Sec-WebSocket-Key", &[]);
        assert!(serve(refused.as_bytes(), &Answer::new()).0.starts_with(b"HTTP/1.1 400 "));
        // And nothing at all if the answer cannot be written.
        let wrong = Answer::new().subprotocol("other");
        seen(&request, |it| it.accept(&wrong, &mut SendBuffer::new())).unwrap_err();
    }
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
        server().respond(&error, &mut output);
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

/// A plain request of HTTP/1.0 need not have a Host; the answer to HEAD has the length of a body
/// that it does not have.
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
        // "A server that receives an Upgrade header field in an HTTP/1.0 request MUST ignore that
        // Upgrade field." (RFC 9110, 7.8)
        (
            "GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "GET",
            "",
            "/",
            "ok",
        ),
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
        // "MUST treat the message as if the framing is faulty [...] and close the connection"
        // (RFC 9112, 6.1)
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Request(Body)),
        (
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
            Request(Body),
        ),
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
             Content-Length: 39\r\n\
             Allow: GET, HEAD, OPTIONS\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             \r\n\
             the method is not GET, HEAD or OPTIONS\n",
        ),
        (
            HandshakeError::Request(RequestError::OriginDenied),
            "HTTP/1.1 403 Forbidden\r\n\
             Connection: close\r\n\
             Content-Length: 68\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             \r\n\
             the request's Origin is not allowed (OriginPolicy, Server::origins)\n",
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
        server().respond(&error, &mut output);
        assert_eq!(str::from_utf8(output.as_slice()).unwrap(), response);
        let written = rejected(REQUEST, &error.into()).unwrap();
        assert_eq!(str::from_utf8(&written).unwrap(), response);
    }
}

/// "The HEAD method is identical to GET except that the server MUST NOT send content in the
/// response" (RFC 9110, 9.3.2), whatever is wrong with the request and wherever it was cut off.
#[test]
fn no_error_answer_to_head_has_content() {
    let answer = |handshake: &ServerHandshake, error: &HandshakeError| {
        let mut output = SendBuffer::new();
        handshake.respond(error, &mut output);
        let response = String::from_utf8(output.as_slice().to_vec()).unwrap();
        let (head, content) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\nContent-Length: "), "{response}");
        content.len()
    };
    for rest in [
        "/ HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        "/ HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "/ HTTP/1.1\r\nHost : a\r\n\r\n",
        "/ HTTP/1.1\r\n\r\n",
        "/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
        "/ HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: a\r\n\r\n",
        "/ HTTP/2.0\r\n",
        "nowhere HTTP/1.1\r\n",
        "/ with blanks HTTP/1.1\r\n",
        "/\0",
        "/ HTTP/1.1\r\n",
        "",
    ] {
        for (method, has_content) in [("HEAD", false), ("\r\nHEAD", false), ("GET", true)] {
            let mut handshake = server();
            let request = format!("{method} {rest}");
            let error = match feed(&mut handshake, [request.as_bytes()]) {
                Err(error) => error,
                Ok(_) => handshake.time_out().unwrap_err(),
            };
            assert_eq!(answer(&handshake, &error) > 0, has_content, "{request:?}");
            assert_eq!(handshake.receive_eof(), Err(error));
        }
    }
    // The same goes for what a program refuses: it does not accept it, or its policy does not.
    for (method, has_content) in [("HEAD", false), ("GET", true)] {
        let mut handshake = server();
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(feed(&mut handshake, [request.as_bytes()]), Ok((true, vec![])));
        for error in [UpgradeRequired, RequestError::OriginDenied, RequestError::HostDenied] {
            assert_eq!(answer(&handshake, &error.into()) > 0, has_content, "{request:?}");
        }
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
fn a_request_error_is_rejected_as_the_handshake_error_that_it_is() {
    let rejection = Rejection::from(RequestError::OriginDenied);
    assert_eq!(rejection, Rejection::from(&HandshakeError::Request(RequestError::OriginDenied)));
    assert_eq!(rejection.status(), 403);
}
