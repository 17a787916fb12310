//! The sending half of an async connection.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use sansock::buffer::Unwritten;
use sansock::{AsMessage, CloseCode, EncodedMessage, ReceiveBuffer, SendBuffer, SendError, State};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Error;
use crate::link::{Link, Written};

/// The sending half of a [`WebSocket`](crate::WebSocket). It is lent together with an event, so
/// that a program can answer while it holds the payload.
///
/// `send` is `queue` followed by `flush`. What was queued is also written before the connection
/// waits for the peer. So a loop that queues its answers writes once for all messages that one read
/// brought, and needs no await for it.
///
/// While `send` or `flush` waits, nothing is read. If both peers send much before they read, both
/// wait, until the write timeout ends it. Read in between, or
/// [`split`](crate::WebSocket::split) the connection.
#[derive(Debug)]
pub struct Outgoing<'a, S: AsyncRead + AsyncWrite + Unpin> {
    link: &'a mut Link<S>,
    output: &'a mut SendBuffer,
    /// The length in bytes from which the next message is written at once and not queued.
    worth_a_write: usize,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Outgoing<'a, S> {
    pub(crate) fn new(link: &'a mut Link<S>, output: &'a mut SendBuffer) -> Self {
        Self { link, output, worth_a_write: Unwritten::WORTH_A_WRITE }
    }

    /// For the answer to an event that `input` lends.
    pub(crate) fn answering(mut self, input: &ReceiveBuffer) -> Self {
        self.worth_a_write = input.worth_a_write();
        self
    }

    /// Queues a message, without waiting. A payload of 32 KiB or more is written from where it lies
    /// as far as the transport takes it at once, which costs less than to copy it; the rest is
    /// queued. For an answer to the last message that has arrived it is 8 KiB
    /// ([`ReceiveBuffer::worth_a_write`]).
    ///
    /// # Errors
    ///
    /// [`Error::Send`]; nothing was queued. With [`SendError::BufferFull`] the peer reads too
    /// slowly: [`flush`](Self::flush) waits for it, and [`send`](Self::send) waits by itself.
    pub fn queue(&mut self, message: impl AsMessage) -> Result<(), Error> {
        let message = message.as_outgoing();
        if message.len() < self.worth_a_write {
            self.link.connection.send(message, self.output)?;
            self.link.count_sent(message.len(), true);
            return Ok(());
        }
        let least = self.take_worth_a_write();
        let mut unwritten = self.link.connection.send_in_place(message, self.output)?;
        self.link.count_sent(message.len(), true);
        if unwritten.is_worth_a_write(least) {
            // An error occurs again at the next write, and the rest waits.
            let _ = self.link.poll_write_out(&mut no_wake(), &mut unwritten);
        }
        Ok(())
    }

    /// Queues the next fragment of a message; `fin` marks the last one.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], as [`queue`](Self::queue) returns it.
    pub fn queue_fragment(&mut self, fragment: impl AsMessage, fin: bool) -> Result<(), Error> {
        let fragment = fragment.as_outgoing();
        self.link.connection.send_fragment(fragment, fin, self.output)?;
        self.link.count_sent(fragment.len(), fin);
        Ok(())
    }

    /// Queues a message that was encoded once for many connections, as [`queue`](Self::queue) does.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], as [`queue`](Self::queue) returns it.
    pub fn queue_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        let least = self.take_worth_a_write();
        let mut unwritten = self.link.connection.send_encoded_in_place(message, self.output)?;
        self.link.count_sent(message.as_message().len(), true);
        if unwritten.is_worth_a_write(least) {
            let _ = self.link.poll_write_out(&mut no_wake(), &mut unwritten);
        }
        Ok(())
    }

    /// Sends a message after all that was queued before, and waits until it is written. A large
    /// payload is not copied unless it is compressed. If this is dropped before its end, the rest
    /// of the message is queued.
    ///
    /// # Errors
    ///
    /// - [`Error::Send`]: nothing was sent. Never [`SendError::BufferFull`], unless the message
    ///   alone is larger than [`Limits::buffered`](sansock::Limits::buffered): it waits for room.
    /// - [`Error::Io`]: the rest still waits, and the next [`flush`](Self::flush) continues with
    ///   it; do not send the message again. [`TimedOut`](std::io::ErrorKind::TimedOut): the peer
    ///   does not read.
    /// - [`Error::Timeout`]: a deadline passed while the peer did not read, and the connection is
    ///   over.
    pub async fn send(&mut self, message: impl AsMessage) -> Result<(), Error> {
        let message = message.as_outgoing();
        self.make_room(message.len()).await?;
        if message.len() >= Unwritten::WORTH_A_PIECE {
            let unwritten = self.link.connection.send_in_place(message, self.output)?;
            self.link.count_sent(message.len(), true);
            write(self.link, unwritten).await?;
        } else {
            self.link.connection.send(message, self.output)?;
            self.link.count_sent(message.len(), true);
        }
        self.flush().await
    }

    /// Sends the next fragment of a message; `fin` marks the last one.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn send_fragment(
        &mut self,
        fragment: impl AsMessage,
        fin: bool,
    ) -> Result<(), Error> {
        self.make_room(fragment.as_outgoing().len()).await?;
        self.queue_fragment(fragment, fin)?;
        self.flush().await
    }

    /// Sends a message that was encoded once for many connections. A large payload is not copied.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        self.make_room(message.as_bytes().len()).await?;
        let unwritten = self.link.connection.send_encoded_in_place(message, self.output)?;
        self.link.count_sent(message.as_message().len(), true);
        write(self.link, unwritten).await?;
        self.flush().await
    }

    /// Sends a Ping with a payload of at most 125 bytes. The answer is an
    /// [`Event::Pong`](sansock::Event::Pong).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.make_room(payload.len()).await?;
        self.link.connection.ping(payload, self.output)?;
        self.flush().await
    }

    /// Sends an unsolicited Pong, with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.make_room(payload.len()).await?;
        self.link.connection.pong(payload, self.output)?;
        self.flush().await
    }

    /// Sends a Close frame, which starts the closing handshake (RFC 6455, 7.1.2). The connection
    /// then ends with the peer's Close frame. Messages that arrive until then are discarded, unless
    /// [`Config::messages_after_close`](sansock::Config::messages_after_close) is set. A reason
    /// needs a code.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if a Close frame was sent before or the reason is too long, and [`Error`] as
    /// [`flush`](Self::flush) returns it.
    pub async fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.link.connection.start_close(code, reason, self.output)?;
        self.flush().await
    }

    /// Writes all that was queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: the rest still waits. [`Error::Timeout`]: the connection is over.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// [`flush`](Self::flush) for hand-written futures.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`flush`](Self::flush) returns it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.link.poll_flush(cx, self.output)
    }

    /// Returns how many bytes were accepted for sending and are not passed to the transport.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.output.buffered_amount()
    }

    /// Returns whether nothing more can be sent: a Close frame was sent, or the connection is over.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.link.connection.state() != State::Open
    }

    /// Returns the length in bytes from which a message is written at once. What holds for the answer
    /// to an event holds for one message.
    fn take_worth_a_write(&mut self) -> usize {
        std::mem::replace(&mut self.worth_a_write, Unwritten::WORTH_A_WRITE)
    }

    /// Waits until a payload of this length may be queued.
    async fn make_room(&mut self, length: usize) -> Result<(), Error> {
        let has_room = |this: &Self| {
            let waiting = this.output.buffered_amount();
            !matches!(
                this.link.connection.check_room(length, waiting),
                Err(SendError::BufferFull { .. })
            )
        };
        if has_room(self) {
            return Ok(());
        }
        self.flush().await
    }
}

/// Writes a payload from where it lies.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<S>,
    mut unwritten: Unwritten<'_>,
) -> Result<(), Error> {
    match poll_fn(|cx| link.poll_write_in_time(cx, &mut unwritten)).await? {
        // The rest is queued, and so are the timers' frames.
        Written::All | Written::Due => Ok(()),
    }
}

/// A context that wakes no task. The next wait polls the transport again, with a waker.
fn no_wake() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
