//! The four events.

use std::fmt;
use std::sync::Arc;

use crate::{AsMessage, Message, Outcome, OutgoingMessage, net};

/// Something that happened to a [`WebSocket`](super::WebSocket). Clones share the data.
#[derive(Clone, Debug)]
pub enum Event {
    /// `open`: the connection is established.
    Open(OpenEvent),
    /// `message`: a message was received.
    Message(MessageEvent),
    /// `error`: the connection failed; [`Close`](Self::Close) follows.
    Error(ErrorEvent),
    /// `close`: the connection is closed. It is the last event.
    Close(CloseEvent),
}

/// The types of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `open`
    Open,
    /// `message`
    Message,
    /// `error`
    Error,
    /// `close`
    Close,
}

/// The connection is established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenEvent {}

/// A message was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageEvent {
    /// The message.
    pub data: Data,
}

/// The connection failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ErrorEvent {
    /// The reason, in words. Pages do not get it.
    pub message: Arc<str>,
    /// The underlying error, if there is one, such as the server's response
    /// ([`HandshakeError::response`](crate::handshake::HandshakeError::response)).
    pub cause: Option<Arc<net::Error>>,
}

/// The connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseEvent {
    /// Whether the closing handshake was completed (RFC 6455, 7.1.4).
    pub was_clean: bool,
    /// "_The WebSocket Connection Close Code_" (RFC 6455, 7.1.5): the code in the server's Close
    /// frame, 1005 if it had none, 1006 if there was no Close frame.
    pub code: u16,
    /// The reason in the server's Close frame (7.1.6), or an empty text.
    pub reason: Arc<str>,
}

/// The payload of a message. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub enum Data {
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Binary(Arc<[u8]>),
}

impl Event {
    /// Returns the type.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Open(_) => EventKind::Open,
            Self::Message(_) => EventKind::Message,
            Self::Error(_) => EventKind::Error,
            Self::Close(_) => EventKind::Close,
        }
    }
}

impl Event {
    /// What the event adds to [`Builder::backlog`](super::Builder::backlog).
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Message(message) => message.size(),
            _ => 0,
        }
    }
}

impl MessageEvent {
    /// The payload and some overhead, so that empty messages are not free.
    pub(super) fn size(&self) -> usize {
        self.data.len().saturating_add(64)
    }
}

impl EventKind {
    pub(super) const COUNT: usize = 4;
}

impl ErrorEvent {
    pub(super) fn new(message: impl Into<Arc<str>>) -> Self {
        Self { message: message.into(), cause: None }
    }
}

impl From<net::Error> for ErrorEvent {
    fn from(error: net::Error) -> Self {
        Self { message: error.to_string().into(), cause: Some(Arc::new(error)) }
    }
}

impl From<Outcome> for CloseEvent {
    fn from(outcome: Outcome) -> Self {
        Self {
            was_clean: outcome.was_clean(),
            code: outcome.code(),
            reason: outcome.reason().into(),
        }
    }
}

impl CloseEvent {
    /// The connection was closed without a closing handshake.
    pub(super) fn abnormal() -> Self {
        Self { was_clean: false, code: 1006, reason: "".into() }
    }
}

impl Data {
    /// Returns the data as a message, for [`send`](super::WebSocket::send) and others that take
    /// one.
    #[must_use]
    pub fn as_message(&self) -> Message<'_> {
        self.into()
    }

    /// Returns the text, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.as_message().as_text()
    }

    /// Returns the bytes, whatever the type.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.as_message().as_bytes()
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns whether the data is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> From<&'a Data> for Message<'a> {
    fn from(data: &'a Data) -> Self {
        match data {
            Data::Text(text) => Self::Text(text),
            Data::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl From<Message<'_>> for Data {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into()),
            Message::Binary(bytes) => Self::Binary(bytes.into()),
        }
    }
}

/// Text as it is, and of bytes their number.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Message::from(self).fmt(f)
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_message().fmt(f)
    }
}

impl AsMessage for Data {
    fn as_outgoing(&self) -> OutgoingMessage<'_> {
        Message::from(self).into()
    }
}
