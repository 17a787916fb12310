//! The interface between the blocking adapters and a transport.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A transport with read and write timeouts, whose sending side can be ended.
///
/// [`WebSocket`](super::WebSocket) works over anything that implements [`Read`] and [`Write`];
/// timeouts, keepalive and an orderly end of the transport need this trait too. [`TcpStream`], Unix
/// sockets and [`Stream`](super::Stream) implement it.
pub trait Transport: Read + Write {
    /// Sets the timeout of each read: a read that takes longer fails with
    /// [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`] and loses nothing. `None` waits
    /// forever; `timeout` is never zero.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Sets the timeout of each write: a write that takes longer returns the number of bytes
    /// written or, if there are none, fails with [`io::ErrorKind::WouldBlock`] or
    /// [`io::ErrorKind::TimedOut`]. `None` waits forever; `timeout` is never zero.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the sending side (half-close): the peer reads the end of the stream, but its bytes can
    /// still be read.
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

/// Ignores that the peer has already ended both sides.
pub(super) fn ignore_not_connected(shutdown: io::Result<()>) -> io::Result<()> {
    match shutdown {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}
