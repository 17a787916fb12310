//! The client's side (4.1): which responses it takes.

use sansock::SendBuffer;
use sansock::handshake::{ClientHandshake, HandshakeError, HeadError, HeadLimits, ResponseError};

use HandshakeError::{Head, Response};
use HeadError::{
    ControlByte, FoldedLine, HeaderLine, HttpVersion, InvalidHeader, LineEnding, MissingHeader,
    RepeatedHeader, StartLine,
};
use ResponseError::{AcceptMismatch, UnexpectedExtension, UnexpectedSubprotocol};

use super::{
    NONCE, RESPONSE, client, feed, feed_at_every_cut, offer, parsed, rfc_offer, verify, with,
    with_first_line,
};

#[test]
fn responses_that_are_right() {
    for (name, lines) in [
        ("", &[][..]),
        ("Upgrade", &["UPGRADE: WebSocket"]),
        ("Connection", &["Connection: keep-alive", "Connection: x, uPGRADE"]),
        ("Sec-WebSocket-Protocol", &[]),
        ("Sec-WebSocket-Protocol", &["sec-websocket-protocol: superchat"]),
        ("Sec-WebSocket-Protocol", &["Sec-WebSocket-Protocol:"]),
        ("Sec-WebSocket-Extensions", &["Sec-WebSocket-Extensions:"]),
        ("Sec-WebSocket-Extensions", &["Sec-WebSocket-Extensions: ,"]),
        ("Sec-WebSocket-Accept", &["sec-websocket-accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo= "]),
        ("X", &["X:", "X: \u{e9}"]),
    ] {
        let response = with(RESPONSE, name, lines);
        let outcome = verify(response.as_bytes());
        assert_eq!(outcome, Ok((true, vec![])), "{response}");
    }
    for line in ["HTTP/1.1 101 ", "HTTP/1.1 101", "HTTP/1.1 101 Web \u{e9} Socket"] {
        let response = with_first_line(RESPONSE, line);
        let outcome = verify(response.as_bytes());
        assert_eq!(outcome, Ok((true, vec![])), "{response}");
    }
}

#[test]
fn each_header_that_is_wrong_has_its_error() {
    const ACCEPT: &str = "Sec-WebSocket-Accept";
    const PROTOCOL: &str = "Sec-WebSocket-Protocol";
    const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
    for (name, lines, error) in [
        ("Upgrade", &[][..], Head(MissingHeader("Upgrade"))),
        ("Upgrade", &["Upgrade: h2c"], Head(InvalidHeader("Upgrade"))),
        ("Upgrade", &["Upgrade: h2c, websocket"], Head(InvalidHeader("Upgrade"))),
        ("Upgrade", &["Upgrade: websocket", "Upgrade: h2c"], Head(InvalidHeader("Upgrade"))),
        ("Upgrade", &["Upgrade:"], Head(InvalidHeader("Upgrade"))),
        ("Connection", &[], Head(MissingHeader("Connection"))),
        ("Connection", &["Connection: close"], Head(InvalidHeader("Connection"))),
        (ACCEPT, &[], Head(MissingHeader(ACCEPT))),
        (ACCEPT, &["Sec-WebSocket-Accept:"], Response(AcceptMismatch)),
        (
            ACCEPT,
            &[
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            ],
            Head(RepeatedHeader(ACCEPT)),
        ),
        (PROTOCOL, &["Sec-WebSocket-Protocol: other"], Response(UnexpectedSubprotocol)),
        (PROTOCOL, &["Sec-WebSocket-Protocol: CHAT"], Response(UnexpectedSubprotocol)),
        (PROTOCOL, &["Sec-WebSocket-Protocol: chat, superchat"], Response(UnexpectedSubprotocol)),
        (
            PROTOCOL,
            &["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat"],
            Head(RepeatedHeader(PROTOCOL)),
        ),
        (EXTENSIONS, &["Sec-WebSocket-Extensions: foo"], Response(UnexpectedExtension)),
        (EXTENSIONS, &["Sec-WebSocket-Extensions: a b"], Head(InvalidHeader(EXTENSIONS))),
        ("X", &["X"], Head(HeaderLine)),
        ("X", &["X : y"], Head(HeaderLine)),
        ("X", &["X: y\rZ: z"], Head(LineEnding)),
        ("X", &["X", " : y"], Head(HeaderLine)),
        ("X", &["X: y\r z"], Head(LineEnding)),
        ("X", &["X: \0"], Head(ControlByte(0))),
    ] {
        let response = with(RESPONSE, name, lines);
        let outcome = verify(response.as_bytes());
        assert_eq!(outcome, Err(error), "{response}");
    }
}

/// "A user agent that receives an obs-fold in a response message [...] MUST replace each received
/// obs-fold with one or more SP octets prior to interpreting the field value." (RFC 9112, 5.2)
#[test]
fn a_folded_line_of_a_response_is_one_line() {
    const ACCEPT: &str = "Sec-WebSocket-Accept";
    let value = |response: &str, name: &str| {
        let mut client = client();
        assert_eq!(feed(&mut client, [response.as_bytes()]), Ok((true, vec![])), "{response:?}");
        client.response().unwrap().headers().get_str(name).map(str::to_owned)
    };
    for (lines, folded) in [
        (&["X: y", " z"][..], "y  z"),
        (&["X:", " z"], "z"),
        (&["X: y", " z: a", " b"], "y  z: a  b"),
        (&["X: y\n z"], "y  z"),
        (&["X: y", " "], "y"),
    ] {
        let response = with(RESPONSE, "X", lines);
        assert_eq!(feed_at_every_cut(client, response.as_bytes()), Ok((true, vec![])));
        assert_eq!(value(&response, "X").as_deref(), Some(folded), "{response:?}");
    }
    // A header of the handshake too, and one that is only a part of another is none.
    let folded = RESPONSE.replace(&format!("{ACCEPT}: "), &format!("{ACCEPT}:\r\n\t "));
    assert_eq!(value(&folded, ACCEPT).as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let hidden = RESPONSE.replace(ACCEPT, &format!("X: y\r\n {ACCEPT}"));
    let missing = Err(Head(MissingHeader(ACCEPT)));
    assert_eq!(feed_at_every_cut(client, hidden.as_bytes()), missing);
    // Each continuation counts for the limit on bytes, and for no other.
    let many = with(RESPONSE, "X", &[vec!["X: y"], vec![" z"; 1000]].concat());
    assert_eq!(value(&many, "X").map(|value| value.len()), Some(3001));
    let endless = with(RESPONSE, "X", &[vec!["X: y"], vec![" z"; 10_000]].concat());
    let too_large = Err(Head(HeadError::TooLarge { limit: 16384 }));
    assert_eq!(feed(&mut client(), [endless.as_bytes()]), too_large);
}

/// "A recipient that receives whitespace between the start-line and the first header field MUST
/// either reject the message as invalid or consume each whitespace-preceded line without further
/// processing of it" (RFC 9112, 2.2).
#[test]
fn white_space_before_the_first_header_is_refused() {
    for line in [" X: y\r\n", "\tX: y\r\n", " \r\n", " X: y\n"] {
        let response = RESPONSE.replacen("\r\n", &format!("\r\n{line}"), 1);
        let refused = Err(Head(FoldedLine));
        assert_eq!(feed_at_every_cut(client, response.as_bytes()), refused, "{response:?}");
    }
}

/// "a recipient MAY recognize a single LF as a line terminator" (RFC 9112, 2.2)
#[test]
fn lines_of_a_response_may_end_in_lf_alone() {
    let frame = b"\x81\x00";
    for response in [
        RESPONSE.replace("\r\n", "\n"),
        RESPONSE.replacen("\r\n", "\n", 1),
        RESPONSE.replace("\r\n\r\n", "\r\n\n"),
        RESPONSE.replace("\r\n\r\n", "\n\r\n"),
    ] {
        let bytes = [response.as_bytes(), frame].concat();
        let outcome = verify(&bytes);
        assert_eq!(outcome, Ok((true, frame.to_vec())), "{response:?}");
    }
}

#[test]
fn a_subprotocol_that_was_not_offered_is_refused_when_none_was() {
    let offer = offer("ws://server.example.com/chat");
    let client = || {
        ClientHandshake::start(&offer, NONCE, HeadLimits::new(), &mut SendBuffer::new()).unwrap()
    };
    assert_eq!(
        feed_at_every_cut(client, RESPONSE.as_bytes()),
        Err(Response(UnexpectedSubprotocol))
    );
}

#[test]
fn each_status_line_that_is_wrong_has_its_error() {
    for (line, error) in [
        ("HTTP/1.0 101 Switching Protocols", Head(HttpVersion)),
        ("HTTP/1.2 101 Switching Protocols", Head(HttpVersion)),
        ("HTTP/1.1  101 Switching Protocols", Head(StartLine)),
        ("HTTP/1.1 1010 Switching Protocols", Head(StartLine)),
        ("HTTP/1.1 10 Switching Protocols", Head(StartLine)),
        ("HTTP/1.1 +101 Switching Protocols", Head(StartLine)),
        ("HTTP/1.1 099 x", Head(StartLine)),
        ("HTTP/1.1 101\tx", Head(StartLine)),
        ("HTTP/1.1 ", Head(StartLine)),
        ("HTTP/1.1", Head(StartLine)),
        ("HTTP/2 101 x", Head(StartLine)),
        ("http/1.1 101 x", Head(StartLine)),
        ("HTTP/1.11 101 x", Head(StartLine)),
        ("ICY 200 OK", Head(StartLine)),
        ("GET /chat HTTP/1.1", Head(StartLine)),
        ("", Head(StartLine)),
        (" HTTP/1.1 101 x", Head(StartLine)),
        ("HTTP/1.1 101 \0", Head(ControlByte(0))),
        ("HTTP/1.1\n", Head(LineEnding)),
        ("HTTP/1.1 101 x\rX: y", Head(LineEnding)),
    ] {
        let response = with_first_line(RESPONSE, line);
        let outcome = verify(response.as_bytes());
        assert_eq!(outcome, Err(error), "{response}");
    }
}

#[test]
fn what_is_not_http_is_refused_at_its_first_bytes() {
    for bytes in [&b"\x15"[..], b"SSH", b"<", b"HTTQ", b"HTTP/2", b"HTTP/1.11", b"\x81"] {
        let outcome = feed(&mut client(), [bytes]);
        assert!(
            matches!(outcome, Err(Head(StartLine | ControlByte(_)))),
            "{}: {outcome:?}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn interim_responses_are_skipped() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 199 x\r\n\r\n";
    let bytes = format!("{interim}{RESPONSE}\u{1}");
    assert_eq!(feed_at_every_cut(client, bytes.as_bytes()), Ok((true, vec![1])));

    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    assert_eq!(
        feed(&mut client(), [endless.as_bytes()]),
        Err(HandshakeError::Head(HeadError::TooLarge { limit: 16384 }))
    );
}

/// Status, headers and body of the error, at every cut; the transport ends behind `bytes` if
/// `eof`.
fn status_error(bytes: &[u8], eof: Option<()>) -> (u16, String, usize, Vec<u8>) {
    let whole = [bytes];
    let cuts = (0..=bytes.len()).map(|cut| <[&[u8]; 2]>::from(bytes.split_at(cut)).to_vec());
    let mut outcomes: Vec<_> = cuts
        .chain([whole.to_vec(), bytes.chunks(1).collect()])
        .map(|pieces| {
            let mut client = client();
            let outcome = feed(&mut client, pieces);
            match (outcome, eof) {
                (Err(error), None) => error,
                (Ok((false, _)), Some(())) => client.receive_eof().unwrap_err(),
                (outcome, _) => panic!("{outcome:?}: {}", bytes.escape_ascii()),
            }
        })
        .collect();
    outcomes.dedup();
    let [HandshakeError::Response(ResponseError::Status(response))] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    parsed::same_verification(bytes, &rfc_offer(), &Err(outcomes[0].clone()));
    let reason = response.reason().to_owned();
    (response.status(), reason, response.headers().len(), response.body().to_vec())
}

#[test]
fn another_status_is_an_error_with_headers_and_body() {
    const EOF: Option<()> = Some(());
    for (bytes, eof, status, reason, headers, body) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!more",
            None,
            404,
            "Not Found",
            1,
            "no!",
        ),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", None, 403, "Forbidden", 1, ""),
        ("HTTP/1.1 500\r\nA: b\r\nC: d\r\n\r\nup to the end", EOF, 500, "", 2, "up to the end"),
        ("HTTP/1.0 200 OK\r\n\r\n", EOF, 200, "OK", 0, ""),
        ("HTTP/1.1 502 x\r\nContent-Length: 9\r\n\r\nshort", EOF, 502, "x", 1, "short"),
        ("HTTP/1.1 204 No Content\r\n\r\n", None, 204, "No Content", 0, ""),
        (
            "HTTP/1.1 401 x\r\nTransfer-Encoding: chunked\r\nWWW-Authenticate: Basic\r\n\r\n\
             2\r\nab\r\n3;x\r\ncde\r\n0\r\n\r\n",
            None,
            401,
            "x",
            2,
            "abcde",
        ),
        (
            "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 999 y\r\nContent-Length: 1\r\n\r\nz",
            None,
            999,
            "y",
            1,
            "z",
        ),
    ] {
        let outcome = status_error(bytes.as_bytes(), eof);
        assert_eq!(outcome, (status, reason.into(), headers, body.into()), "{bytes}");
    }
}

#[test]
fn no_more_of_the_body_is_kept_than_the_limit() {
    let bytes = [b"HTTP/1.1 500 x\r\n\r\n", &[b'x'; 5000][..]].concat();
    let (status, _, _, body) = status_error(&bytes, None);
    assert_eq!((status, body), (500, vec![b'x'; 4096]));

    for limit in [0, 1, 100] {
        let limits = HeadLimits::new().body(limit);
        let offer = offer("ws://a");
        let mut client =
            ClientHandshake::start(&offer, NONCE, limits, &mut SendBuffer::new()).unwrap();
        let Err(HandshakeError::Response(ResponseError::Status(response))) =
            feed(&mut client, [&*bytes])
        else {
            panic!("not at {limit}")
        };
        assert_eq!(response.body().len(), limit);
    }
}

#[test]
fn an_answer_whose_body_never_ends_is_an_error_when_time_is_up() {
    let mut client = client();
    let bytes = b"HTTP/1.1 503 Busy\r\nRetry-After: 5\r\n\r\nlat";
    assert_eq!(feed(&mut client, [&bytes[..]]), Ok((false, vec![])));
    let Err(HandshakeError::Response(ResponseError::Status(response))) = client.time_out() else {
        panic!()
    };
    assert_eq!((response.status(), response.body()), (503, &b"lat"[..]));
    assert_eq!(response.headers().get_str("retry-after"), Some("5"));
    assert_eq!(
        HandshakeError::Response(ResponseError::Status(response)).to_string(),
        "the server answered 503 Busy"
    );
}

#[test]
fn the_error_of_a_redirect_names_the_policy_that_follows_it() {
    for (status, is_followed) in [
        (300, false),
        (301, true),
        (302, true),
        (303, true),
        (304, false),
        (307, true),
        (308, true),
        (401, false),
    ] {
        let bytes = format!("HTTP/1.1 {status} Reason\r\nContent-Length: 0\r\n\r\n");
        let error = feed(&mut client(), [bytes.as_bytes()]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the server answered {status} Reason")), "{error}");
        assert_eq!(error.contains("RedirectPolicy"), is_followed, "{error}");
    }
}

#[test]
fn limits_are_exact_and_configurable() {
    let offer = offer("ws://a").subprotocol("chat");
    let length = RESPONSE.len();
    for (limits, outcome) in [
        (HeadLimits::new().bytes(length), Ok((true, vec![]))),
        (
            HeadLimits::new().bytes(length - 1),
            Err(HandshakeError::Head(HeadError::TooLarge { limit: length - 1 })),
        ),
        (HeadLimits::new().headers(4), Ok((true, vec![]))),
        (
            HeadLimits::new().headers(3),
            Err(HandshakeError::Head(HeadError::TooManyHeaders { limit: 3 })),
        ),
    ] {
        let client =
            || ClientHandshake::start(&offer, NONCE, limits, &mut SendBuffer::new()).unwrap();
        assert_eq!(feed_at_every_cut(client, RESPONSE.as_bytes()), outcome, "{limits:?}");
    }
    // Each head may have as many headers.
    let limits = HeadLimits::new().headers(4);
    let client = || ClientHandshake::start(&offer, NONCE, limits, &mut SendBuffer::new()).unwrap();
    for (lines, outcome) in [
        (4, Ok((true, vec![]))),
        (5, Err(HandshakeError::Head(HeadError::TooManyHeaders { limit: 4 }))),
    ] {
        let bytes = format!("HTTP/1.1 103 Early\r\n{}\r\n{RESPONSE}", "A: b\r\n".repeat(lines));
        assert_eq!(feed_at_every_cut(client, bytes.as_bytes()), outcome, "{lines}");
    }
}

/// In a line: bytes that are no text are escaped.
#[test]
fn debug_output_shows_the_response() {
    let refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX: y\r\n\r\n\xffz";
    let text = format!("{:?}", feed(&mut client(), [&refusal[..]]).unwrap_err());
    for part in ["404", "Content-Length: 2, X: y", "\\xffz"] {
        assert!(text.contains(part), "{text} does not have {part}");
    }
}

/// A gateway that is a client too answers 502; the response is the program's to look at.
#[test]
fn a_refusal_carries_the_response_and_other_errors_have_none() {
    let error = feed(&mut client(), [&b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"[..]])
        .unwrap_err();
    assert_eq!((error.status(), error.response().unwrap().status()), (502, 404));
    let error = client().receive_eof().unwrap_err();
    assert_eq!((error.status(), error.response()), (400, None));
}
