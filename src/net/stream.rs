//! The transports that the blocking adapters can time and half-close.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A transport whose waiting can be bounded and whose sending side can be ended.
///
/// [`WebSocket`](super::WebSocket) works over anything that reads and writes; timeouts, keepalive and
/// a closing that loses no last words need this too.
pub trait Socket: Read + Write {
    /// Bounds each read: one that takes longer fails with [`io::ErrorKind::WouldBlock`] or
    /// [`io::ErrorKind::TimedOut`] and loses nothing. `None` waits for ever; zero is not given.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Bounds each write: one that can put nothing into the network's buffers for so long fails with
    /// [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`]. `None` waits for ever; zero is
    /// not given. Used only for the last words of a connection, whose waiting is bounded by then.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the sending side (half-close): the peer reads the end of the stream, and what it still
    /// sends can be read.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

/// A TCP stream. Clones share the one descriptor, so that two threads, or a server that shuts down,
/// can use it without a second one.
#[derive(Clone)]
pub struct Tcp(Arc<TcpStream>);

impl Tcp {
    /// The stream itself.
    #[must_use]
    pub fn get_ref(&self) -> &TcpStream {
        &self.0
    }
}

impl From<TcpStream> for Tcp {
    fn from(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Read for Tcp {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Tcp {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.0).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Tcp {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// Whether a read or write took too long or would have waited: the transport is as it was.
pub(super) fn is_would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The time until `at`, for a timeout of a transport: never zero.
pub(super) fn time_until(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
