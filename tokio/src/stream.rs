//! `Stream` and `Sink`: messages that own their memory, for the combinators of futures-rs.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use sansock::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Error, Message, WebSocket};

/// How many bytes may wait before the sink asks for a flush.
pub(crate) const READY: usize = 64 << 10;

/// Yields messages; Pings and Close frames are answered and passed over. It ends after a completed
/// closing handshake, and after an error.
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.state.link.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_next_message(cx));
        self.state.link.ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for WebSocket<S> {
    fn is_terminated(&self) -> bool {
        self.state.link.ended
    }
}

/// Takes messages. `close` ends the connection with 1000, as [`WebSocket::close`] does.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.buffered_amount() < READY {
            return Poll::Ready(Ok(()));
        }
        WebSocket::poll_flush(&mut self, cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.queue(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        WebSocket::poll_flush(&mut self, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.queue_close(Some(CloseCode::NORMAL), "")?;
        while ready!(self.poll_advance(cx))? {}
        Poll::Ready(Ok(()))
    }
}
