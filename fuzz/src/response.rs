//! `response`: any answer to a client. It takes those that a plain reading of RFC 6455, 4.1 takes,
//! however they arrive, and no others; of a refusal it keeps no more than it may.
//!
//! An input is what a server sends, as it is; lines are mutated as lines.

use sansock::{ReceiveBuffer, SendBuffer};
use sansock::handshake::{ResponseError, ClientHandshake, HandshakeError, HeadLimits, Offer};

use crate::feed::Cuts;
use crate::http::{self, Head, Read};

/// Lines that mutations put in; the first accept is the right one.
pub const LINES: [&str; 28] = [
    "Upgrade: websocket",
    "Upgrade: WebSocket",
    "Upgrade: websocket, h2c",
    "Upgrade: h2c",
    "Connection: Upgrade",
    "Connection: keep-alive, upgrade",
    "Connection: close",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=",
    "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "Sec-WebSocket-Protocol: chat",
    "Sec-WebSocket-Protocol: superchat",
    "Sec-WebSocket-Protocol: Chat",
    "Sec-WebSocket-Protocol: other",
    "Sec-WebSocket-Extensions: permessage-deflate",
    "Sec-WebSocket-Extensions: ",
    "Content-Length: 5",
    "Content-Length: 18446744073709551616",
    "Transfer-Encoding: chunked",
    "Location: ws://example.org/",
    "HTTP/1.1 101 Switching Protocols",
    "HTTP/1.1 103 Early Hints",
    "HTTP/1.1 101 x\r\n\r\nHTTP/1.1 101 Switching Protocols",
    "HTTP/1.0 101 Switching Protocols",
    "HTTP/1.1 404 Not Found",
    "HTTP/1.1 204",
    "X: y\r\n z",
    "Upgrade:\r\n\twebsocket",
];

const LIMITS: HeadLimits = HeadLimits::new().bytes(700).headers(16).body(64);

/// See the module.
pub fn check(bytes: &[u8]) {
    let whole = read(bytes, Cuts::Whole);
    for cuts in [Cuts::Bytes, Cuts::Drawn(bytes.len() as u64)] {
        assert_eq!(read(bytes, cuts), whole, "{cuts:?}");
    }
    match (judge(bytes), &whole.outcome) {
        (Verdict::Incomplete, outcome) => {
            assert!(!matches!(outcome, Ok(true) | Err(HandshakeError::Response(ResponseError::Status(_)))));
        }
        (Verdict::Wrong, outcome) => {
            assert!(!matches!(outcome, Ok(_) | Err(HandshakeError::Response(ResponseError::Status(_)))), "{outcome:?}");
        }
        (Verdict::Refused(status, body), Err(HandshakeError::Response(ResponseError::Status(response)))) => {
            assert_eq!(response.status(), status);
            assert!(response.body().len() <= LIMITS.body);
            if let Some(body) = body {
                assert_eq!(response.body(), &body[..body.len().min(LIMITS.body)]);
            }
        }
        (Verdict::Open { subprotocol, length }, outcome) => {
            assert_eq!(outcome, &Ok(true), "refused, and right");
            assert_eq!(whole.subprotocol, subprotocol);
            assert_eq!(whole.rest, &bytes[length..], "what follows the head stays");
        }
        (Verdict::Refused(status, _), outcome) => panic!("{status} gave {outcome:?}"),
    }
}

/// What came of an answer, and of the transport's end behind it.
#[derive(Debug, PartialEq)]
struct Outcome {
    outcome: Result<bool, HandshakeError>,
    rest: Vec<u8>,
    subprotocol: Option<String>,
}

fn read(bytes: &[u8], cuts: Cuts) -> Outcome {
    let offer = Offer::new("ws://example.com/chat".parse().expect("a URL"))
        .subprotocol("chat")
        .subprotocol("superchat");
    let mut output = SendBuffer::new();
    let mut handshake = ClientHandshake::start(&offer, *b"the sample nonce", LIMITS, &mut output)
        .expect("a right offer");
    let mut input = ReceiveBuffer::new();
    let mut outcome = Ok(false);
    for piece in cuts.pieces(bytes) {
        input.extend_from_slice(piece);
        if outcome == Ok(false) {
            outcome = handshake.advance(&mut input);
        }
    }
    if outcome == Ok(false) {
        let end = if bytes.len().is_multiple_of(2) {
            handshake.receive_eof()
        } else {
            handshake.time_out()
        };
        outcome = end.map(|()| false);
        assert!(outcome.is_err(), "the end amid the handshake is an error");
    }
    match &outcome {
        Err(error) => {
            assert_eq!(handshake.advance(&mut input), Err(error.clone()), "once and for all");
            assert!(handshake.established().is_none() && handshake.response().is_none());
        }
        Ok(_) => assert_eq!(handshake.response().map(|it| it.status()), Some(101)),
    }
    let subprotocol = handshake.established().and_then(|it| it.subprotocol().map(str::to_owned));
    let rest = if outcome.is_ok() { input.as_slice().to_vec() } else { Vec::new() };
    Outcome { outcome, rest, subprotocol }
}

/// What an answer is.
enum Verdict<'h> {
    Incomplete,
    Wrong,
    /// Another status than 101; the body, where it is plain to see.
    Refused(u16, Option<&'h [u8]>),
    Open {
        subprotocol: Option<String>,
        length: usize,
    },
}

fn judge(bytes: &[u8]) -> Verdict<'_> {
    let mut at = 0;
    loop {
        let unfolded = http::unfolded(&bytes[at..]);
        let head = match http::lenient_head(&unfolded) {
            Read::Incomplete => return Verdict::Incomplete,
            Read::Wrong => return Verdict::Wrong,
            Read::Complete(head) => head,
        };
        at += head.length;
        let Some((version, status)) = status_line(head.line) else { return Verdict::Wrong };
        if at > LIMITS.bytes || head.fields.len() > LIMITS.headers {
            return Verdict::Wrong;
        }
        match status {
            101 if version == b'1' => return judge_open(&head, at),
            101 => return Verdict::Wrong,
            // Interim responses.
            100..=199 => {}
            status => return Verdict::Refused(status, body(&head, status, &bytes[at..])),
        }
    }
}

/// `HTTP-version SP status-code SP [ reason-phrase ]`, the second blank left out by some.
fn status_line(line: &[u8]) -> Option<(u8, u16)> {
    let line: String = line.iter().map(|byte| char::from(*byte)).collect();
    let rest = line.strip_prefix("HTTP/1.")?;
    let mut words = rest.splitn(3, ' ');
    let (version, code) = (words.next()?, words.next()?);
    let is_number = |text: &str| text.chars().all(|digit| digit.is_ascii_digit());
    if version.len() != 1 || code.len() != 3 || !is_number(version) || !is_number(code) {
        return None;
    }
    let code: u16 = code.parse().ok()?;
    (code >= 100).then_some((version.as_bytes()[0], code))
}

/// RFC 6455, 4.1, items 2 to 6 of what the client must validate.
fn judge_open<'h>(head: &Head<'_>, length: usize) -> Verdict<'h> {
    let upgrade = head.list("upgrade");
    let right = !upgrade.is_empty()
        && upgrade.iter().all(|it| it.eq_ignore_ascii_case(b"websocket"))
        && head.has("connection", "upgrade")
        && head.one("sec-websocket-accept") == Some(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        // None was offered.
        && head.list("sec-websocket-extensions").is_empty();
    let subprotocol = match head.all("sec-websocket-protocol").as_slice() {
        [] | [b""] => None,
        [name @ (b"chat" | b"superchat")] => Some(String::from_utf8_lossy(name).into_owned()),
        _ => return Verdict::Wrong,
    };
    if right { Verdict::Open { subprotocol, length } } else { Verdict::Wrong }
}

/// The body up to the end of what there is, unless it is chunked or its length is not plain.
fn body<'h>(head: &Head<'_>, status: u16, behind: &'h [u8]) -> Option<&'h [u8]> {
    if matches!(status, 204 | 304) {
        return Some(&[]);
    }
    if !head.all("transfer-encoding").is_empty() {
        return None;
    }
    if head.all("content-length").is_empty() {
        return Some(behind);
    }
    let length = head.one("content-length").filter(|it| it.iter().all(u8::is_ascii_digit))?;
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    Some(&behind[..behind.len().min(length)])
}
