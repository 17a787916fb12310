//! What a connection hands to the program.

use crate::close::Close;

/// The type of a message (RFC 6455, 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Arbitrary bytes.
    Binary,
}

/// A message, or a piece of one, that lies in somebody's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message<'a> {
    /// Text: UTF-8 by its type, checked when it was received (RFC 6455, 8.1).
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The payload's bytes, whatever the type.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Text or binary.
    #[must_use]
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The text, if it is text.
    #[must_use]
    pub const fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Length of the payload in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// When a message is compressed, where permessage-deflate (RFC 7692) was negotiated. Elsewhere it never
/// is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compression {
    /// If it is not shorter than the threshold, and all fragments of a message that is sent in more
    /// than one: how long it will be is not known.
    #[default]
    Auto,
    /// Whatever its length. For what is worth it although it is short.
    Always,
    /// Not at all. For what is compressed already, and for secrets beside which an attacker can have
    /// text of his own sent: the length would tell how much the two have in common.
    Never,
}

/// A message to send, and whether to compress it. Whatever is a [`Message`] is one, with
/// [`Compression::Auto`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutgoingMessage<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) compression: Compression,
}

impl<'a> Message<'a> {
    /// To be sent with this choice, which the first fragment makes for all of its message.
    ///
    /// ```
    /// # let mut buffer = sansock::SendBuffer::new();
    /// # let mut sender = sansock::Sender::server(&sansock::Config::new());
    /// use sansock::{Compression, Message};
    /// let picture = [0xFF, 0xD8, 0xFF, 0xE0];
    /// sender.send(Message::Binary(&picture).with(Compression::Never), &mut buffer)?;
    /// # Ok::<(), sansock::SendError>(())
    /// ```
    #[must_use]
    pub const fn with(self, compression: Compression) -> OutgoingMessage<'a> {
        OutgoingMessage { message: self, compression }
    }
}

impl OutgoingMessage<'_> {
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.message.len()
    }
}

impl<'a, M: Into<Message<'a>>> From<M> for OutgoingMessage<'a> {
    #[inline]
    fn from(message: M) -> Self {
        message.into().with(Compression::Auto)
    }
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Message<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Message<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

/// Something that arrived. It borrows the [`ReceiveBuffer`](crate::ReceiveBuffer), never the
/// connection, so the connection can answer while the payload is still held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A whole message ([`Delivery::Messages`](crate::Delivery::Messages)).
    Message(Message<'b>),
    /// The next piece of a message ([`Delivery::Chunks`](crate::Delivery::Chunks)). Pieces do not
    /// follow the frames' boundaries. Text is cut between characters.
    Chunk {
        /// The piece; only the last of a message may be empty.
        data: Message<'b>,
        /// Whether the message ends with this piece.
        fin: bool,
    },
    /// A Ping with its payload, at most 125 bytes. A [`Connection`](crate::Connection) has queued
    /// the Pong already.
    Ping(&'b [u8]),
    /// A Pong with its payload, asked for or not.
    Pong(&'b [u8]),
    /// The peer's Close frame. A [`Connection`](crate::Connection) has queued the answer already.
    /// No other event follows.
    Close(Close<'b>),
}
