//! How other implementations were broken: one test for each known case that concerns the handshake.

use std::time::{Duration, Instant};

use sansock::handshake::{
    Answer, ClientHandshake, HandshakeError, HeadError, HeadLimits, Incomplete, Offer,
    OriginPolicy, Rejection, RequestError, ResponseError, ServerHandshake,
};
use sansock::{ReceiveBuffer, SendBuffer};

use super::{NONCE, REQUEST, RESPONSE, client, feed, parsed, serve, server, verify, with};

/// Bytes that are read one by one in a moment if each is scanned once, and in hours if all are
/// scanned again for each.
const MANY: usize = 1 << 20;

fn at_once<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let outcome = work();
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
    outcome
}

#[test]
fn row_1_the_head_is_scanned_once_and_limited() {
    let long = with(REQUEST, "X", &[&format!("X: {}", "x".repeat(MANY))]);
    at_once(|| {
        let mut handshake = ServerHandshake::new(HeadLimits::new().bytes(2 * MANY));
        assert_eq!(feed(&mut handshake, long.as_bytes().chunks(1)), Ok((true, vec![])));
    });
    let mut handshake = server();
    let (fits, rest) = long.as_bytes().split_at(16 * 1024 - 1);
    assert_eq!(feed(&mut handshake, [fits]), Ok((false, vec![])));
    let error = HandshakeError::Head(HeadError::TooLarge { limit: 16 * 1024 });
    assert_eq!(feed(&mut handshake, [&rest[..1]]), Err(error.clone()));
    assert_eq!(error.status(), 431);
}

#[test]
fn row_2_too_many_headers_are_an_error_and_a_lookup_may_find_nothing() {
    let lines = vec!["X: y"; 93];
    let mut handshake = server();
    let hundred = with(REQUEST, "X", &lines);
    assert_eq!(feed(&mut handshake, [hundred.as_bytes()]), Ok((true, vec![])));
    let headers = handshake.request().unwrap().headers();
    assert_eq!((headers.len(), headers.get("Cookie")), (100, None));

    let more = hundred.replacen("Host", "X: y\r\nHost", 1);
    let error = HandshakeError::Head(HeadError::TooManyHeaders { limit: 100 });
    assert_eq!(feed(&mut server(), [more.as_bytes()]), Err(error.clone()));
    assert_eq!(error.status(), 431);
}

#[test]
fn row_3_a_list_of_subprotocols_takes_linear_time() {
    let limits = HeadLimits::new().bytes(2 * MANY);
    let many_names: Vec<_> = (0..MANY / 8).map(|i| format!("{i:07}")).collect();
    for (list, offered) in [
        (format!("a{}b", " ".repeat(MANY)), None),
        (format!("a{},b", " ".repeat(MANY)), Some(2)),
        (format!("a{}", ", \t".repeat(MANY / 3)), Some(1)),
        (many_names.join(","), Some(MANY / 8)),
    ] {
        let list = format!("Sec-WebSocket-Protocol: {list}");
        let request = with(REQUEST, "Sec-WebSocket-Protocol", &[&list]);
        at_once(|| {
            let mut handshake = ServerHandshake::new(limits);
            let outcome = feed(&mut handshake, [request.as_bytes()]);
            assert_eq!(outcome.is_ok(), offered.is_some());
            assert_eq!(handshake.request().map(|it| it.subprotocols().count()), offered);
        });
    }
}

#[test]
fn row_4_a_quoted_string_that_is_not_closed_takes_linear_time() {
    for list in [
        format!("a; b=\"{}", "c".repeat(MANY)),
        format!("a; b=\"{}", "\\c".repeat(MANY / 2)),
        format!("a{}", "; b=\"c".repeat(MANY / 8)),
        format!("a{}", "; b=\"".repeat(MANY / 8)),
    ] {
        let list = format!("Sec-WebSocket-Extensions: {list}");
        let request = with(REQUEST, "X", &[&list]);
        at_once(|| {
            let mut handshake = ServerHandshake::new(HeadLimits::new().bytes(2 * MANY));
            assert_eq!(
                feed(&mut handshake, [request.as_bytes()]),
                Err(HandshakeError::Head(HeadError::InvalidHeader("Sec-WebSocket-Extensions")))
            );
        });
    }
}

#[test]
fn row_5_extensions_and_parameters_of_any_name_are_declined() {
    for list in ["constructor", "x; __proto__", "permessage-deflate; hasOwnProperty=toString"] {
        let line = format!("Sec-WebSocket-Extensions: {list}");
        let request = with(REQUEST, "X", &[&line]);
        let (response, established) = serve(request.as_bytes(), &Answer::new());
        assert!(established.is_ok());
        assert!(!String::from_utf8(response).unwrap().contains("Extensions"));
    }
}

#[test]
fn row_9_another_version_than_13_gets_426_and_is_told_13() {
    for version in ["0", "7", "8", "12", "14", "113", "1 3", "+13", "thirteen"] {
        let line = format!("Sec-WebSocket-Version: {version}");
        let request = with(REQUEST, "Sec-WebSocket-Version", &[&line]);
        let (response, established) = serve(request.as_bytes(), &Answer::new());
        assert_eq!(
            established,
            Err(HandshakeError::Request(RequestError::UnsupportedVersion)),
            "{version}"
        );
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 426 "), "{response}");
        assert!(response.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{response}");
    }
    let hixie_76 = "GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n\
        Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nOrigin: http://example.com\r\n\r\n^n:ds[4U";
    let (_, established) = serve(hixie_76.as_bytes(), &Answer::new());
    assert_eq!(established, Err(HandshakeError::Request(RequestError::UnsupportedVersion)));
}

#[test]
fn row_18_an_extension_that_was_not_offered_fails_the_handshake() {
    for list in ["permessage-deflate", "x", "permessage-deflate; server_no_context_takeover"] {
        let line = format!("Sec-WebSocket-Extensions: {list}");
        let outcome = verify(with(RESPONSE, "X", &[&line]).as_bytes());
        assert_eq!(
            outcome,
            Err(HandshakeError::Response(ResponseError::UnexpectedExtension)),
            "{list}"
        );
    }
}

/// The outcome of a response with this Sec-WebSocket-Accept.
fn accepted(accept: &str) -> Result<(bool, Vec<u8>), HandshakeError> {
    let line = format!("Sec-WebSocket-Accept: {accept}");
    verify(with(RESPONSE, "Sec-WebSocket-Accept", &[&line]).as_bytes())
}

#[test]
fn row_19_a_long_accept_is_compared_not_decoded() {
    let mismatch = Err(HandshakeError::Response(ResponseError::AcceptMismatch));
    let accept = |length| -> String {
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".chars().cycle().take(length).collect()
    };
    for length in [0, 27, 29, 88] {
        assert_eq!(accepted(&accept(length)), mismatch, "{length}");
    }
    let line = format!("Sec-WebSocket-Accept: {}", accept(10_000));
    let response = with(RESPONSE, "Sec-WebSocket-Accept", &[&line]);
    assert_eq!(feed(&mut client(), [response.as_bytes()]), mismatch);
}

#[test]
fn row_20_accept_is_always_checked_in_its_case() {
    assert_eq!(accepted("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), Ok((true, vec![])));
    for accept in [
        "S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x",
        "dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        assert_eq!(
            accepted(accept),
            Err(HandshakeError::Response(ResponseError::AcceptMismatch)),
            "{accept}"
        );
    }
}

#[test]
fn row_21_an_origin_is_compared_whole_and_comes_once() {
    let policy = OriginPolicy::list(["https://example.com"]).unwrap();
    let check = |lines: &[&str]| {
        let mut handshake = server();
        feed(&mut handshake, [with(REQUEST, "Origin", lines).as_bytes()])?;
        Ok(policy.check(&handshake.request().unwrap())?)
    };
    assert_eq!(check(&["Origin: https://example.com"]), Ok(()));
    for origin in [
        "https://example.com.evil.org",
        "https://evilexample.com",
        "https://evil.org?https://example.com",
        "http://example.com",
        "https://example.com:444",
        "null",
    ] {
        let outcome = check(&[&format!("Origin: {origin}")]);
        assert_eq!(outcome, Err(HandshakeError::Request(RequestError::OriginDenied)), "{origin}");
    }
    assert_eq!(
        check(&["Origin: https://example.com", "Origin: https://evil.org"]),
        Err(HandshakeError::Head(HeadError::RepeatedHeader("Origin")))
    );
}

#[test]
fn row_22_nothing_behind_a_refused_request_is_a_second_request() {
    let refused = with(REQUEST, "Sec-WebSocket-Key", &[]);
    let mut handshake = server();
    let error = feed(&mut handshake, [refused.as_bytes(), REQUEST.as_bytes()]).unwrap_err();
    assert_eq!(error, HandshakeError::Head(HeadError::MissingHeader("Sec-WebSocket-Key")));
    assert!(handshake.request().is_none());
    let mut output = SendBuffer::new();
    handshake.respond(&error, &mut output);
    let response = String::from_utf8(output.as_slice().to_vec()).unwrap();
    assert!(response.contains("\r\nConnection: close\r\nContent-Length: "), "{response}");

    let mut handshake = server();
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(REQUEST.as_bytes());
    input.extend_from_slice(b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(handshake.advance(&mut input), Ok(true));
    let mut output = SendBuffer::new();
    handshake.request().unwrap().reject(&Rejection::new(403), &mut output).unwrap();
    assert_eq!(
        output.as_slice(),
        b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(handshake.advance(&mut input), Ok(true));
    assert_eq!(handshake.request().unwrap().target(), "/chat");
    assert!(input.as_slice().starts_with(b"GET /admin"));
}

#[test]
fn row_23_a_redirect_is_an_error_and_sends_no_credentials_anywhere() {
    let mut output = SendBuffer::new();
    let offer =
        Offer::new("wss://user:secret@example.com/".parse().unwrap()).header("Cookie", "a=b");
    let mut client = ClientHandshake::start(&offer, NONCE, HeadLimits::new(), &mut output).unwrap();
    output.consume(output.as_slice().len());
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: ws://evil.org/\r\nContent-Length: 0\r\n\r\n";
    let Err(HandshakeError::Response(ResponseError::Status(response))) =
        feed(&mut client, [&redirect[..]])
    else {
        panic!()
    };
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers().get_str("location"), Some("ws://evil.org/"));
    assert!(output.is_empty());
}

#[test]
fn row_24_nothing_that_is_written_can_begin_a_line_of_its_own() {
    for bad in ["\r\nX: y", "\r", "\n", "\0", "a\r\n\r\nGET / HTTP/1.1"] {
        let offer = || Offer::new("ws://a".parse().unwrap());
        for offer in [
            offer().header(bad, "x"),
            offer().header(format!("X{bad}"), "x"),
            offer().header("X", bad),
            offer().header("X", format!("x{bad}")),
            offer().subprotocol(bad),
            offer().subprotocol(format!("x{bad}")),
            offer().origin(bad),
            offer().origin(format!("http://x{bad}")),
        ] {
            let mut output = SendBuffer::new();
            let started = ClientHandshake::start(&offer, NONCE, HeadLimits::new(), &mut output);
            parsed::same_offer(&offer, started.as_ref().map(|_| output.as_slice()));
            assert!(started.is_err() && output.is_empty(), "{offer:?}");
        }
        for url in [
            format!("ws://a{bad}"),
            format!("ws://a/{bad}"),
            format!("ws://a?{bad}"),
            format!("ws://u{bad}@a"),
            format!("ws://a:8{bad}"),
        ] {
            assert!(url.parse::<sansock::uri::Uri>().is_err(), "{url:?}");
        }
        let mut handshake = server();
        feed(&mut handshake, [REQUEST.as_bytes()]).unwrap();
        let request = handshake.request().unwrap();
        let mut output = SendBuffer::new();
        for answer in [
            Answer::new().header(bad, "x"),
            Answer::new().header("X", format!("x{bad}")),
            Answer::new().subprotocol(format!("chat{bad}")),
        ] {
            assert!(request.accept(&answer, &mut output).is_err(), "{answer:?}");
        }
        for rejection in [
            Rejection::new(404).header(bad, "x"),
            Rejection::new(302).header("Location", format!("/{bad}")),
        ] {
            assert!(request.reject(&rejection, &mut output).is_err(), "{rejection:?}");
        }
        assert!(output.is_empty());
    }
}

#[test]
fn row_28_the_deadline_is_for_the_whole_handshake() {
    let (mut server, mut client) = (server(), client());
    feed(&mut server, REQUEST.as_bytes()[..40].chunks(1)).unwrap();
    feed(&mut client, RESPONSE.as_bytes()[..40].chunks(1)).unwrap();
    assert_eq!(server.time_out(), Err(HandshakeError::Incomplete(Incomplete::TimedOut)));
    assert_eq!(client.time_out(), Err(HandshakeError::Incomplete(Incomplete::TimedOut)));
    let outcome = feed(&mut server, [&REQUEST.as_bytes()[40..]]);
    assert_eq!(
        outcome,
        Err(HandshakeError::Incomplete(Incomplete::TimedOut)),
        "what drips on does not matter"
    );
    let mut output = SendBuffer::new();
    server.respond(&HandshakeError::Incomplete(Incomplete::TimedOut), &mut output);
    assert!(
        output.as_slice().starts_with(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n")
    );
}

#[test]
fn row_34_after_an_error_every_call_returns_it_again() {
    let error = HandshakeError::Head(HeadError::HttpVersion);
    let mut handshake = server();
    assert_eq!(feed(&mut handshake, [&b"GET / HTTP/1.2\r\n"[..]]), Err(error.clone()));
    assert_eq!(feed(&mut handshake, [REQUEST.as_bytes()]), Err(error.clone()));
    assert_eq!(handshake.receive_eof(), Err(error.clone()));
    assert_eq!(handshake.time_out(), Err(error));
    assert!(handshake.request().is_none());

    for response in ["HTTP/1.1 404 x\r\nContent-Length: 1\r\n\r\nz", "HTTP/2"] {
        let mut handshake = client();
        let error = feed(&mut handshake, [response.as_bytes()]).unwrap_err();
        assert_eq!(feed(&mut handshake, [RESPONSE.as_bytes()]), Err(error.clone()));
        assert_eq!(handshake.receive_eof(), Err(error.clone()));
        assert_eq!(handshake.time_out(), Err(error));
        assert!(handshake.response().is_none() && handshake.established().is_none());
    }
}
