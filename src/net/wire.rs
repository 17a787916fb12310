//! What a stream of bytes, or a TLS session, runs on: TCP, or what a proxy needs around it.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::transport::Transport;

/// A shared reference to a transport that is open. Its clones are the same transport.
pub(crate) trait Wire: Transport + Copy {
    /// The timeout that [`Transport::set_write_timeout`] has set.
    #[cfg_attr(not(feature = "rustls"), expect(dead_code, reason = "TLS restores it"))]
    fn write_timeout(self) -> io::Result<Option<Duration>>;

    /// Writes the part of a few bytes that the network takes without waiting, and returns its
    /// length. No other thread may be writing.
    fn write_now(self, bytes: &[u8]) -> io::Result<usize>;
}

impl Wire for &TcpStream {
    fn write_timeout(self) -> io::Result<Option<Duration>> {
        TcpStream::write_timeout(self)
    }

    fn write_now(mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.set_nonblocking(true).and_then(|()| self.write(bytes));
        let _ = self.set_nonblocking(false);
        written
    }
}
