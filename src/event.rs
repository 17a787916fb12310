//! The events that a connection delivers to the program.

use crate::close::Close;
use crate::message::Message;

/// Something that arrived. It borrows the [`ReceiveBuffer`](crate::ReceiveBuffer), never the
/// connection, so the connection can answer while the payload is still held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A whole message ([`Delivery::Messages`](crate::Delivery::Messages)).
    Message(Message<'b>),
    /// The next piece of a message ([`Delivery::Chunks`](crate::Delivery::Chunks)). Pieces are
    /// independent of frame boundaries. Text is cut between characters.
    Chunk {
        /// The piece. Only the last piece of a message may be empty.
        data: Message<'b>,
        /// Whether the message ends with this piece.
        fin: bool,
    },
    /// A Ping with its payload, at most 125 bytes. A [`Connection`](crate::Connection) has queued
    /// the Pong already.
    Ping(&'b [u8]),
    /// A Pong with its payload, solicited or not.
    Pong(&'b [u8]),
    /// The peer's Close frame. A [`Connection`](crate::Connection) has queued the answer already.
    /// No other event follows.
    Close(Close<'b>),
}

impl<'b> Event<'b> {
    /// Returns whether this is a control frame: a Ping, a Pong or a Close frame (RFC 6455, 5.5).
    #[must_use]
    pub const fn is_control(&self) -> bool {
        matches!(self, Self::Ping(_) | Self::Pong(_) | Self::Close(_))
    }

    /// Returns the message, if this is a whole message.
    #[must_use]
    pub const fn as_message(&self) -> Option<Message<'b>> {
        match self {
            Self::Message(message) => Some(*message),
            _ => None,
        }
    }
}
