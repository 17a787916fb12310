//! The event that a buffer lends.

use std::ops::Range;

use super::text::{Checked, Place};
use crate::close::{Close, CloseCode};
use crate::event::Event;
use crate::message::{Message, MessageKind, OwnedMessage};

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Message(MessageKind),
    Chunk { kind: MessageKind, fin: bool },
    Ping,
    Pong,
    Close,
}

/// Type of a message's payload; text carries the proof that it was checked.
#[derive(Debug)]
pub(super) enum Content {
    Text(Checked),
    Binary,
}

impl Content {
    #[inline]
    const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary => MessageKind::Binary,
        }
    }
}

/// The event that is lent, and where its bytes are. They do not change until the loan ends.
#[derive(Debug)]
pub(super) struct Lent {
    what: What,
    place: Place,
    positions: Range<usize>,
}

impl Lent {
    /// A whole message.
    #[inline]
    pub(super) fn message(content: &Content, place: Place, positions: Range<usize>) -> Self {
        Self { what: What::Message(content.kind()), place, positions }
    }

    /// A piece of a message.
    pub(super) fn chunk(
        content: &Content,
        fin: bool,
        place: Place,
        positions: Range<usize>,
    ) -> Self {
        Self { what: What::Chunk { kind: content.kind(), fin }, place, positions }
    }

    /// A Ping or a Pong.
    pub(super) fn heartbeat(is_ping: bool, positions: Range<usize>) -> Self {
        let what = if is_ping { What::Ping } else { What::Pong };
        Self { what, place: Place::Wire, positions }
    }

    /// A Close frame; its reason was checked.
    pub(super) fn close(_: &Checked, positions: Range<usize>) -> Self {
        Self { what: What::Close, place: Place::Wire, positions }
    }

    #[inline]
    pub(super) const fn what(&self) -> What {
        self.what
    }

    #[inline]
    pub(super) const fn place(&self) -> Place {
        self.place
    }

    #[inline]
    pub(super) fn positions(&self) -> Range<usize> {
        self.positions.clone()
    }

    /// The event, given its bytes: those at [`positions`](Self::positions) of its place.
    #[inline]
    pub(super) fn event<'b>(&self, bytes: &'b [u8]) -> Event<'b> {
        match self.what {
            What::Message(kind) => Event::Message(message(kind, bytes)),
            // In a function of their own, so that this one is small enough to be inlined.
            what => rarer_event(what, bytes),
        }
    }

    /// The message or piece as an owned one, made from its bytes.
    pub(super) fn own(&self, bytes: Vec<u8>) -> OwnedMessage {
        match self.what {
            What::Message(MessageKind::Text) | What::Chunk { kind: MessageKind::Text, .. } => {
                OwnedMessage::Text(own_text(bytes))
            }
            _ => OwnedMessage::Binary(bytes),
        }
    }
}

#[inline]
fn message(kind: MessageKind, bytes: &[u8]) -> Message<'_> {
    match kind {
        MessageKind::Binary => Message::Binary(bytes),
        MessageKind::Text => Message::Text(as_text(bytes)),
    }
}

#[inline(never)]
fn rarer_event(what: What, bytes: &[u8]) -> Event<'_> {
    match what {
        What::Message(kind) => Event::Message(message(kind, bytes)),
        What::Chunk { kind, fin } => Event::Chunk { data: message(kind, bytes), fin },
        What::Ping => Event::Ping(bytes),
        What::Pong => Event::Pong(bytes),
        What::Close => Event::Close(match bytes.split_first_chunk() {
            None => Close::default(),
            Some((code, reason)) => {
                Close { code: CloseCode::new(u16::from_be_bytes(*code)), reason: as_text(reason) }
            }
        }),
    }
}

/// The text of bytes that were proven to be UTF-8 when the loan was made.
#[inline]
fn as_text(bytes: &[u8]) -> &str {
    debug_assert!(std::str::from_utf8(bytes).is_ok());
    #[expect(unsafe_code, reason = "a second validation would look at each byte of text twice")]
    // SAFETY: a `Lent` of text or of a Close frame is made only from a `Checked`, which `Text`
    // returns for the bytes at its positions; every change of those bytes ends the loan first.
    unsafe {
        std::str::from_utf8_unchecked(bytes)
    }
}

/// As [`as_text`], for owned bytes.
fn own_text(bytes: Vec<u8>) -> String {
    debug_assert!(std::str::from_utf8(&bytes).is_ok());
    #[expect(unsafe_code, reason = "a second validation would look at each byte of text twice")]
    // SAFETY: as for `as_text`.
    unsafe {
        String::from_utf8_unchecked(bytes)
    }
}
