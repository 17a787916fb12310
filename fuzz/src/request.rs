//! `request`: any head to a server. It takes those that a plain reading of RFC 6455, 4.2.1 and
//! RFC 9112 takes, however they arrive, and no others; what it answers is right as well.
//!
//! An input is what a client sends, as it is; lines are mutated as lines.

use sansock::{ReceiveBuffer, SendBuffer};
use sansock::handshake::{Incomplete, Answer, HandshakeError, HeadLimits, OriginPolicy, Request, ServerHandshake};

use crate::feed::Cuts;
use crate::http::{self, Head, Read};
use crate::url::host_and_port;

/// Lines that mutations put in.
pub const LINES: [&str; 32] = [
    "Host: example.com",
    "Host: [::1]:8080",
    "Host: example.com:80",
    "Upgrade: websocket",
    "Upgrade: h2c, WebSocket",
    "Upgrade: websocket/13",
    "Connection: keep-alive, Upgrade",
    "Connection: upgrade",
    "Connection: close",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Version: 8, 13",
    "Sec-WebSocket-Version: 14",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB==",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j",
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Protocol: chat",
    "Sec-WebSocket-Protocol: a/b",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Extensions: a;b=\"c\\d\", e",
    "Sec-WebSocket-Extensions: a;b=\"c",
    "Origin: https://example.com",
    "Origin: null",
    "Origin:",
    "Expect: 100-continue",
    "Origin: http://example.com:8080",
    "Content-Length: 0",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "GET http://example.com/chat?x HTTP/1.1",
    "GET /chat HTTP/1.0",
];

const LIMITS: HeadLimits = HeadLimits::new().bytes(700).headers(16);

/// See the module.
pub fn check(bytes: &[u8]) {
    let whole = read(bytes, Cuts::Whole);
    for cuts in [Cuts::Bytes, Cuts::Drawn(bytes.len() as u64)] {
        assert_eq!(read(bytes, cuts), whole, "{cuts:?}");
    }
    let (head, accept) = match judge(bytes) {
        Verdict::Incomplete => {
            assert_ne!(whole.outcome, Ok(true), "taken before its end");
            return;
        }
        Verdict::Wrong => {
            assert!(whole.outcome.is_err(), "taken, and wrong");
            return;
        }
        Verdict::Right(head, accept) => (head, accept),
    };
    assert_eq!(whole.outcome, Ok(true), "refused, and right");
    assert_eq!(whole.rest, &bytes[head.length..], "what follows the head stays");
    assert_eq!(whole.accepted.is_some(), accept.is_some(), "a WebSocket request, or a plain one");
    if let (Some(answer), Some(accept)) = (&whole.accepted, accept) {
        judge_answer(answer, &head, &accept);
    }
    assert_eq!(whole.same_host, is_same_host(&head));
}

/// What came of a request.
#[derive(Debug, PartialEq)]
struct Outcome {
    outcome: Result<bool, HandshakeError>,
    /// What was left in the buffer.
    rest: Vec<u8>,
    /// The 101 response.
    accepted: Option<Vec<u8>>,
    /// Whether `OriginPolicy::SameHost` allows it.
    same_host: bool,
}

fn read(bytes: &[u8], cuts: Cuts) -> Outcome {
    let (mut handshake, mut input) = (ServerHandshake::new(LIMITS), ReceiveBuffer::new());
    let mut outcome = Ok(false);
    for piece in cuts.pieces(bytes) {
        input.extend_from_slice(piece);
        if outcome == Ok(false) {
            outcome = handshake.advance(&mut input);
        }
    }
    let mut accepted = None;
    let mut same_host = false;
    match &outcome {
        Ok(true) => {
            let request = handshake.request().expect("there is a request");
            accepted = answer(&request);
            same_host = OriginPolicy::SameHost.check(&request).is_ok();
            judge_origin(&request);
        }
        Ok(false) => {
            assert!(handshake.request().is_none());
            let end = if bytes.len().is_multiple_of(2) {
                (handshake.receive_eof(), HandshakeError::Incomplete(Incomplete::UnexpectedEof))
            } else {
                (handshake.time_out(), HandshakeError::Incomplete(Incomplete::TimedOut))
            };
            assert_eq!(end.0, Err(end.1.clone()));
            assert_eq!(handshake.advance(&mut input), Err(end.1), "once and for all");
        }
        Err(error) => {
            assert_eq!(handshake.advance(&mut input), Err(error.clone()), "once and for all");
            assert!(handshake.request().is_none());
            judge_refusal(&handshake, error, bytes);
        }
    }
    let rest = if outcome == Ok(true) { input.as_slice().to_vec() } else { Vec::new() };
    Outcome { outcome, rest, accepted, same_host }
}

fn answer(request: &Request<'_>) -> Option<Vec<u8>> {
    let mut output = SendBuffer::new();
    let chosen = request.subprotocols().last();
    let answer = chosen.map_or(Answer::new(), |name| Answer::new().subprotocol(name));
    let result = request.accept(&answer, &mut output);
    assert_eq!(result.is_ok(), request.is_websocket());
    assert_eq!(result.is_ok(), !output.is_empty());
    let established = result.ok()?;
    assert_eq!(established.subprotocol(), chosen);
    Some(output.as_slice().to_vec())
}

/// The policies that do not look at the Host.
fn judge_origin(request: &Request<'_>) {
    let list = OriginPolicy::list(["https://example.com", "http://[::1]:8080"]);
    let allowed = list.expect("Origins").check(request).is_ok();
    let lower = request.origin().map(str::to_ascii_lowercase);
    let due = match lower.as_deref() {
        None | Some("https://example.com" | "http://[::1]:8080") => true,
        // The default port, and other ways to write the address.
        Some(other) => {
            let host = other.split_once("://").and_then(|(_, host)| host_and_port(host));
            (other.starts_with("https://")
                && matches!(host, Some((name, None | Some(443))) if name == "example.com"))
                || other.split_once("://").is_some_and(|(scheme, host)| {
                    scheme == "http" && host_and_port(host) == Some(("::1".to_owned(), Some(8080)))
                })
        }
    };
    assert_eq!(allowed, due, "{lower:?}");
    assert!(OriginPolicy::Any.check(request).is_ok());
    let path = request.target().split('?').next();
    assert_eq!(Some(request.path()), path);
    let query = request.query().map_or(String::new(), |query| format!("?{query}"));
    assert_eq!(format!("{}{query}", request.path()), request.target());
}

/// What a request is.
enum Verdict<'h> {
    Incomplete,
    Wrong,
    /// With Sec-WebSocket-Accept, if it asks for WebSocket.
    Right(Head<'h>, Option<String>),
}

/// Empty lines before the request do not matter (RFC 9112, 2.2).
fn after_empty_lines(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.chunks(2).take_while(|it| it == b"\r\n").count() * 2..]
}

fn judge(bytes: &[u8]) -> Verdict<'_> {
    let request = after_empty_lines(bytes);
    let empty = bytes.len() - request.len();
    match http::head(request) {
        Read::Incomplete => Verdict::Incomplete,
        Read::Wrong => Verdict::Wrong,
        Read::Complete(Head { line, fields, length }) => match judge_head(&Head {
            line,
            fields: fields.clone(),
            length: length + empty,
        }) {
            Some(accept) => {
                Verdict::Right(Head { line, fields, length: length + empty }, accept)
            }
            None => Verdict::Wrong,
        },
    }
}

fn judge_head(head: &Head<'_>) -> Option<Option<String>> {
    if head.length > LIMITS.bytes || head.fields.len() > LIMITS.headers {
        return None;
    }
    let (method, target, is_old) = request_line(head)?;
    if is_old && head.all("host").is_empty() {
        // HTTP/1.0 has no Host, so any will do.
        let rest = target.split_once("://").map(|(_, rest)| rest).filter(|_| !target.starts_with('/'));
        let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        let host = host.map_or(Some((String::new(), None)), host_and_port)?;
        if !is_target(target, &host) {
            return None;
        }
    } else {
        let host = std::str::from_utf8(head.one("host")?).ok().and_then(host_and_port)?;
        if !is_target(target, &host) && !(method == "OPTIONS" && target == "*") {
            return None;
        }
    }
    let zeros = |value: &&[u8]| !value.is_empty() && value.iter().all(|it| *it == b'0');
    let no_body = head.all("transfer-encoding").is_empty()
        && (head.all("content-length").is_empty()
            || head.one("content-length").filter(zeros).is_some());
    let one_origin = head.all("origin").is_empty() || head.one("origin")?.is_ascii();
    if !no_body || !one_origin {
        return None;
    }
    // RFC 9110, 7.8.
    let upgrade = head.has("upgrade", "websocket") && !is_old;
    let (key, version) = (head.all("sec-websocket-key"), head.all("sec-websocket-version"));
    if !upgrade && key.is_empty() && version.is_empty() {
        return Some(None);
    }
    judge_websocket(head).filter(|_| method == "GET" && !is_old).map(Some)
}

/// Method, target, and whether it is HTTP/1.0.
fn request_line<'h>(head: &Head<'h>) -> Option<(&'h str, &'h str, bool)> {
    let line = std::str::from_utf8(head.line).ok()?;
    let (method, rest) = line.split_once(' ')?;
    let (target, version) = rest.split_once(' ')?;
    let is_old = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return None,
    };
    matches!(method, "GET" | "HEAD" | "OPTIONS").then_some((method, target, is_old))
}

/// RFC 6455, 4.2.1, items 3 to 9.
fn judge_websocket(head: &Head<'_>) -> Option<String> {
    let right = head.has("upgrade", "websocket")
        && head.has("connection", "upgrade")
        && head.one("sec-websocket-version") == Some(b"13");
    let key = head.one("sec-websocket-key").filter(|key| http::is_key(key))?;
    let protocols = head.list("sec-websocket-protocol");
    let are_tokens = protocols.iter().all(|name| http::is_token(name));
    let unique = protocols.iter().enumerate().all(|(i, name)| !protocols[..i].contains(name));
    let extensions = extensions(head)?;
    // More than a client has reason to offer.
    let few = extensions.len() <= 32 && extensions.iter().all(|(_, all)| all.len() <= 32);
    (right && are_tokens && unique && few).then(|| http::accept(key))
}

/// All extensions of a head; `None` if a line is malformed.
pub(crate) fn extensions(head: &Head<'_>) -> Option<Vec<http::Extension>> {
    let lines = head.all("sec-websocket-extensions").into_iter();
    let lines: Option<Vec<_>> = lines.map(http::extensions).collect();
    Some(lines?.concat())
}

/// A path, or an `http:` or `https:` URL of the host that the Host header names.
fn is_target(target: &str, host: &(String, Option<u16>)) -> bool {
    if !target.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'#') {
        return false;
    }
    if target.starts_with('/') {
        return true;
    }
    let Some((scheme, rest)) = target.split_once("://") else { return false };
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => return false,
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    host_and_port(authority).is_some_and(|(name, port)| {
        let port = port.unwrap_or(default);
        // Which of the two default ports a Host without one means depends on TLS.
        let default = matches!(port, 80 | 443) && host.1.is_none();
        name == host.0 && (host.1 == Some(port) || default)
    })
}

/// Host and port of a target that is a URL.
fn authority(target: &str) -> Option<String> {
    let (scheme, rest) = target.split_once("://").filter(|_| !target.starts_with('/'))?;
    let authority = rest.split(['/', '?']).next()?;
    let default = if scheme.to_ascii_lowercase().ends_with('s') && !scheme.eq_ignore_ascii_case("ws") {
        443
    } else {
        80
    };
    let (_, port) = host_and_port(authority)?;
    Some(if port.is_some() { authority.to_owned() } else { format!("{}:{default}", authority.trim_end_matches(':')) })
}

/// No Origin, an empty one, or that of a page at the Host.
fn is_same_host(head: &Head<'_>) -> bool {
    let Some(origin) = head.one("origin").filter(|it| !it.is_empty()) else { return true };
    let host = match head.one("host") {
        Some(host) => std::str::from_utf8(host).ok().map(str::to_owned),
        None => request_line(head).and_then(|(_, target, _)| authority(target)),
    };
    let Some(host) = host else { return false };
    let origin = String::from_utf8_lossy(origin).to_ascii_lowercase();
    let (default, origin) = match origin.split_once("://") {
        Some(("http", rest)) => (80, rest),
        Some(("https", rest)) => (443, rest),
        _ => return false,
    };
    let whole =
        |text: &str| host_and_port(text).map(|(name, port)| (name, port.unwrap_or(default)));
    whole(origin).is_some() && whole(origin) == whole(&host)
}

/// RFC 6455, 4.2.2.
fn judge_answer(answer: &[u8], request: &Head<'_>, accept: &str) {
    // RFC 9110, 7.8.
    let interim: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let due = if request.has("expect", "100-continue") { interim } else { b"" };
    let answer = answer.strip_prefix(due).expect("an interim response");
    let Read::Complete(head) = http::head(answer) else { panic!("{}", answer.escape_ascii()) };
    assert_eq!(head.length, answer.len(), "nothing follows");
    assert!(head.line.starts_with(b"HTTP/1.1 101 "));
    assert_eq!(head.list("upgrade"), [b"websocket"]);
    assert_eq!(head.list("connection"), [b"Upgrade"]);
    assert_eq!(head.one("sec-websocket-accept"), Some(accept.as_bytes()));
    let chosen = head.all("sec-websocket-protocol");
    assert_eq!(chosen.first(), request.list("sec-websocket-protocol").last());
    assert!(chosen.len() < 2 && head.all("sec-websocket-extensions").is_empty());
}

/// The answer to a request that was refused.
fn judge_refusal(handshake: &ServerHandshake, error: &HandshakeError, request: &[u8]) {
    let mut output = SendBuffer::new();
    handshake.respond(error, &mut output);
    let Read::Complete(head) = http::head(output.as_slice()) else { panic!("{error:?}") };
    let status = format!("HTTP/1.1 {} ", error.status());
    assert!(head.line.starts_with(status.as_bytes()));
    assert!(head.has("connection", "close"), "no second request is read");
    let body = &output.as_slice()[head.length..];
    let length = head.one("content-length").map(<[u8]>::to_vec);
    // RFC 9110, 9.3.2. What is over the limit was not read.
    let read = &request[..request.len().min(LIMITS.bytes)];
    let request = after_empty_lines(read);
    if request.starts_with(b"HEAD ") {
        assert!(body.is_empty() && length.is_some());
    } else {
        assert_eq!(length, Some(body.len().to_string().into_bytes()));
    }
    assert!((400..500).contains(&error.status()), "the fault is the peer's: {error:?}");
    assert_eq!(error.status() == 426, head.one("sec-websocket-version") == Some(b"13"));
    let allow = head.list("allow");
    assert_eq!(error.status() == 405, !allow.is_empty());
    let method = request.split(|byte| *byte == b' ').next().unwrap_or_default();
    assert!(!allow.contains(&method), "allowed, and refused");
}
