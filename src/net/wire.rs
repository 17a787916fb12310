//! What a TLS session runs on: TCP, or what a proxy needs around it.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A transport that is shared. As an object, or each kind would have its own copy of TLS.
#[cfg_attr(not(feature = "rustls"), expect(dead_code, reason = "TLS alone uses all of it"))]
pub(crate) trait Wire {
    /// [`io::Read::read`]
    fn read_once(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// [`io::Write::write`]
    fn write_once(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes the part of a few bytes that the network takes without waiting, and returns its
    /// length. No other thread may be writing.
    fn write_now(&self, bytes: &[u8]) -> io::Result<usize>;

    /// The TCP connection below, which has the timeouts.
    fn tcp(&self) -> &TcpStream;

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp().set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp().set_write_timeout(timeout)
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.tcp().write_timeout()
    }
}

impl Wire for &TcpStream {
    fn read_once(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&**self).read(buffer)
    }

    fn write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        (&**self).write(bytes)
    }

    fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.set_nonblocking(true).and_then(|()| self.write_once(bytes));
        let _ = self.set_nonblocking(false);
        written
    }

    fn tcp(&self) -> &TcpStream {
        self
    }
}
