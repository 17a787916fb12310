//! The opening handshake (RFC 6455, 4), through the public API.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod answers;
mod client;
#[cfg(feature = "http")]
mod extended_connect;
mod offers;
#[cfg(feature = "http")]
mod parsed;
#[cfg(not(feature = "http"))]
#[path = "not_parsed.rs"]
mod parsed;
mod policies;
mod rows;
mod server;

use sansock::handshake::{
    Answer, ClientHandshake, Established, HandshakeError, HeadLimits, Incomplete, Offer, Request,
    ServerHandshake,
};
use sansock::{ReceiveBuffer, Role, SendBuffer};

/// The nonce of the RFC's example: its key is `dGhlIHNhbXBsZSBub25jZQ==`.
const NONCE: [u8; 16] = *b"the sample nonce";

/// The request of section 1.2.
const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";

/// The response of section 1.2.
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: chat\r\n\
    \r\n";

/// The head with all lines of `name` taken out and `lines` put at its end.
fn with(head: &str, name: &str, lines: &[&str]) -> String {
    let kept = |line: &&str| {
        !line.split(':').next().is_some_and(|it| it.eq_ignore_ascii_case(name)) && !line.is_empty()
    };
    let (first, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.split("\r\n").filter(kept).chain(lines.iter().copied());
    let mut changed = format!("{first}\r\n");
    headers.for_each(|line| changed.extend([line, "\r\n"]));
    changed + "\r\n"
}

/// The head with another first line.
fn with_first_line(head: &str, line: &str) -> String {
    format!("{line}\r\n{}", head.split_once("\r\n").unwrap().1)
}

/// Either end, reading.
trait Reader {
    fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, HandshakeError>;

    /// Whether the bytes have this outcome as types of the crate `http` too.
    fn compare(&self, bytes: &[u8], outcome: &Result<bool, HandshakeError>);
}

impl Reader for ServerHandshake {
    fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, HandshakeError> {
        self.advance(input)
    }

    fn compare(&self, bytes: &[u8], outcome: &Result<bool, HandshakeError>) {
        match (outcome, self.request()) {
            (Err(error), _) => parsed::same_request(bytes, Err(error)),
            (_, Some(request)) => parsed::same_request(bytes, Ok(request)),
            (_, None) => {}
        }
    }
}

impl Reader for ClientHandshake {
    fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, HandshakeError> {
        self.advance(input)
    }

    /// It depends on the offer.
    fn compare(&self, _: &[u8], _: &Result<bool, HandshakeError>) {}
}

fn server() -> ServerHandshake {
    ServerHandshake::new(HeadLimits::new())
}

fn offer(uri: &str) -> Offer {
    Offer::new(uri.parse().unwrap())
}

/// What the RFC's client offers.
fn rfc_offer() -> Offer {
    offer("ws://server.example.com/chat").subprotocol("chat").subprotocol("superchat")
}

/// The RFC's client.
fn client() -> ClientHandshake {
    ClientHandshake::start(&rfc_offer(), NONCE, HeadLimits::new(), &mut SendBuffer::new()).unwrap()
}

/// A response to the RFC's client: the outcome at every cut, and of the types of the crate `http`.
fn verify(response: &[u8]) -> Result<(bool, Vec<u8>), HandshakeError> {
    let outcome = feed_at_every_cut(client, response);
    let mut client = client();
    let same = feed(&mut client, [response]).map(|_| client.established().unwrap());
    parsed::same_verification(response, &rfc_offer(), &same);
    outcome
}

/// Feeds the pieces; gives the outcome and, unless it is an error, what was left in the buffer.
fn feed<'p>(
    reader: &mut impl Reader,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Result<(bool, Vec<u8>), HandshakeError> {
    let mut input = ReceiveBuffer::new();
    let (mut outcome, mut bytes) = (reader.advance(&mut input), Vec::new());
    let has_ended = outcome != Ok(false);
    for piece in pieces {
        bytes.extend_from_slice(piece);
        input.extend_from_slice(piece);
        let earlier = outcome;
        outcome = reader.advance(&mut input);
        assert!(
            !matches!(earlier, Ok(true) | Err(_)) || outcome == earlier,
            "{earlier:?} became {outcome:?}"
        );
    }
    if !has_ended {
        reader.compare(&bytes, &outcome);
    }
    outcome.map(|complete| (complete, input.as_slice().to_vec()))
}

/// The same at every cut in two, and byte by byte.
fn feed_at_every_cut<R: Reader>(
    reader: impl Fn() -> R,
    bytes: &[u8],
) -> Result<(bool, Vec<u8>), HandshakeError> {
    let whole = feed(&mut reader(), [bytes]);
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        let outcome = feed(&mut reader(), [head, tail]);
        assert_eq!(outcome, whole, "cut at {cut}: {}", bytes.escape_ascii());
    }
    let outcome = feed(&mut reader(), bytes.chunks(1));
    assert_eq!(outcome, whole, "byte by byte: {}", bytes.escape_ascii());
    whole
}

/// A server's answer to a request, and what it negotiated.
fn serve(request: &[u8], answer: &Answer) -> (Vec<u8>, Result<Established, HandshakeError>) {
    let (mut handshake, mut output) = (server(), SendBuffer::new());
    let outcome = feed(&mut handshake, [request]).and_then(|(complete, _)| {
        assert!(complete, "{}", request.escape_ascii());
        handshake.request().unwrap().accept(answer, &mut output)
    });
    if let Err(error) = &outcome {
        handshake.respond(error, &mut output);
    }
    parsed::same_answer(request, answer, &outcome, output.as_slice());
    (output.as_slice().to_vec(), outcome)
}

/// Reads a request that is right; gives what `see` gives.
fn seen<T>(request: &str, see: impl FnOnce(Request<'_>) -> T) -> T {
    let mut handshake = server();
    assert_eq!(feed(&mut handshake, [request.as_bytes()]), Ok((true, vec![])), "{request}");
    see(handshake.request().unwrap())
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
    if request.trim_start().starts_with("HEAD ") {
        assert!(head.contains("\r\nContent-Length: ") && body.is_empty(), "{response}");
    } else {
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{response}");
    }
    assert_eq!(head.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"), status == 405, "{response}");
    let upgrade = "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    assert_eq!(head.contains(upgrade), status == 426, "{response}");
}

#[test]
fn the_example_of_section_1_2_from_both_ends() {
    let mut output = SendBuffer::new();
    let offer = rfc_offer().origin("http://example.com");
    let mut client = ClientHandshake::start(&offer, NONCE, HeadLimits::new(), &mut output).unwrap();
    let sorted = |head: &[u8]| {
        let mut lines: Vec<_> = str::from_utf8(head).unwrap().lines().map(str::to_owned).collect();
        lines[1..].sort();
        lines
    };
    assert_eq!(sorted(output.as_slice()), sorted(REQUEST.as_bytes()));
    parsed::same_offer(&offer, Ok(output.as_slice()));

    let (response, established) = serve(output.as_slice(), &Answer::new().subprotocol("chat"));
    assert_eq!(response, RESPONSE.as_bytes());
    let established = established.unwrap();
    assert_eq!((established.role(), established.subprotocol()), (Role::Server, Some("chat")));

    assert_eq!(feed(&mut client, [&*response]), Ok((true, vec![])));
    let established = client.established().unwrap();
    assert_eq!((established.role(), established.subprotocol()), (Role::Client, Some("chat")));
    assert_eq!(client.response().unwrap().status(), 101);
}

#[test]
fn frames_behind_the_head_stay_in_the_buffer() {
    let frames = b"\x81\x05Hello\x89\x00\r\n\r\n";
    let bytes = [REQUEST.as_bytes(), frames].concat();
    assert_eq!(feed_at_every_cut(server, &bytes), Ok((true, frames.to_vec())));
    let bytes = [RESPONSE.as_bytes(), frames].concat();
    assert_eq!(verify(&bytes), Ok((true, frames.to_vec())));
}

#[test]
fn nothing_is_decided_before_the_last_byte_of_the_head() {
    for cut in 0..REQUEST.len() {
        let mut handshake = server();
        assert_eq!(feed(&mut handshake, [&REQUEST.as_bytes()[..cut]]), Ok((false, vec![])));
        assert!(handshake.request().is_none());
        assert_eq!(
            handshake.receive_eof(),
            Err(HandshakeError::Incomplete(Incomplete::UnexpectedEof))
        );
    }
    for cut in 0..RESPONSE.len() {
        let mut handshake = client();
        assert_eq!(feed(&mut handshake, [&RESPONSE.as_bytes()[..cut]]), Ok((false, vec![])));
        assert!(handshake.response().is_none() && handshake.established().is_none());
        assert_eq!(
            handshake.receive_eof(),
            Err(HandshakeError::Incomplete(Incomplete::UnexpectedEof))
        );
    }
}

#[test]
fn what_comes_after_a_complete_head_changes_nothing() {
    let (mut server, mut client) = (server(), client());
    feed(&mut server, [REQUEST.as_bytes()]).unwrap();
    feed(&mut client, [RESPONSE.as_bytes()]).unwrap();
    assert_eq!((server.receive_eof(), server.time_out()), (Ok(()), Ok(())));
    assert_eq!((client.receive_eof(), client.time_out()), (Ok(()), Ok(())));
    let second = REQUEST.as_bytes();
    assert_eq!(feed(&mut server, [second]), Ok((true, second.to_vec())));
    assert_eq!(feed(&mut client, [second]), Ok((true, second.to_vec())));
}

#[test]
fn client_and_server_understand_each_other() {
    for (uri, subprotocols, chosen) in [
        ("ws://example.com", &[][..], None),
        ("ws://[::1]:9001?a=b", &["chat"], Some("chat")),
        ("wss://u:p@example.com:444/x/y?z", &["v2.chat", "chat"], Some("chat")),
        ("ws://127.0.0.1/%7E", &["a", "b"], None),
    ] {
        let mut offer = Offer::new(uri.parse().unwrap()).header("X-One", "1").header("X-One", "2");
        for name in subprotocols {
            offer = offer.subprotocol(*name);
        }
        let mut request = SendBuffer::new();
        let mut client =
            ClientHandshake::start(&offer, NONCE, HeadLimits::new(), &mut request).unwrap();
        parsed::same_offer(&offer, Ok(request.as_slice()));
        let mut server = server();
        assert_eq!(feed(&mut server, [request.as_slice()]), Ok((true, vec![])), "{uri}");
        let seen = server.request().unwrap();
        assert_eq!(seen.target(), offer.uri().resource_name());
        assert!(seen.subprotocols().eq(subprotocols.iter().copied()));
        assert!(seen.headers().get_all("x-one").eq([b"1", b"2"]));

        let mut answer = Answer::new().header("Set-Cookie", "a=b");
        if let Some(chosen) = chosen {
            answer = answer.subprotocol(chosen);
        }
        let mut response = SendBuffer::new();
        let established = seen.accept(&answer, &mut response).unwrap();
        assert_eq!(established.subprotocol(), chosen);
        assert_eq!(feed(&mut client, [response.as_slice()]), Ok((true, vec![])));
        assert_eq!(client.established().unwrap().subprotocol(), chosen);
        assert_eq!(client.response().unwrap().headers().get_str("set-cookie"), Some("a=b"));
    }
}

#[test]
fn the_default_limits_are_those_of_new() {
    assert_eq!(HeadLimits::default(), HeadLimits::new());
}
