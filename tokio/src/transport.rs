//! TCP, or TLS over it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sansock::counts::Counters;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(feature = "rustls")]
use tokio_rustls::rustls::CommonState;

#[cfg(feature = "rustls")]
type Tls = tokio_rustls::TlsStream<TcpStream>;

/// The transport of a connection that this crate has made: TCP, or TLS over it.
#[derive(Debug)]
pub struct Stream {
    pub(crate) inner: Inner,
    /// Those of the server whose client is at the other end.
    counters: Option<Arc<Counters>>,
}

#[derive(Debug)]
pub(crate) enum Inner {
    Tcp(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(Box<Tls>),
    /// TLS with a proxy, and none with the server.
    #[cfg(all(feature = "rustls", feature = "proxy"))]
    Proxy(Box<Tls>),
    /// TLS with the server, over TLS with a proxy.
    #[cfg(all(feature = "rustls", feature = "proxy"))]
    Nested(Box<tokio_rustls::TlsStream<Tls>>),
}

impl Stream {
    /// Returns the TCP stream.
    #[must_use]
    pub fn get_ref(&self) -> &TcpStream {
        match &self.inner {
            Inner::Tcp(tcp) => tcp,
            #[cfg(feature = "rustls")]
            Inner::Tls(tls) => tls.get_ref().0,
            #[cfg(all(feature = "rustls", feature = "proxy"))]
            Inner::Proxy(tls) => tls.get_ref().0,
            #[cfg(all(feature = "rustls", feature = "proxy"))]
            Inner::Nested(tls) => tls.get_ref().0.get_ref().0,
        }
    }

    /// Returns the address of the TCP peer: the other end, or a proxy in front of it.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }

    /// Returns the TLS session with the peer; `None` without TLS. That with a proxy does not count.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(&self) -> Option<&CommonState> {
        match &self.inner {
            Inner::Tcp(_) => None,
            Inner::Tls(tls) => Some(tls.get_ref().1),
            #[cfg(feature = "proxy")]
            Inner::Proxy(_) => None,
            #[cfg(feature = "proxy")]
            Inner::Nested(tls) => Some(tls.get_ref().1),
        }
    }

    pub(crate) const fn new(inner: Inner) -> Self {
        Self { inner, counters: None }
    }

    /// Counts the bytes from now on.
    pub(crate) fn count(&mut self, counters: &Arc<Counters>) {
        self.counters = Some(Arc::clone(counters));
    }

    fn counted_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (Some(counters), Poll::Ready(Ok(n))) = (&self.counters, &written) {
            counters.written(*n);
        }
        written
    }

    /// TLS with a proxy.
    #[cfg(all(feature = "rustls", feature = "proxy"))]
    pub(crate) fn to_proxy(tls: Tls) -> Self {
        Self::new(Inner::Proxy(Box::new(tls)))
    }

    /// Without TLS there is no TLS with a proxy either.
    #[cfg(all(not(feature = "rustls"), feature = "proxy"))]
    pub(crate) const fn to_proxy(tls: std::convert::Infallible) -> Self {
        match tls {}
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::new(Inner::Tcp(tcp))
    }
}

#[cfg(feature = "rustls")]
impl From<Tls> for Stream {
    fn from(tls: Tls) -> Self {
        Self::new(Inner::Tls(Box::new(tls)))
    }
}

/// Calls the method of the stream within.
macro_rules! within {
    ($stream:expr, $method:ident($($argument:expr),*)) => {
        match &mut $stream.inner {
            Inner::Tcp(tcp) => Pin::new(tcp).$method($($argument),*),
            #[cfg(feature = "rustls")]
            Inner::Tls(tls) => Pin::new(&mut **tls).$method($($argument),*),
            #[cfg(all(feature = "rustls", feature = "proxy"))]
            Inner::Proxy(tls) => Pin::new(&mut **tls).$method($($argument),*),
            #[cfg(all(feature = "rustls", feature = "proxy"))]
            Inner::Nested(tls) => Pin::new(&mut **tls).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = bytes.filled().len();
        let read = within!(self, poll_read(cx, bytes));
        if let Some(counters) = &self.counters {
            counters.read(bytes.filled().len().saturating_sub(before));
        }
        read
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = within!(self, poll_write(cx, bytes));
        self.counted_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = within!(self, poll_write_vectored(cx, slices));
        self.counted_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.inner {
            Inner::Tcp(tcp) => tcp.is_write_vectored(),
            #[cfg(feature = "rustls")]
            Inner::Tls(tls) => tls.is_write_vectored(),
            #[cfg(all(feature = "rustls", feature = "proxy"))]
            Inner::Proxy(tls) => tls.is_write_vectored(),
            #[cfg(all(feature = "rustls", feature = "proxy"))]
            Inner::Nested(tls) => tls.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        within!(self, poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        within!(self, poll_shutdown(cx))
    }
}
