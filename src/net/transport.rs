//! What the blocking adapters want from a transport, besides reading and writing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A transport whose waiting can be bounded and whose sending side can be ended.
///
/// [`WebSocket`](super::WebSocket) works over anything that reads and writes; timeouts, keepalive
/// and an orderly end of the transport need this too. [`TcpStream`], Unix sockets and
/// [`Stream`](super::Stream) have it.
pub trait Transport: Read + Write {
    /// Bounds each read: one that takes longer fails with [`io::ErrorKind::WouldBlock`] or
    /// [`io::ErrorKind::TimedOut`] and loses nothing. `None` waits forever; zero is not given.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Bounds each write: one that takes longer returns how much was written or, if that is
    /// nothing, fails with [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`]. `None`
    /// waits forever; zero is not given.
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

macro_rules! socket {
    ($type:ty as $socket:ty) => {
        impl Transport for $type {
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                <$socket>::set_read_timeout(self, timeout)
            }

            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                <$socket>::set_write_timeout(self, timeout)
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                ignore_not_connected(self.shutdown(Shutdown::Write))
            }
        }
    };
}

socket!(TcpStream as TcpStream);
socket!(&TcpStream as TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream as std::os::unix::net::UnixStream);

/// The peer was quicker, and has ended both sides.
pub(super) fn ignore_not_connected(shutdown: io::Result<()>) -> io::Result<()> {
    match shutdown {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}
