//! The sending half.

use std::io;

use super::handle::Handle;
use super::shared::Large;
use crate::buffer::Unwritten;
use crate::net::Error;
use crate::{AsMessage, CloseCode, EncodedMessage, Outcome, State};

/// The sending half of a [`WebSocket`](crate::net::WebSocket) after
/// [`split`](crate::net::WebSocket::split). Clones send on the same connection, message by message,
/// from any thread.
///
/// `send` waits until the network has taken the message; `queue` never waits, because a background
/// thread writes.
#[derive(Clone, Debug)]
pub struct Writer {
    pub(super) handle: Handle,
}

impl Writer {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Sends a message after all messages queued before. It returns when the network has taken the
    /// message, so it also waits for room ([`Limits::buffered`](crate::Limits::buffered)). A large
    /// payload is not copied unless it is compressed.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: nothing was sent. [`Error::Io`]: the connection is broken, and
    /// [`buffered_amount`](Self::buffered_amount) tells how much was not written.
    pub fn send(&self, message: impl AsMessage) -> Result<(), Error> {
        let message = message.as_outgoing();
        if message.len() >= Unwritten::WORTH_A_PIECE {
            return self.handle.send_large(&Large::Message(message));
        }
        self.handle.send(|sender, buffer| {
            sender.send(message, buffer).inspect(|()| self.handle.count_sent(message.len(), true))
        })
    }

    /// Queues a message and returns at once; the background thread writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], which is [`BufferFull`](crate::SendError::BufferFull) if the peer reads too
    /// slowly, or [`Error::Io`]; nothing was queued.
    pub fn queue(&self, message: impl AsMessage) -> Result<(), Error> {
        let message = message.as_outgoing();
        self.handle.update(|outbox| {
            outbox.write_wanted = true;
            outbox.queue(|sender, buffer| sender.send(message, buffer))?;
            self.handle.count_sent(message.len(), true);
            Ok(())
        })
    }

    /// Queues a message that was encoded once for many connections, as [`queue`](Self::queue) does.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] or [`Error::Io`]; nothing was queued.
    pub fn queue_encoded(&self, message: &EncodedMessage) -> Result<(), Error> {
        self.handle.update(|outbox| {
            outbox.write_wanted = true;
            outbox.queue(|sender, buffer| sender.send_encoded(message, buffer))?;
            self.handle.count_sent(message.as_message().len(), true);
            Ok(())
        })
    }

    /// Sends a message that was encoded once for many connections. A large payload is not copied.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] or [`Error::Io`], as [`send`](Self::send) returns them.
    pub fn send_encoded(&self, message: &EncodedMessage) -> Result<(), Error> {
        if message.as_bytes().len() >= Unwritten::WORTH_A_PIECE {
            return self.handle.send_large(&Large::Encoded(message));
        }
        let length = message.as_message().len();
        self.handle.send(|sender, buffer| {
            sender.send_encoded(message, buffer).inspect(|()| self.handle.count_sent(length, true))
        })
    }

    /// Sends the next fragment of a message; `fin` marks the last one. All fragments of a message
    /// must come from one writer: meanwhile messages of other writers are refused
    /// ([`SendError::MessageInProgress`](crate::SendError::MessageInProgress)).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] or [`Error::Io`], as [`send`](Self::send) returns them.
    pub fn send_fragment(&self, fragment: impl AsMessage, fin: bool) -> Result<(), Error> {
        let fragment = fragment.as_outgoing();
        self.handle.send(|sender, buffer| {
            sender
                .send_fragment(fragment, fin, buffer)
                .inspect(|()| self.handle.count_sent(fragment.len(), fin))
        })
    }

    /// Sends a Ping with a payload of at most 125 bytes. The reader gets the answer, an
    /// [`Event::Pong`](crate::Event::Pong).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] or [`Error::Io`], as [`send`](Self::send) returns them.
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.handle.send(|sender, buffer| sender.ping(payload, buffer))
    }

    /// Sends a Close frame, which starts the closing handshake (RFC 6455, 7.1.2); the reader sees
    /// its end. A reason needs a code. It takes at most
    /// [`Timeouts::closing`](crate::Timeouts::closing) if the peer does not read.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if a Close frame was sent before or the reason is too long, [`Error::Io`] if
    /// the connection is broken.
    pub fn start_close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.queue_close(code, reason)?;
        self.flush()
    }

    /// Queues a Close frame as [`queue`](Self::queue) does. Nothing can be sent after it.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] or [`Error::Io`], as [`start_close`](Self::start_close) returns them.
    pub fn queue_close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.handle.update(|outbox| outbox.start_close(code, reason))
    }

    /// Ends the connection at once, without a Close frame: the peer sees 1006, and queued messages
    /// are lost. The reader and other writers get an error.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn abort(&self) -> io::Result<()> {
        // No thread may be reading or writing, which would notice the end.
        self.handle.update(|outbox| outbox.mailbox.end());
        self.handle.stream.abort()
    }

    /// Waits until everything queued is written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: the connection is broken, or the peer does not read
    /// ([`io::ErrorKind::TimedOut`]).
    pub fn flush(&self) -> Result<(), Error> {
        self.handle.flush(self.handle.lock())
    }

    /// Returns how many bytes were accepted for sending and may not be written yet.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.handle.lock().buffered_amount()
    }

    /// Returns whether nothing more can be sent: a Close frame was sent, or the connection is over.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.handle.lock().sender.state() != State::Open
    }

    /// Returns how the connection ended, once it has: whether it was clean, the code and the
    /// reason.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.handle.lock().outcome()
    }
}
