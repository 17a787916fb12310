//! A connection that is followed by another.

use std::ops::{Deref, DerefMut};

use super::outbox::Outbox;
use crate::{Error, Message, WebSocket};

/// A connection of [`Reconnecting`](super::Reconnecting): a [`WebSocket`] whose
/// [`send`](Self::send) and [`queue`](Self::queue) remember what is not written yet.
///
/// Fragments, encoded messages and what is sent through [`outgoing`](WebSocket::outgoing),
/// [`exchange`](WebSocket::exchange) or the `Sink` are not remembered.
#[derive(Debug)]
pub struct Connected<'a> {
    socket: &'a mut WebSocket,
    outbox: &'a mut Outbox,
}

impl<'a> Connected<'a> {
    pub(super) fn new(socket: &'a mut WebSocket, outbox: &'a mut Outbox) -> Self {
        Self { socket, outbox }
    }

    /// Queues a message ([`WebSocket::queue`]), and remembers it until it is written.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]; nothing was queued.
    pub fn queue(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.outbox.queue(self.socket, message.into())
    }

    /// Sends a message behind all that was queued before, and remembers it until it is written. If
    /// this is dropped, the message is queued, or was not accepted, as with [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// - [`Error::Send`]: the message was not accepted.
    /// - Any other error: the message is among the unsent ones, and is not to be sent again.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.outbox.accept(self.socket, message.into()).await?;
        self.socket.flush().await
    }

    /// Sends what earlier connections have accepted and not written. If this is dropped or fails,
    /// the rest is still kept.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn send_unsent(&mut self) -> Result<(), Error> {
        self.outbox.send_left(self.socket).await
    }

    /// Takes the messages that earlier connections have accepted and not written, in order, in place
    /// of [`send_unsent`](Self::send_unsent).
    pub fn take_unsent(&mut self) -> Vec<Message> {
        self.outbox.take()
    }
}

impl Deref for Connected<'_> {
    type Target = WebSocket;

    fn deref(&self) -> &WebSocket {
        self.socket
    }
}

impl DerefMut for Connected<'_> {
    fn deref_mut(&mut self) -> &mut WebSocket {
        self.socket
    }
}
