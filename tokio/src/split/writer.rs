//! The sending half.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_sink::Sink;
use sansock::buffer::Unwritten;
use sansock::split::Sender;
use sansock::{AsMessage, CloseCode, EncodedMessage, Outcome, SendBuffer, SendError};
use tokio::io::{AsyncRead, AsyncWrite};

use super::core::Piece;
use super::in_place::Large;
use super::let_go;
use super::shared::Shared;
use super::sync::Ordering;
use crate::stream::READY;
use crate::{Error, Message, Stream};

/// The sending half of a [`WebSocket`](crate::WebSocket) after
/// [`split`](crate::WebSocket::split). Clones send on the same connection; messages of several tasks
/// do not mix.
///
/// What was queued is also written by the task of the [`Reader`](crate::Reader), whenever it is
/// polled. All methods can be dropped at every await: a message was then accepted whole, or not at
/// all if it waited for room.
#[derive(Debug)]
pub struct Writer<S = Stream>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) shared: Arc<Shared<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    /// Queues a message, without waiting. It is written by the next [`flush`](Self::flush) or by the
    /// reader.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: nothing was queued. With [`SendError::BufferFull`] the peer reads too
    /// slowly; [`send`](Self::send) waits for room.
    pub fn queue(&self, message: impl AsMessage) -> Result<(), Error> {
        let message = message.as_outgoing();
        let piece = Piece(message.len(), true);
        self.encode(Some(piece), |sender, output| sender.send(message, output))
    }

    /// Queues a message that was encoded once for many connections, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], as [`queue`](Self::queue) returns it.
    pub fn queue_encoded(&self, message: &EncodedMessage) -> Result<(), Error> {
        let piece = Piece(message.as_message().len(), true);
        self.encode(Some(piece), |sender, output| sender.send_encoded(message, output))
    }

    /// Queues a Close frame, without waiting: the connection then ends with the peer's, which the
    /// reader receives.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if a Close frame was sent before, or the reason is too long.
    pub fn queue_close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.encode(None, |sender, output| sender.start_close(code, reason, output))
    }

    /// Sends a message, and waits until it is written. If nothing waits before it, a large payload is
    /// written from where it lies, as far as the transport takes it at once; the rest is copied.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: nothing was sent. [`Error::Io`], [`Error::Timeout`], [`Error::Protocol`] and
    /// [`Error::Abnormal`]: the connection is over.
    pub async fn send(&self, message: impl AsMessage) -> Result<(), Error> {
        let message = message.as_outgoing();
        if message.len() < Unwritten::WORTH_A_PIECE {
            let piece = Piece(message.len(), true);
            return self
                .send_with(Some(piece), |sender, output| sender.send(message, output))
                .await;
        }
        self.send_in_place(Large::Message(message)).await
    }

    /// Sends the next fragment of a message; `fin` marks the last one. The fragments of several
    /// tasks would mix: one task at a time sends fragments.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn send_fragment(&self, fragment: impl AsMessage, fin: bool) -> Result<(), Error> {
        let fragment = fragment.as_outgoing();
        let piece = Piece(fragment.len(), fin);
        self.send_with(Some(piece), |sender, output| sender.send_fragment(fragment, fin, output))
            .await
    }

    /// Sends a message that was encoded once for many connections, as [`send`](Self::send) does.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn send_encoded(&self, message: &EncodedMessage) -> Result<(), Error> {
        if message.as_bytes().len() < Unwritten::WORTH_A_PIECE {
            let piece = Piece(message.as_message().len(), true);
            let encode =
                |sender: &mut Sender, output: &mut SendBuffer| sender.send_encoded(message, output);
            return self.send_with(Some(piece), encode).await;
        }
        self.send_in_place(Large::Encoded(message)).await
    }

    /// Sends a Ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.send_with(None, |sender, output| sender.ping(payload, output)).await
    }

    /// Sends a Close frame: the connection then ends with the peer's, which the reader receives.
    /// [`Reader::close`](crate::Reader::close) also waits for it.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`send`](Self::send) returns it.
    pub async fn start_close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.queue_close(code, reason)?;
        self.flush().await
    }

    /// Waits until all that was queued is written, by any task.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Timeout`], [`Error::Protocol`] and [`Error::Abnormal`]: the
    /// connection is over.
    pub async fn flush(&self) -> Result<(), Error> {
        let ticket = self.shared.lock().queue.ticket();
        poll_fn(|cx| self.shared.poll_flush(cx, ticket)).await
    }

    /// [`flush`](Self::flush) for hand-written futures.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`flush`](Self::flush) returns it.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let ticket = self.shared.lock().queue.ticket();
        self.shared.poll_flush(cx, ticket)
    }

    /// Returns how many bytes were accepted for sending and are not yet passed to the transport.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.shared.lock().queue.buffered_amount()
    }

    /// Returns whether nothing more can be sent.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.shared.lock().is_closing()
    }

    /// Returns how the connection ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().sender.outcome().cloned()
    }

    fn encode(
        &self,
        piece: Option<Piece>,
        encode: impl FnOnce(&mut Sender, &mut SendBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.shared.update(|core| {
            core.check()?;
            Ok(core.queue(piece, encode)?)
        })
    }

    async fn send_in_place(&self, message: Large<'_>) -> Result<(), Error> {
        if let Some(ticket) = self.shared.send_in_place(message)? {
            return poll_fn(|cx| self.shared.poll_flush(cx, ticket)).await;
        }
        let piece = Some(message.piece());
        self.send_with(piece, |sender, output| message.queue(sender, output)).await
    }

    async fn send_with(
        &self,
        piece: Option<Piece>,
        mut encode: impl FnMut(&mut Sender, &mut SendBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        let ticket = poll_fn(|cx| self.shared.poll_queue(cx, piece, &mut encode)).await?;
        poll_fn(|cx| self.shared.poll_flush(cx, ticket)).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Clone for Writer<S> {
    fn clone(&self) -> Self {
        self.shared.halves.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Writer<S> {
    fn drop(&mut self) {
        let_go(&self.shared);
    }
}

/// Takes messages. `close` sends a Close frame with 1000; the [`Reader`](crate::Reader) receives the
/// peer's.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for Writer<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.buffered_amount() < READY {
            return Poll::Ready(Ok(()));
        }
        Self::poll_flush(&self, cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.queue(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Self::poll_flush(&self, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.is_closing() {
            self.queue_close(CloseCode::NORMAL, "")?;
        }
        Self::poll_flush(&self, cx)
    }
}
