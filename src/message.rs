//! Messages to receive and to send.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The type of a message (RFC 6455, 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Arbitrary bytes.
    Binary,
}

/// A message or a piece of one, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message<'a> {
    /// Text: UTF-8 by its type, checked when it was received (RFC 6455, 8.1).
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// Returns the payload's bytes, whatever the type.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the type.
    #[must_use]
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// Returns the text, if it is text.
    #[must_use]
    pub const fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the length of the payload in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.as_bytes().len()
    }

    /// Returns whether the payload is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// When to compress a message. It has no effect unless permessage-deflate (RFC 7692) was
/// negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Compresses messages at or above the threshold. Fragmented messages are always compressed,
    /// because their total length is not known in advance.
    #[default]
    Auto,
    /// Compresses regardless of length. For short messages that are known to compress well.
    Always,
    /// Does not compress. For data that is compressed already, and for secrets sent next to text
    /// that an attacker controls: the compressed length reveals what they share.
    Never,
}

/// A message to send, and whether to compress it. Anything that converts into a [`Message`]
/// converts into this, with [`Compression::Auto`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutgoingMessage<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) compression: Compression,
}

impl<'a> Message<'a> {
    /// Sets the compression of this message. For a fragmented message the first fragment decides.
    ///
    /// ```
    /// # let mut buffer = sansock::SendBuffer::new();
    /// # let mut sender = sansock::split::Sender::server(&sansock::Config::new());
    /// use sansock::{Compression, Message};
    /// let picture = [0xFF, 0xD8, 0xFF, 0xE0];
    /// sender.send(Message::Binary(&picture).with_compression(Compression::Never), &mut buffer)?;
    /// # Ok::<(), sansock::SendError>(())
    /// ```
    #[must_use]
    pub const fn with_compression(self, compression: Compression) -> OutgoingMessage<'a> {
        OutgoingMessage { message: self, compression }
    }
}

impl<'a> OutgoingMessage<'a> {
    /// Returns the message.
    #[must_use]
    pub const fn message(&self) -> Message<'a> {
        self.message
    }

    /// Returns the length of the payload in bytes, before compression.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.message.len()
    }

    /// Returns whether the payload is empty.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.message.is_empty()
    }
}

impl<'a, M: Into<Message<'a>>> From<M> for OutgoingMessage<'a> {
    #[inline]
    fn from(message: M) -> Self {
        message.into().with_compression(Compression::Auto)
    }
}

/// Shows the text, or the length of a binary message.
impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Binary(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

/// A message or a piece of one that owns its memory, to keep or to hand to another thread.
///
/// ```
/// use sansock::{Message, OwnedMessage};
///
/// let owned = OwnedMessage::from(Message::Text("Hello"));
/// assert_eq!(owned, OwnedMessage::Text("Hello".into()));
/// assert_eq!(owned.as_message(), Message::Text("Hello"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnedMessage {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl OwnedMessage {
    /// Returns the message, borrowed.
    #[must_use]
    pub fn as_message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
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
}

impl fmt::Display for OwnedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_message().fmt(f)
    }
}

impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into()),
            Message::Binary(bytes) => Self::Binary(bytes.into()),
        }
    }
}

impl From<String> for OwnedMessage {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for OwnedMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for OwnedMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl From<&[u8]> for OwnedMessage {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.into())
    }
}

macro_rules! message_from {
    ($($variant:ident: $($type:ty),+;)*) => {$($(
        impl<'a> From<&'a $type> for Message<'a> {
            #[inline]
            fn from(payload: &'a $type) -> Self {
                Self::$variant(payload)
            }
        }
    )+)*};
}

message_from! {
    Text: str, String, Box<str>, Arc<str>, Cow<'_, str>;
    Binary: [u8], Vec<u8>, Box<[u8]>, Arc<[u8]>, Cow<'_, [u8]>;
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a OwnedMessage> for Message<'a> {
    fn from(message: &'a OwnedMessage) -> Self {
        message.as_message()
    }
}

/// What can be sent: text, bytes, messages, and references to them, with [`Compression::Auto`]
/// unless they say something else.
///
/// ```
/// # let mut buffer = sansock::SendBuffer::new();
/// # let mut sender = sansock::split::Sender::server(&sansock::Config::new());
/// sender.send("text", &mut buffer)?;
/// sender.send(format!("text {}", 1), &mut buffer)?;
/// sender.send(vec![1, 2, 3], &mut buffer)?;
/// sender.send(b"bytes", &mut buffer)?;
/// # Ok::<(), sansock::SendError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a message",
    label = "send text, such as `&str` or `String`, or bytes, such as `&[u8]` or `Vec<u8>`"
)]
pub trait AsMessage {
    /// Returns the message, borrowed.
    fn as_outgoing(&self) -> OutgoingMessage<'_>;
}

impl<T: AsMessage + ?Sized> AsMessage for &T {
    #[inline]
    fn as_outgoing(&self) -> OutgoingMessage<'_> {
        (**self).as_outgoing()
    }
}

impl AsMessage for OutgoingMessage<'_> {
    #[inline]
    fn as_outgoing(&self) -> OutgoingMessage<'_> {
        *self
    }
}

impl AsMessage for Message<'_> {
    #[inline]
    fn as_outgoing(&self) -> OutgoingMessage<'_> {
        self.with_compression(Compression::Auto)
    }
}

macro_rules! as_message {
    ($($type:ty),+) => {$(
        impl AsMessage for $type {
            #[inline]
            fn as_outgoing(&self) -> OutgoingMessage<'_> {
                Message::from(self).with_compression(Compression::Auto)
            }
        }
    )+};
}

as_message!(str, String, Box<str>, Arc<str>, Cow<'_, str>);
as_message!([u8], Vec<u8>, Box<[u8]>, Arc<[u8]>, Cow<'_, [u8]>, OwnedMessage);

impl<const N: usize> AsMessage for [u8; N] {
    #[inline]
    fn as_outgoing(&self) -> OutgoingMessage<'_> {
        Message::Binary(self).with_compression(Compression::Auto)
    }
}
