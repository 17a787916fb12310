//! Messages that own their memory.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use sansock::{AsMessage, Compression, Event, OutgoingMessage, OwnedMessage, ReceiveBuffer};

/// A message that owns its memory. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Text.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// The payload from which on taking the memory over costs less than a copy of the exact size.
    const WORTH_TAKING: usize = 64 << 10;

    /// Takes the message that `input` lends, if it lends one.
    pub(crate) fn take(input: &mut ReceiveBuffer) -> Option<Self> {
        match input.event()? {
            Event::Message(message) if message.len() < Self::WORTH_TAKING => Some(message.into()),
            Event::Message(_) => Some(input.take_message()?.into()),
            _ => None,
        }
    }

    /// Returns the message, borrowed.
    #[must_use]
    pub fn as_message(&self) -> sansock::Message<'_> {
        match self {
            Self::Text(text) => sansock::Message::Text(text),
            Self::Binary(bytes) => sansock::Message::Binary(bytes),
        }
    }

    /// Returns the text, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.as_message().as_text()
    }

    /// Returns the payload's bytes, whatever the type.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.as_message().as_bytes()
    }

    /// Returns the payload, whatever the type.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl AsMessage for Message {
    fn as_outgoing(&self) -> OutgoingMessage<'_> {
        self.as_message().with_compression(Compression::Auto)
    }
}

/// Shows the text, or the length of a binary message.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_message().fmt(f)
    }
}

impl From<sansock::Message<'_>> for Message {
    fn from(message: sansock::Message<'_>) -> Self {
        match message {
            sansock::Message::Text(text) => Self::Text(text.into()),
            sansock::Message::Binary(bytes) => Self::Binary(Bytes::copy_from_slice(bytes)),
        }
    }
}

impl From<OwnedMessage> for Message {
    fn from(message: OwnedMessage) -> Self {
        match message {
            OwnedMessage::Text(text) => Self::Text(text.into()),
            OwnedMessage::Binary(bytes) => Self::Binary(bytes.into()),
        }
    }
}

macro_rules! message_from {
    ($($variant:ident: $($type:ty),+;)*) => {$($(
        impl From<$type> for Message {
            fn from(payload: $type) -> Self {
                Self::$variant(payload.into())
            }
        }
    )+)*};
}

message_from! {
    Text: ByteString, String, &'static str;
    Binary: Bytes, Vec<u8>, &'static [u8];
}
