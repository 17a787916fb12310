//! TLS with a proxy, below what goes to the server.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Deadline;
use crate::net::tls::Session;
use crate::net::wire::Wire;
use crate::net::{Error, Transport};

/// What lies between TCP and the bytes for the server: TLS with the proxy, or nothing.
pub(crate) struct Layer(Option<Session>);

impl Layer {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    #[cfg(feature = "hub")]
    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub(super) const fn new(tls: Option<Session>) -> Self {
        Self(tls)
    }

    /// The stream whose bytes the proxy passes on.
    pub(crate) fn over<'s>(&'s self, tcp: &'s TcpStream) -> Layered<'s> {
        Layered { tcp, tls: self.0.as_ref() }
    }
}

/// TCP, or TLS with a proxy over it.
#[derive(Clone, Copy)]
pub(crate) struct Layered<'s> {
    tcp: &'s TcpStream,
    tls: Option<&'s Session>,
}

impl Layered<'_> {
    /// Does the TLS handshake with the proxy, if TLS is configured.
    pub(super) fn open(self, deadline: &Deadline) -> Result<(), Error> {
        self.tls.map_or(Ok(()), |tls| tls.handshake(&self.tcp, deadline))
    }
}

impl Read for Layered<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.tls {
            None => self.tcp.read(buffer),
            Some(tls) => tls.read(&self.tcp, buffer),
        }
    }
}

impl Write for Layered<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.tls {
            None => self.tcp.write(bytes),
            Some(tls) => tls.write(&self.tcp, &[IoSlice::new(bytes)]),
        }
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.tls {
            None => self.tcp.write_vectored(slices),
            Some(tls) => tls.write(&self.tcp, slices),
        }
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        self.tls.map_or(Ok(()), |tls| tls.flush(&self.tcp))
    }
}

impl Transport for Layered<'_> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Wire::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Wire::set_write_timeout(self, timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        if let Some(tls) = self.tls {
            tls.close(&self.tcp);
        }
        self.tcp.shutdown_write()
    }
}

impl Wire for Layered<'_> {
    fn read_once(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = *self;
        stream.read(buffer)
    }

    fn write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = *self;
        stream.write(bytes)
    }

    fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.tls {
            None => self.tcp.write_now(bytes),
            Some(tls) => tls.write_now(&self.tcp, bytes).map(|()| bytes.len()),
        }
    }

    fn tcp(&self) -> &TcpStream {
        self.tcp
    }
}
