//! CONNECT (RFC 9110, 9.3.6).

use sansock::dial::TunnelError;
use sansock::handshake::{HeadError, HeadLimits, UsageError};

use crate::exchange::{Exchange, proxy, start, start_with};

fn connect() -> Exchange {
    start(&proxy("http://p"), "wss://example.com/chat", None).unwrap()
}

#[test]
fn the_request_names_host_and_port_twice_and_nothing_of_the_url() {
    for (url, target) in [
        ("wss://example.com/chat?secret", "example.com:443"),
        ("ws://user:secret@Example.com", "example.com:80"),
        ("ws://example.com:8080/", "example.com:8080"),
        ("wss://[2001:db8::1]/", "[2001:db8::1]:443"),
        ("ws://[fe80::1%25eth0]:8/", "[fe80::1]:8"),
    ] {
        let mut exchange = start(&proxy("http://p"), url, None).unwrap();
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        assert_eq!(String::from_utf8(exchange.sent()).unwrap(), head);
        assert_eq!(exchange.advance(), Ok(false));
        assert_eq!(exchange.sent(), b"", "nothing before the answer");
    }
}

#[test]
fn the_proxy_gets_its_credentials_and_headers() {
    let proxy = proxy("https://Aladdin:open%20sesame@p").header("X-Tenant", "7");
    let mut exchange = start(&proxy, "wss://h/", None).unwrap();
    let head = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\
                Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nX-Tenant: 7\r\n\r\n";
    assert_eq!(String::from_utf8(exchange.sent()).unwrap(), head);
}

#[test]
fn a_header_that_cannot_be_sent_is_the_programs_fault() {
    let proxy = proxy("http://p").header("X", "a\r\nY: b");
    let error = start(&proxy, "ws://h/", None).err();
    assert_eq!(error, Some(UsageError::InvalidHeaderValue("X".into()).into()));
}

/// "Any 2xx (Successful) response [...] A client MUST ignore any Content-Length or
/// Transfer-Encoding header fields received in a successful response to CONNECT."
#[test]
fn every_2xx_opens_the_way_whatever_length_it_claims() {
    for head in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nVia: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 X\r\nContent-Length: x\r\n\r\n",
    ] {
        let mut exchange = connect();
        assert_eq!(exchange.receive(head.as_bytes()), Ok(true), "{head}");
        assert_eq!(exchange.advance(), Ok(true), "again");
        assert_eq!((exchange.receive_eof(), exchange.time_out()), (Ok(()), Ok(())));
    }
}

#[test]
fn bytes_behind_a_2xx_are_an_error() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n",
    ] {
        let mut exchange = connect();
        assert_eq!(exchange.receive(head.as_bytes()), Err(TunnelError::EarlyBytes));
        exchange.has_failed_with(&TunnelError::EarlyBytes);
    }
}

#[test]
fn a_refusal_has_status_and_the_first_bytes_of_the_body() {
    for (head, body, status, kept) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\n", "nope", 403, "nope"),
        (
            "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n",
            "2\r\nno\r\n0\r\n\r\n",
            502,
            "no",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9\r\n\r\n",
            "123456789",
            302,
            "12345678",
        ),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "", 101, ""),
    ] {
        let limits = HeadLimits::new().body(8);
        let mut exchange = start_with(&proxy("http://p"), "ws://h/", None, limits).unwrap();
        let error = exchange.receive(format!("{head}{body}").as_bytes()).unwrap_err();
        let TunnelError::Refused(response) = &error else { panic!("{error:?}") };
        assert_eq!((response.status(), response.body()), (status, kept.as_bytes()));
        assert!(!error.is_authentication());
        exchange.has_failed_with(&error);
    }
}

#[test]
fn a_407_is_told_apart() {
    let head = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                Proxy-Authenticate: Basic realm=\"p\"\r\nContent-Length: 0\r\n\r\n";
    let error = connect().receive(head.as_bytes()).unwrap_err();
    let TunnelError::AuthenticationRequired(response) = &error else { panic!("{error:?}") };
    assert_eq!(response.headers().get_str("Proxy-Authenticate"), Some("Basic realm=\"p\""));
    assert!(error.is_authentication());
    assert_eq!(error.to_string(), "it answered 407 Proxy Authentication Required");
}

/// The end, or the end of the time, of a refusal whose body has not all arrived.
#[test]
fn a_refusal_counts_also_if_its_body_is_cut_off() {
    for end in [Exchange::receive_eof, Exchange::time_out] {
        let mut exchange = connect();
        assert_eq!(exchange.receive(b"HTTP/1.1 503 Busy\r\n\r\nlater"), Ok(false));
        let error = end(&mut exchange).unwrap_err();
        assert_eq!(error.response().map(|it| (it.status(), it.body())), Some((503, &b"later"[..])));
        exchange.has_failed_with(&error);
    }
}

#[test]
fn the_end_and_the_end_of_the_time_are_told_apart() {
    for sent in ["", "HTTP/1.1 200 OK\r\n"] {
        let (mut exchange, mut late) = (connect(), connect());
        assert_eq!(exchange.receive(sent.as_bytes()), Ok(false));
        assert_eq!(exchange.receive_eof(), Err(TunnelError::UnexpectedEof));
        exchange.has_failed_with(&TunnelError::UnexpectedEof);
        assert_eq!(late.receive(sent.as_bytes()), Ok(false));
        assert_eq!(late.time_out(), Err(TunnelError::TimedOut));
        late.has_failed_with(&TunnelError::TimedOut);
    }
}

#[test]
fn an_answer_that_is_not_http_or_too_long_is_an_error_at_once() {
    let limits = HeadLimits::new().bytes(64).headers(2);
    for (answer, error) in [
        ("\u{5}", HeadError::ControlByte(5)),
        ("SSH-", HeadError::StartLine),
        ("HTTP/1.1 20\r\n", HeadError::StartLine),
        ("HTTP/1.1 200 OK\r\nX y\r\n\r\n", HeadError::HeaderLine),
        ("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC", HeadError::TooManyHeaders { limit: 2 }),
        (&format!("HTTP/1.1 200 {}", "x".repeat(80)), HeadError::TooLarge { limit: 64 }),
    ] {
        let mut exchange = start_with(&proxy("http://p"), "ws://h/", None, limits).unwrap();
        let error = TunnelError::Head(error);
        assert_eq!(exchange.receive(answer.as_bytes()), Err(error.clone()), "{answer}");
        exchange.has_failed_with(&error);
    }
}
