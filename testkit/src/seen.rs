//! Owned events, and the events that a receiver returns for given bytes.

use sansock::split::Receiver;
use sansock::{Config, Event, Message, ProtocolError, ReceiveBuffer, Role};

/// An owned event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
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

pub fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

pub fn binary(bytes: &[u8]) -> Seen {
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

/// Returns the events of a receiver of this role for bytes that arrive in these pieces, up to the
/// error if there is one. Consecutive pieces of a message are joined.
pub fn receive<'a>(
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
