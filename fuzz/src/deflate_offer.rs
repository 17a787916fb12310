//! `deflate_offer`: permessage-deflate as it is negotiated (RFC 7692, 7.1). A server takes the first
//! offer that it can, and answers what the offer allows; a client takes what it has offered; the two
//! of them agree, and understand each other's messages.
//!
//! An input is three configurations of two bytes (a server's and two of a client's), flags (1: the
//! client offers one), and the value of Sec-WebSocket-Extensions.

use sansock::{Config, Connection, Event, Message, ReceiveBuffer, SendBuffer};
use sansock::deflate::{ContextTakeover, DeflateConfig, NegotiatedDeflate, WindowBits};
use sansock::handshake::{Answer, ClientHandshake, Established, HeadLimits, Offer, ServerHandshake};
use sansock::mask::MaskSource;

use crate::http::{self, Head, Read};
use crate::request::extensions;

/// What a configuration asks for.
#[derive(Clone, Copy, Debug)]
struct Wish {
    server_alone: bool,
    client_alone: bool,
    server_bits: u8,
    client_bits: u8,
}

impl Wish {
    fn read([flags, bits]: [u8; 2]) -> Self {
        Self {
            server_alone: flags & 1 != 0,
            client_alone: flags & 2 != 0,
            server_bits: 9 + (bits & 15) % 7,
            client_bits: 9 + (bits >> 4) % 7,
        }
    }

    fn config(self) -> DeflateConfig {
        let context = |alone| match alone {
            true => ContextTakeover::Forbidden,
            false => ContextTakeover::Allowed,
        };
        let bits = |bits| WindowBits::new(bits).expect("9 to 15");
        DeflateConfig::client()
            .server_context(context(self.server_alone))
            .client_context(context(self.client_alone))
            .server_max_window_bits(bits(self.server_bits))
            .client_max_window_bits(bits(self.client_bits))
            .threshold(0)
    }
}

/// The parameters of an offer or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parameters {
    server_alone: bool,
    client_alone: bool,
    server_bits: Option<u8>,
    /// `Some(None)`: without a value.
    client_bits: Option<Option<u8>>,
}

/// RFC 7692, 7.1: known, once each, with a value where there must be one, and none where not.
fn parameters((name, all): &http::Extension) -> Option<Parameters> {
    if name != b"permessage-deflate" {
        return None;
    }
    let names: Vec<&[u8]> = all.iter().map(|(name, _)| name.as_slice()).collect();
    let unique = names.iter().enumerate().all(|(i, name)| !names[..i].contains(name));
    let mut found = Parameters {
        server_alone: false,
        client_alone: false,
        server_bits: None,
        client_bits: None,
    };
    for (name, value) in all {
        let bits = match value {
            Some(value) => Some((8..=15).find(|it: &u8| it.to_string().as_bytes() == value)?),
            None => None,
        };
        match (name.as_slice(), value) {
            (b"server_no_context_takeover", None) => found.server_alone = true,
            (b"client_no_context_takeover", None) => found.client_alone = true,
            (b"server_max_window_bits", Some(_)) => found.server_bits = bits,
            (b"client_max_window_bits", _) => found.client_bits = Some(bits),
            _ => return None,
        }
    }
    unique.then_some(found)
}

/// See the module.
pub fn check(bytes: &[u8]) {
    let Some((&[a, b, c, d, e, f, flags], value)) = bytes.split_first_chunk() else { return };
    let server = Wish::read([a, b]);
    let clients = [Wish::read([c, d]), Wish::read([e, f])];
    let clients = if flags & 1 != 0 { &clients[..1] } else { &clients[..] };
    both(server, clients);
    // The heads are made here, so nothing that would cut them.
    if value.iter().all(|byte| matches!(byte, 0x20..0x7f | b'\t')) && value.len() < 4096 {
        ask_server(server, value);
        answer_client(clients, value);
    }
}

/// A server gets an offer in any words.
fn ask_server(wish: Wish, value: &[u8]) {
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
          Sec-WebSocket-Extensions: ",
    );
    input.extend_from_slice(value);
    input.extend_from_slice(b"\r\n\r\n");
    let mut handshake = ServerHandshake::new(HeadLimits::new());
    let Ok(true) = handshake.advance(&mut input) else {
        // `request` knows when.
        return;
    };
    let offered = http::extensions(value).expect("the server has taken it");
    let request = handshake.request().expect("there is a request");
    let mut output = SendBuffer::new();
    let answer = Answer::new().deflate(wish.config());
    let established = request.accept(&answer, &mut output).expect("may be accepted");
    let head = one_head(output.as_slice());
    // zlib cannot compress with a window of 8 bits.
    let can = |offer: &Parameters| offer.server_bits != Some(8);
    let Some(offer) = offered.iter().filter_map(parameters).find(can) else {
        assert_eq!(established.deflate(), None);
        assert!(head.all("sec-websocket-extensions").is_empty());
        return;
    };
    let chosen = extensions(&head).expect("well-formed");
    let [chosen] = chosen.as_slice() else { panic!("{chosen:?}") };
    let chosen = parameters(chosen).expect("valid in an answer");
    // 7.1.1 and 7.1.2: what the client demands is granted.
    assert!(chosen.server_alone || !(offer.server_alone || wish.server_alone));
    assert!(chosen.client_alone || !wish.client_alone);
    if let Some(most) = offer.server_bits {
        assert!(chosen.server_bits.is_some_and(|bits| bits <= most));
    }
    assert!(chosen.server_bits.unwrap_or(15) <= wish.server_bits);
    match (offer.client_bits, chosen.client_bits) {
        (None, answered) => assert_eq!(answered, None, "the client has not said that it can"),
        (Some(offered), Some(Some(bits))) => assert!(bits <= offered.unwrap_or(15)),
        (Some(offered), None) => assert!(offered.is_none_or(|it| it == 15)),
        (_, Some(None)) => panic!("without a value in an answer"),
    }
    if offer.client_bits.is_some() {
        assert!(chosen.client_bits.flatten().unwrap_or(15) <= wish.client_bits);
    }
    let holds = holds(established.deflate().expect("negotiated"));
    let client_bits = chosen.client_bits.flatten().unwrap_or(15);
    let due = (chosen.server_alone, chosen.client_alone, chosen.server_bits.unwrap_or(15));
    assert_eq!(holds, (due.0, due.1, due.2, client_bits));
}

/// A client gets an answer in any words.
fn answer_client(wishes: &[Wish], value: &[u8]) {
    let (mut handshake, _) = start(wishes);
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: ",
    );
    input.extend_from_slice(value);
    input.extend_from_slice(b"\r\n\r\n");
    let taken = handshake.advance(&mut input);
    if http::extensions(value).is_some_and(|all| all.is_empty()) {
        // An empty list is none.
        assert_eq!(taken, Ok(true));
        assert!(handshake.established().is_some_and(|it| it.deflate().is_none()));
        return;
    }
    let chosen = http::extensions(value).filter(|all| all.len() == 1 && all[0].1.len() <= 32);
    let chosen = chosen.and_then(|all| parameters(&all[0]));
    let due = chosen.and_then(|it| wishes.iter().find_map(|wish| agree(*wish, it)));
    match due {
        None => assert!(taken.is_err(), "{taken:?}"),
        Some(due) => {
            assert_eq!(taken, Ok(true));
            let established = handshake.established().expect("open");
            assert_eq!(holds(established.deflate().expect("negotiated")), due);
        }
    }
}

/// What holds after an answer; `None` if it is not one to this offer.
fn agree(wish: Wish, answer: Parameters) -> Option<(bool, bool, u8, u8)> {
    let server_bits = answer.server_bits.unwrap_or(15);
    let client_bits = match answer.client_bits {
        None => wish.client_bits,
        Some(bits) => bits.filter(|bits| *bits <= wish.client_bits)?,
    };
    let granted = (answer.server_alone || !wish.server_alone)
        && (wish.server_bits == 15 || answer.server_bits.is_some())
        && server_bits <= wish.server_bits;
    let client_alone = answer.client_alone || wish.client_alone;
    granted.then_some((answer.server_alone, client_alone, server_bits, client_bits))
}

/// Contexts of server and client forbidden, windows of server and client.
fn holds(negotiated: &NegotiatedDeflate) -> (bool, bool, u8, u8) {
    (
        negotiated.server_context() == ContextTakeover::Forbidden,
        negotiated.client_context() == ContextTakeover::Forbidden,
        negotiated.server_max_window_bits(),
        negotiated.client_max_window_bits(),
    )
}

fn start(wishes: &[Wish]) -> (ClientHandshake, SendBuffer) {
    let mut offer = Offer::new("ws://h/".parse().expect("a URL"));
    for wish in wishes {
        offer = offer.deflate(wish.config());
    }
    let mut output = SendBuffer::new();
    let limits = HeadLimits::new();
    let start = ClientHandshake::start(&offer, *b"the sample nonce", limits, &mut output);
    (start.expect("a right offer"), output)
}

fn one_head(bytes: &[u8]) -> Head<'_> {
    match http::head(bytes) {
        Read::Complete(head) if head.length == bytes.len() => head,
        other => panic!("{other:?} of {}", bytes.escape_ascii()),
    }
}

/// Both ends are ours.
fn both(server: Wish, clients: &[Wish]) {
    let (mut client, request) = start(clients);
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(request.as_slice());
    let mut handshake = ServerHandshake::new(HeadLimits::new());
    assert_eq!(handshake.advance(&mut input), Ok(true));
    let request = handshake.request().expect("there is a request");
    let mut output = SendBuffer::new();
    let answer = Answer::new().deflate(server.config());
    let at_server = request.accept(&answer, &mut output).expect("may be accepted");
    input.extend_from_slice(output.as_slice());
    assert_eq!(client.advance(&mut input), Ok(true), "{}", output.as_slice().escape_ascii());
    let at_client = client.established().expect("open");
    let s = holds(at_server.deflate().expect("both can"));
    let c = holds(at_client.deflate().expect("both can"));
    assert_eq!((s.0, s.2), (c.0, c.2), "of the server's messages both know the same");
    assert!(c.1 || !s.1, "the client keeps no context that the server does not");
    assert!(c.3 <= s.3, "nor a larger window");
    exchange(&at_client, &at_server);
}

struct Keys;

impl MaskSource for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        [0x37, 0xfa, 0x21, 0x3d]
    }
}

/// Two messages each way, longer than the smallest windows and much like each other.
fn exchange(at_client: &Established, at_server: &Established) {
    let config = Config::new();
    let text: String = (0..400).map(|i| format!("{} ", i * i % 97)).collect();
    let mut ends: [Connection; 2] =
        [at_client, at_server].map(|it| it.connection_with(&config, Keys));
    for _ in 0..2 {
        let [a, b] = &mut ends;
        transfer(a, b, &text);
        transfer(b, a, &text);
    }
}

fn transfer(from: &mut Connection, to: &mut Connection, text: &str) {
    let (mut output, mut input, mut replies) =
        (SendBuffer::new(), ReceiveBuffer::new(), SendBuffer::new());
    from.send(text, &mut output).expect("open");
    assert!(output.buffered_amount() < text.len() || from_sends_plain(&output));
    input.extend_from_slice(output.as_slice());
    let event = to.next_event(&mut input, &mut replies);
    assert_eq!(event, Ok(Some(Event::Message(Message::Text(text)))));
}

/// Whether the frame is one without RSV1.
fn from_sends_plain(output: &SendBuffer) -> bool {
    output.as_slice()[0] & 0x40 == 0
}
