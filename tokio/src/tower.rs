//! Connecting through a connector of tower's kind.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use sansock::handshake::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

use crate::clock::now;
use crate::{Client, Error, WebSocket};

/// The transport that a connector has made: hyper's as one of tokio's.
#[derive(Debug)]
pub struct ConnectorIo<T>(TokioIo<T>);

impl<T> ConnectorIo<T> {
    /// Returns the connector's transport.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        self.0.inner()
    }

    /// Returns the connector's transport.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl Client {
    /// Connects with `connector`, and does the opening handshake. It is a
    /// [`tower_service::Service`] as hyper-util's clients have them: it gets a [`http::Uri`] and
    /// returns a transport. So a program can share its connectors with its HTTP client: resolvers,
    /// proxies, TLS, limits.
    ///
    /// The connector gets `http:` for `ws:` and `https:` for `wss:`, and makes TLS itself, as
    /// `HttpsConnector` of hyper-rustls does. One that makes plain TCP only refuses `https:`. Of this
    /// client's own settings those of TCP, TLS, addresses and redirects do not apply.
    /// [`connect_timeout`](Self::connect_timeout) is for the connector, until its transport is ready.
    ///
    /// ```no_run
    /// use hyper_util::client::legacy::connect::HttpConnector;
    /// use sansock_tokio::Client;
    ///
    /// # async fn example() -> Result<(), sansock_tokio::Error> {
    /// let mut connector = HttpConnector::new();
    /// let client = Client::new("ws://127.0.0.1:9001/chat")?;
    /// let (mut socket, _response) = client.connect_with(&mut connector).await?;
    /// socket.send("Hello").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Error::Io`] with the connector's error within, with
    ///   [`TimedOut`](io::ErrorKind::TimedOut) if it takes too long, or with
    ///   [`InvalidInput`](io::ErrorKind::InvalidInput) if the URL is none of HTTP: its address has a
    ///   zone.
    /// - [`Error::Handshake`].
    pub async fn connect_with<C>(
        &self,
        connector: &mut C,
    ) -> Result<(WebSocket<ConnectorIo<C::Response>>, Response), Error>
    where
        C: Service<http::Uri>,
        C::Response: Read + Write + Unpin,
        C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.offer.check()?;
        let uri = self.http_uri()?;
        let connect = async {
            std::future::poll_fn(|cx| connector.poll_ready(cx)).await?;
            connector.call(uri).await
        };
        let until = self.dialler.connect_timeout.and_then(|time| now().checked_add(time));
        let connected = match until {
            Some(until) => tokio::time::timeout_at(until.into(), connect).await,
            None => Ok(connect.await),
        };
        let io = connected.map_err(io::Error::from)?.map_err(io::Error::other)?;
        self.handshake(ConnectorIo(TokioIo::new(io))).await
    }

    fn http_uri(&self) -> io::Result<http::Uri> {
        let uri = self.offer.uri();
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
        if uri.zone().is_some() {
            return Err(invalid("a URL of HTTP cannot have the zone of an address"));
        }
        let scheme = if uri.is_secure() { "https" } else { "http" };
        let text = format!("{scheme}://{}{}", uri.authority(), uri.resource_name());
        text.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

impl<T: Read + Unpin> AsyncRead for ConnectorIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, bytes)
    }
}

impl<T: Write + Unpin> AsyncWrite for ConnectorIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
