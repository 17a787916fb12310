//! Writes of bytes that wait, in a buffer or where they lie.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sansock::SendBuffer;
use sansock::buffer::Unwritten;
use tokio::io::AsyncWrite;

/// Bytes that wait to be written.
pub(crate) trait Waiting {
    fn is_empty(&self) -> bool;

    /// Writes once. What was not taken still waits.
    fn poll_write<S: AsyncWrite>(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>>;
}

impl Waiting for SendBuffer {
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn poll_write<S: AsyncWrite>(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let n = ready!(stream.poll_write(cx, self.as_slice()))?;
        self.consume(n);
        Poll::Ready(not_zero(n))
    }
}

impl Waiting for Unwritten<'_> {
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn poll_write<S: AsyncWrite>(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        // A plain write costs the kernel less than a vectored one.
        let n = ready!(match self.slices() {
            [waiting, payload] if payload.is_empty() => stream.poll_write(cx, &waiting),
            [waiting, payload] if waiting.is_empty() => stream.poll_write(cx, &payload),
            both => stream.poll_write_vectored(cx, &both),
        })?;
        self.consume(n);
        Poll::Ready(not_zero(n))
    }
}

/// A transport that takes nothing is broken: repeating the write would never end.
fn not_zero(n: usize) -> io::Result<usize> {
    if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(n) }
}

/// Whether the peer reset the connection: operating systems report this with several errors.
pub(crate) fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected)
}
