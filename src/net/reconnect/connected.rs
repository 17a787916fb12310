//! A connection that is followed by another.

use std::ops::{Deref, DerefMut};

use super::outbox::Outbox;
use crate::OwnedMessage;
use crate::net::{Error, WebSocket};

/// A connection of [`Reconnecting`](super::Reconnecting): a [`WebSocket`] whose
/// [`send`](Self::send) and [`queue`](Self::queue) remember what is not written yet.
///
/// Fragments, encoded messages and what is sent through [`outgoing`](WebSocket::outgoing) or
/// [`exchange`](WebSocket::exchange) are not remembered.
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
    /// [`Error`], as [`send`](Self::send) returns it.
    pub fn queue(&mut self, message: impl Into<OwnedMessage>) -> Result<(), Error> {
        self.outbox.send(self.socket, message.into(), |socket, message| socket.queue(message))
    }

    /// Sends a message behind all that was queued before, and remembers it until it is written.
    ///
    /// # Errors
    ///
    /// - [`Error::Send`]: the message was not accepted.
    /// - Any other error: the message is among the unsent ones, and is not to be sent again.
    pub fn send(&mut self, message: impl Into<OwnedMessage>) -> Result<(), Error> {
        self.outbox.send(self.socket, message.into(), |socket, message| socket.send(message))
    }

    /// Sends what earlier connections have accepted and not written. If this fails, the rest is
    /// still kept.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub fn send_unsent(&mut self) -> Result<(), Error> {
        self.outbox.send_left(self.socket)
    }

    /// Takes the messages that earlier connections have accepted and not written, in order, in place
    /// of [`send_unsent`](Self::send_unsent).
    pub fn take_unsent(&mut self) -> Vec<OwnedMessage> {
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
