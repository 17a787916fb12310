//! The sending half.

#[cfg(feature = "web")]
use std::ops::Range;

use super::super::outgoing::WORTH_VECTORED;
use super::Handle;
use crate::close::CloseCode;
#[cfg(feature = "web")]
use crate::event::Message;
use crate::event::OutgoingMessage;
use crate::net::Error;
use crate::sender::EncodedMessage;

/// The sending half of a [`WebSocket`](crate::net::WebSocket) after
/// [`split`](crate::net::WebSocket::split). Clones send on the same connection, message by message,
/// from any thread.
#[derive(Clone, Debug)]
pub struct Writer {
    handle: Handle,
}

impl Writer {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Sends a message and all that was queued before; returns when the network has taken it, and so
    /// waits for room ([`Limits::buffered`](crate::Limits::buffered)). A large payload is not copied,
    /// unless it is compressed.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: nothing was sent. [`Error::Io`]: the connection is broken, and
    /// [`buffered_amount`](Self::buffered_amount) tells how much was not written.
    pub fn send<'m>(&self, message: impl Into<OutgoingMessage<'m>>) -> Result<(), Error> {
        let message = message.into();
        if message.len() >= WORTH_VECTORED && !self.handle.lock().compresses(&message) {
            return self.handle.send_large(message.message);
        }
        self.handle.send(message.len(), |sender, buffer| sender.send(message, buffer))
    }

    /// Queues a message: it leaves with the next [`send`](Self::send) or [`flush`](Self::flush), or
    /// before the reader waits.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] or [`Error::Io`]; nothing was queued.
    pub fn queue<'m>(&self, message: impl Into<OutgoingMessage<'m>>) -> Result<(), Error> {
        let message = message.into();
        let mut outbox = self.handle.lock();
        outbox.queue(message.len(), |sender, buffer| sender.send(message, buffer))
    }

    /// Has what was queued written by another thread, and returns at once: for those who must not wait
    /// for the network.
    pub fn wake(&self) {
        self.handle.lock().wanted = true;
        self.handle.notify();
    }

    /// [`queue`](Self::queue), and where the message begins and ends in all that is sent; compare
    /// [`written`](Self::written).
    #[cfg(feature = "web")]
    pub(crate) fn queue_at(&self, message: Message<'_>) -> Result<Range<u64>, Error> {
        let mut outbox = self.handle.lock();
        let start = outbox.position();
        outbox.queue(message.len(), |sender, buffer| sender.send(message, buffer))?;
        Ok(start..outbox.position())
    }

    /// Bytes that the network has taken, or `None` if it has taken everything. A Pong that another
    /// takes the place of makes positions wrong, by 125 at most.
    #[cfg(feature = "web")]
    pub(crate) fn written(&self) -> Option<u64> {
        let outbox = self.handle.lock();
        (!outbox.is_written()).then(|| self.handle.written())
    }

    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue).
    pub fn queue_encoded(&self, message: &EncodedMessage) -> Result<(), Error> {
        let length = message.as_bytes().len();
        let mut outbox = self.handle.lock();
        outbox.queue(length, |sender, buffer| sender.send_encoded(message, buffer))
    }

    /// Sends a message that was encoded once for many connections; a large one is not copied.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_encoded(&self, message: &EncodedMessage) -> Result<(), Error> {
        let length = message.as_bytes().len();
        if length >= WORTH_VECTORED && !self.handle.lock().has_deflate() {
            return self.handle.send_large(message.as_message());
        }
        self.handle.send(length, |sender, buffer| sender.send_encoded(message, buffer))
    }

    /// Sends the next fragment of a message; `fin` marks the last. Fragments of a message must come
    /// from one writer: another's messages are refused meanwhile
    /// ([`SendError::MessageInProgress`](crate::SendError::MessageInProgress)).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_fragment<'m>(
        &self,
        fragment: impl Into<OutgoingMessage<'m>>,
        fin: bool,
    ) -> Result<(), Error> {
        let fragment = fragment.into();
        self.handle
            .send(fragment.len(), |sender, buffer| sender.send_fragment(fragment, fin, buffer))
    }

    /// Sends a Ping with a payload of at most 125 bytes; the reader gets the answer, an
    /// [`Event::Pong`](crate::Event::Pong).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.handle.send(payload.len(), |sender, buffer| sender.ping(payload, buffer))
    }

    /// Starts the closing handshake; the reader sees its end. A reason needs a code. If the peer does
    /// not read, it takes [`Timeouts::closing`](crate::Timeouts::closing) at most.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn close(&self, code: impl Into<Option<CloseCode>>, reason: &str) -> Result<(), Error> {
        self.queue_close(code, reason)?;
        // The housekeeper learns that the closing handshake is timed from now on.
        self.handle.notify();
        self.flush()
    }

    /// Queues a Close frame, which leaves as [`queue`](Self::queue) says: after it nothing can be
    /// sent.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue).
    pub fn queue_close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.handle.lock().close(code, reason)
    }

    /// Writes what was queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], as [`send`](Self::send).
    pub fn flush(&self) -> Result<(), Error> {
        self.handle.flush(self.handle.lock())
    }

    /// Bytes that were accepted for sending and of which it is not known that the network has taken
    /// them.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.handle.lock().buffered_amount()
    }
}
