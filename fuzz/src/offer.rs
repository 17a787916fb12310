//! `offer`: whatever a program puts into an offer, an answer or a rejection, what goes out is one
//! head that says just that, and that the other end takes; or nothing goes out.
//!
//! An input is pieces: a kind, a length, and so many bytes of text.

use sansock::{ReceiveBuffer, SendBuffer};
use sansock::handshake::{Answer, ClientHandshake, HeadLimits, Offer, Rejection, ServerHandshake};

use crate::http::{self, Head, Read};

const LIMITS: HeadLimits = HeadLimits::new().bytes(1 << 20).headers(2000);

/// What the program asks for.
#[derive(Debug, Default)]
struct Wish {
    url: Option<String>,
    origin: Option<String>,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    chosen: Option<String>,
    answer_headers: Vec<(String, String)>,
    status: u16,
    body: Vec<u8>,
}

impl Wish {
    fn read(mut bytes: &[u8]) -> Self {
        let mut wish = Self { status: 404, ..Self::default() };
        let next = |bytes: &mut &[u8]| -> Option<(u8, String)> {
            let (&[kind, length], rest) = bytes.split_first_chunk()?;
            let (text, behind) = rest.split_at(rest.len().min(length.into()));
            *bytes = behind;
            Some((kind, String::from_utf8_lossy(text).into_owned()))
        };
        while let Some((kind, text)) = next(&mut bytes) {
            match kind % 8 {
                0 => wish.subprotocols.push(text),
                1 => wish.origin = Some(text),
                2 | 3 => {
                    let value = next(&mut bytes).map(|(_, value)| value).unwrap_or_default();
                    let headers =
                        if kind % 8 == 2 { &mut wish.headers } else { &mut wish.answer_headers };
                    headers.push((text, value));
                }
                4 => wish.chosen = Some(text),
                5 => wish.url = Some(text),
                6 => {
                    wish.status = text.bytes().fold(0, |sum: u16, it| {
                        sum.wrapping_mul(10).wrapping_add(u16::from(it.wrapping_sub(b'0')))
                    })
                }
                _ => wish.body = text.into_bytes(),
            }
        }
        wish
    }
}

/// See the module.
pub fn check(bytes: &[u8]) {
    let wish = Wish::read(bytes);
    let url = wish.url.as_deref().unwrap_or("ws://example.com/").parse();
    let Ok(uri) = url else { return };
    let mut offer = Offer::new(uri);
    for name in &wish.subprotocols {
        offer = offer.subprotocol(name);
    }
    if let Some(origin) = &wish.origin {
        offer = offer.origin(origin);
    }
    for (name, value) in &wish.headers {
        offer = offer.header(name, value);
    }
    let mut output = SendBuffer::new();
    let start = ClientHandshake::start(&offer, *b"the sample nonce", LIMITS, &mut output);
    let right = is_right_offer(&wish, offer.uri().userinfo().is_some());
    assert_eq!(start.is_ok(), right, "{start:?}");
    let Ok(client) = start else {
        assert!(output.is_empty(), "refused, so nothing was written");
        return;
    };
    let head = one_head(output.as_slice());
    has_all(&head, &wish.headers);
    let offered = head.list("sec-websocket-protocol");
    assert!(
        offered.iter().eq(wish
            .subprotocols
            .iter()
            .map(|it| it.as_bytes())
            .collect::<Vec<_>>()
            .iter())
    );
    // Non-ASCII text is no Origin, though it may stand in a header.
    if wish.origin.as_ref().is_none_or(|origin| origin.is_ascii()) {
        answer(&wish, output.as_slice(), client);
    }
}

/// RFC 6455, 4.1, and RFC 9110, 5: what a program may ask for.
fn is_right_offer(wish: &Wish, has_credentials: bool) -> bool {
    let names = &wish.subprotocols;
    let unique = names.iter().enumerate().all(|(i, name)| !names[..i].contains(name));
    let reserved = |name: &str| {
        name.starts_with("sec-websocket-")
            || ["host", "upgrade", "connection", "origin", "content-length", "transfer-encoding"]
                .contains(&name)
            || (has_credentials && name == "authorization")
    };
    unique
        && names.iter().all(|name| http::is_token(name.as_bytes()))
        && wish.origin.as_ref().is_none_or(|origin| !origin.is_empty() && is_value(origin))
        && wish.headers.iter().all(|(name, value)| is_header(name, value, reserved))
}

fn is_header(name: &str, value: &str, reserved: impl Fn(&str) -> bool) -> bool {
    http::is_token(name.as_bytes()) && is_value(value) && !reserved(&name.to_ascii_lowercase())
}

/// `field-value`: no control characters but tabs, and no blanks around it.
fn is_value(text: &str) -> bool {
    let blank = |it: char| it == ' ' || it == '\t';
    text.trim_matches(blank) == text
        && text.chars().all(|it| it == '\t' || (it as u32 >= 0x20 && it != '\x7f'))
}

/// What was written is one head and nothing else.
fn one_head(bytes: &[u8]) -> Head<'_> {
    match http::head(bytes) {
        Read::Complete(head) if head.length == bytes.len() => head,
        other => panic!("{other:?} of {}", bytes.escape_ascii()),
    }
}

fn has_all(head: &Head<'_>, headers: &[(String, String)]) {
    for (name, _) in headers {
        let values = headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        let values: Vec<&[u8]> = values.map(|(_, value)| value.as_bytes()).collect();
        assert_eq!(head.all(&name.to_ascii_lowercase()), values, "{name}");
    }
}

/// The server's part.
fn answer(wish: &Wish, request: &[u8], mut client: ClientHandshake) {
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(request);
    let mut server = ServerHandshake::new(LIMITS);
    assert_eq!(server.advance(&mut input), Ok(true), "{}", request.escape_ascii());
    let request = server.request().expect("there is a request");
    let (mut answer, mut rejection) = (Answer::new(), Rejection::new(wish.status));
    if let Some(chosen) = &wish.chosen {
        answer = answer.subprotocol(chosen);
    }
    for (name, value) in &wish.answer_headers {
        (answer, rejection) = (answer.header(name, value), rejection.header(name, value));
    }

    let mut output = SendBuffer::new();
    let reserved =
        |name: &str| matches!(name, "connection" | "content-length" | "transfer-encoding");
    let right = wish.answer_headers.iter().all(|(name, value)| is_header(name, value, reserved))
        && (200..=599).contains(&wish.status)
        && (wish.body.is_empty() || !matches!(wish.status, 204 | 205 | 304));
    let rejected = request.reject(&rejection.body(wish.body.clone()), &mut output);
    assert_eq!(rejected.is_ok(), right, "{rejected:?}");
    if right {
        judge_rejection(wish, output.as_slice());
    }

    let mut output = SendBuffer::new();
    let reserved =
        |name: &str| reserved(name) || name == "upgrade" || name.starts_with("sec-websocket-");
    let right = wish.answer_headers.iter().all(|(name, value)| is_header(name, value, reserved))
        && wish.chosen.as_ref().is_none_or(|chosen| wish.subprotocols.contains(chosen));
    let accepted = request.accept(&answer, &mut output);
    assert_eq!(accepted.is_ok(), right, "{accepted:?}");
    assert_eq!(output.is_empty(), !right, "refused, so nothing was written");
    let Ok(established) = accepted else { return };
    has_all(&one_head(output.as_slice()), &wish.answer_headers);
    assert_eq!(established.subprotocol(), wish.chosen.as_deref());
    input.extend_from_slice(output.as_slice());
    assert_eq!(client.advance(&mut input), Ok(true), "{}", output.as_slice().escape_ascii());
    let open = client.established().expect("open");
    assert_eq!(open.subprotocol(), wish.chosen.as_deref());
}

fn judge_rejection(wish: &Wish, bytes: &[u8]) {
    let Read::Complete(head) = http::head(bytes) else { panic!("{}", bytes.escape_ascii()) };
    assert!(head.line.starts_with(format!("HTTP/1.1 {} ", wish.status).as_bytes()));
    assert!(head.has("connection", "close"));
    assert_eq!(&bytes[head.length..], wish.body);
    let length = wish.body.len().to_string();
    let due = (wish.status != 204).then_some(length.as_bytes());
    assert_eq!(head.one("content-length"), due);
    has_all(&head, &wish.answer_headers);
}
