//! A TCP stream, with or without TLS on it.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::linger::{OF_REFUSED, discard};
use super::proxy::{Layer, Layered};
use super::tls::Session;
use super::transport::{Transport, ignore_not_connected};
use super::wire::Wire as _;
use crate::Deadline;
use crate::counts::Counters;

/// A TCP stream, with or without TLS. Clones share one connection, so that two threads, or a server
/// that shuts down, can use it without a second descriptor.
///
/// With TLS, a write that fails with [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`]
/// must be repeated with the same bytes, as [`SendBuffer::write_to`](crate::SendBuffer::write_to)
/// does: some of them may already be encrypted.
#[derive(Clone)]
pub struct Stream(pub(super) Arc<Inner>);

pub(super) struct Inner {
    tcp: TcpStream,
    /// What a proxy needs around the bytes for the server.
    layer: Layer,
    /// With the server.
    pub(super) tls: Option<Session>,
    /// Those of the server whose client is at the other end.
    counters: Option<Arc<Counters>>,
}

impl Stream {
    /// Returns the TCP stream. Reading or writing here would break a TLS session on it.
    #[must_use]
    pub fn get_ref(&self) -> &TcpStream {
        &self.0.tcp
    }

    /// The TCP stream, if the bytes for the server are written to it as they are.
    #[cfg(feature = "hub")]
    pub(super) fn plain_tcp(&self) -> Option<&TcpStream> {
        (self.0.tls.is_none() && self.0.layer.is_none()).then_some(&self.0.tcp)
    }

    pub(super) fn secure(tcp: TcpStream, session: Session) -> Self {
        Self::new(tcp, Layer::none(), Some(session))
    }

    pub(super) fn new(tcp: TcpStream, layer: Layer, tls: Option<Session>) -> Self {
        Self(Arc::new(Inner { tcp, layer, tls, counters: None }))
    }

    /// Counts the bytes from now on. There are no clones yet.
    pub(super) fn count(&mut self, counters: &Arc<Counters>) {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.counters = Some(Arc::clone(counters));
        }
    }

    fn counted_read(&self, read: io::Result<usize>) -> io::Result<usize> {
        if let (Some(counters), Ok(n)) = (&self.0.counters, &read) {
            counters.read(*n);
        }
        read
    }

    pub(super) fn counted_write(&self, written: io::Result<usize>) -> io::Result<usize> {
        if let (Some(counters), Ok(n)) = (&self.0.counters, &written) {
            counters.written(*n);
        }
        written
    }

    /// What the bytes for the server, or their TLS records, are written to.
    pub(super) fn wire(&self) -> Layered<'_> {
        self.0.layer.over(&self.0.tcp)
    }

    /// Does the TLS handshake with the peer, if TLS is configured.
    pub(super) fn open(&self, deadline: &Deadline) -> Result<(), Error> {
        match &self.0.tls {
            None => Ok(()),
            Some(tls) => tls.handshake(&self.wire(), deadline),
        }
    }

    /// Ends both directions at once, for all clones: a thread that reads or writes gets the end of
    /// the stream or an error. The peer may lose data that it has not read yet.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn abort(&self) -> io::Result<()> {
        ignore_not_connected(self.0.tcp.shutdown(Shutdown::Both))
    }

    /// Ends a stream whose TLS handshake has failed. Arriving bytes are read and discarded:
    /// otherwise TCP may discard the alert that tells the peer the reason.
    pub(super) fn linger_without_tls(&self, deadline: &Deadline) {
        let mut tcp = &self.0.tcp;
        if tcp.shutdown_write().is_ok() {
            discard(&mut tcp, deadline, OF_REFUSED);
        }
    }

    /// Writes the part of a few bytes that the network takes without waiting, and returns its
    /// length. No other thread may be writing.
    pub(super) fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        self.counted_write(match &self.0.tls {
            None => self.wire().write_now(bytes),
            Some(tls) => tls.write_now(&self.wire(), bytes).map(|()| bytes.len()),
        })
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::new(tcp, Layer::none(), None)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("tcp", &self.0.tcp)
            .field("tls", &self.0.tls.is_some())
            .finish()
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.counted_read(match &self.0.tls {
            None => self.wire().read(buffer),
            Some(tls) => tls.read(&self.wire(), buffer),
        })
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.counted_write(match &self.0.tls {
            None => self.wire().write(bytes),
            Some(tls) => tls.write(&self.wire(), &[IoSlice::new(bytes)]),
        })
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.counted_write(match &self.0.tls {
            None => self.wire().write_vectored(slices),
            Some(tls) => tls.write(&self.wire(), slices),
        })
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match &self.0.tls {
            None => self.wire().flush(),
            Some(tls) => tls.flush(&self.wire()),
        }
    }
}

impl Transport for Stream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.tcp.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.tcp.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        if let Some(tls) = &self.0.tls {
            tls.close(&self.wire());
        }
        self.wire().shutdown_write()
    }
}
