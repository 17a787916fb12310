//! Large payloads, which are written from where they lie.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use sansock::buffer::Unwritten;
use sansock::split::Sender;
use sansock::{EncodedMessage, OutgoingMessage, SendBuffer, SendError};
use tokio::io::{AsyncRead, AsyncWrite};

use super::core::{Core, Piece, Taken};
use super::shared::{Locked, Shared, lock};
use crate::Error;
use crate::write::Waiting as _;

/// A message with a large payload.
#[derive(Clone, Copy)]
pub(super) enum Large<'m> {
    Message(OutgoingMessage<'m>),
    Encoded(&'m EncodedMessage),
}

impl<'m> Large<'m> {
    fn start<'b>(
        self,
        sender: &mut Sender,
        batch: &'b mut SendBuffer,
    ) -> Result<Unwritten<'b>, SendError>
    where
        'm: 'b,
    {
        match self {
            Self::Message(message) => sender.send_in_place(message, batch),
            Self::Encoded(message) => sender.send_encoded_in_place(message, batch),
        }
    }

    /// What is counted.
    pub(super) fn piece(self) -> Piece {
        let length = match self {
            Self::Message(message) => message.len(),
            Self::Encoded(message) => message.as_message().len(),
        };
        Piece(length, true)
    }

    /// Copies it.
    pub(super) fn queue(
        self,
        sender: &mut Sender,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        match self {
            Self::Message(message) => sender.send(message, buffer),
            Self::Encoded(message) => sender.send_encoded(message, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    /// Writes the message from where it lies, as far as the transport takes it at once; the rest is
    /// queued, and the ticket is for all of it. `None` if bytes wait before it that another task
    /// writes, or if it cannot be sent: then it is to be queued, which says why.
    pub(super) fn send_in_place(&self, message: Large<'_>) -> Result<Option<u64>, Error> {
        let mut core = self.lock();
        core.check()?;
        if core.queue.has_rest() {
            return Ok(None);
        }
        let Some(mut batch) = core.queue.take() else { return Ok(None) };
        let ticket = core.queue.ticket();
        let written = self.write_in_place(core, &mut batch, message);
        let is_sent = written.is_ok();
        self.put_back(batch, written.unwrap_or(Poll::Pending), true);
        Ok(is_sent.then_some(ticket))
    }

    /// Writes a payload behind the batch, for as long as the transport takes it; the rest is copied
    /// into the batch. An error means that nothing was sent.
    pub(super) fn write_in_place(
        &self,
        mut core: Locked<'_>,
        batch: &mut SendBuffer,
        message: Large<'_>,
    ) -> Result<Poll<io::Result<Taken>>, SendError> {
        let Core { sender, queue, unflushed, .. } = &mut *core;
        let mut unwritten = message.start(sender, batch)?;
        queue.set_in_flight(unwritten.remaining());
        *unflushed = true;
        core.count_sent(Some(message.piece()));
        drop(core);
        let cx = &mut Context::from_waker(self.waker());
        let mut io = lock(&self.io);
        let mut io = Pin::new(&mut *io);
        let mut bytes: usize = 0;
        while !unwritten.is_empty() {
            match unwritten.poll_write(io.as_mut(), cx) {
                Poll::Ready(Ok(n)) => bytes = bytes.saturating_add(n),
                Poll::Ready(Err(error)) => return Ok(Poll::Ready(Err(error))),
                Poll::Pending if bytes > 0 => {
                    return Ok(Poll::Ready(Ok(Taken { bytes, is_flushed: false })));
                }
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        let is_flushed = match io.poll_flush(cx) {
            Poll::Ready(Err(error)) => return Ok(Poll::Ready(Err(error))),
            flushed => flushed.is_ready(),
        };
        Ok(Poll::Ready(Ok(Taken { bytes, is_flushed })))
    }
}
