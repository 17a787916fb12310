//! Frames built by hand, as the drawing of section 5.2 says, so that the crate's encoder is no witness
//! for its decoder; and what a receiver makes of them.

use sansock::{Config, Event, MaskSource, Message, ProtocolError, ReceiveBuffer, Receiver, Role};

pub(crate) const BOTH: [Role; 2] = [Role::Client, Role::Server];

/// The masking key of the examples in section 5.7.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The first byte of a frame: an opcode, with or without FIN.
pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// Masking as 5.3 defines it, octet by octet.
pub(crate) fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
}

/// A header for a receiver of this role, with the 7 bits of the length as given and then `extended`.
pub(crate) fn raw_header(to: Role, first: u8, length: u8, extended: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, length];
    bytes.extend_from_slice(extended);
    if to == Role::Server {
        bytes[1] |= 0x80;
        bytes.extend_from_slice(&KEY);
    }
    bytes
}

/// A header for a receiver of this role, its length in the shortest form.
pub(crate) fn header(to: Role, first: u8, length: u64) -> Vec<u8> {
    let bytes = length.to_be_bytes();
    match length {
        0..=125 => raw_header(to, first, bytes[7], &[]),
        126..=0xFFFF => raw_header(to, first, 126, &bytes[6..]),
        _ => raw_header(to, first, 127, &bytes),
    }
}

/// A frame for a receiver of this role that announces `length` bytes and holds only `payload`.
pub(crate) fn cut_frame(to: Role, first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(to, first, length);
    match to {
        Role::Server => bytes.extend(masked(payload, KEY)),
        Role::Client => bytes.extend_from_slice(payload),
    }
    bytes
}

/// A frame for a receiver of this role.
pub(crate) fn frame(to: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    cut_frame(to, first, payload.len() as u64, payload)
}

/// A Close frame for a receiver of this role.
pub(crate) fn close_frame(to: Role, code: u16, reason: &[u8]) -> Vec<u8> {
    frame(to, CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// Masking keys that never change, so that the bytes of a client are known.
pub(crate) struct FixedKey;

impl MaskSource for FixedKey {
    fn next_key(&mut self) -> [u8; 4] {
        KEY
    }
}

/// An event, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    TextChunk(String, bool),
    BinaryChunk(Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message(Message::Text(text)) => Self::Text(text.into()),
            Event::Message(Message::Binary(bytes)) => Self::Binary(bytes.into()),
            Event::Chunk { data: Message::Text(text), fin } => Self::TextChunk(text.into(), fin),
            Event::Chunk { data: Message::Binary(bytes), fin } => {
                Self::BinaryChunk(bytes.into(), fin)
            }
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(payload) => Self::Pong(payload.into()),
            Event::Close(close) => {
                Self::Close(close.code.map(sansock::CloseCode::get), close.reason.into())
            }
            other => panic!("an event that the tests do not know: {other:?}"),
        }
    }
}

pub(crate) fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

pub(crate) fn binary(bytes: &[u8]) -> Seen {
    Seen::Binary(bytes.into())
}

/// Adds an event; a piece of a message joins the piece before it.
fn note(seen: &mut Vec<Seen>, event: Seen) {
    match (seen.last_mut(), &event) {
        (Some(Seen::TextChunk(before, over @ false)), Seen::TextChunk(text, fin)) => {
            before.push_str(text);
            *over = *fin;
        }
        (Some(Seen::BinaryChunk(before, over @ false)), Seen::BinaryChunk(bytes, fin)) => {
            before.extend_from_slice(bytes);
            *over = *fin;
        }
        _ => seen.push(event),
    }
}

/// What a receiver of this role makes of bytes that arrive in these pieces: its events up to the
/// error, if there is one. Pieces of messages are joined where nothing came between them.
pub(crate) fn receive<'a>(
    role: Role,
    config: &Config,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let (mut receiver, mut buffer) = (Receiver::new(role, config), ReceiveBuffer::new());
    let mut seen = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match receiver.next_event(&mut buffer) {
                Ok(Some(event)) => note(&mut seen, event.into()),
                Ok(None) => break,
                Err(error) => return (seen, Some(error)),
            }
        }
    }
    (seen, None)
}
