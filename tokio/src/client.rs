//! Connecting to a server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sansock::buffer::Buffers;
use sansock::dial::AddressOrder;
use sansock::handshake::{
    ClientHandshake, HandshakeError, HeadLimits, Incomplete, Offer, Response, random_nonce,
};
use sansock::uri::Uri;
use sansock::{Config, Deadline};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

use crate::clock::now;
use crate::dialler::{Dialler, Resolver, SocketOptions};
use crate::opening::{read_head, write_until};
use crate::proxy::Options as ProxyOptions;
use crate::tls::Connector;
use crate::{Error, Stream, WebSocket, pool};

/// Connects to a `ws:` URL with the defaults, or to a `wss:` URL if the crate has its feature
/// `rustls`.
///
/// # Errors
///
/// [`Error`], as [`Client::new`] and [`Client::connect`] return it.
pub async fn connect(url: &str) -> Result<WebSocket<Stream>, Error> {
    Client::new(url)?.connect().await
}

/// Connects to a server, with options.
///
/// ```no_run
/// # async fn example() -> Result<(), sansock_tokio::Error> {
/// use std::time::Duration;
/// use sansock_tokio::Client;
///
/// let mut socket = Client::new("ws://127.0.0.1:9001/chat")?
///     .subprotocol("chat")
///     .header("Cookie", "session=1")
///     .connect_timeout(Duration::from_secs(5))
///     .connect()
///     .await?;
/// assert_eq!(socket.subprotocol(), Some("chat"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Client {
    pub(crate) offer: Offer,
    pub(crate) config: Config,
    pub(crate) head_limits: HeadLimits,
    pub(crate) dialler: Dialler,
    pub(crate) proxy: ProxyOptions,
    write_timeout: Option<Duration>,
    #[cfg(feature = "redirects")]
    pub(crate) redirects: Option<sansock::dial::redirect::RedirectPolicy>,
    /// The TLS settings, if not the default.
    pub(crate) tls: Option<Connector>,
}

impl Client {
    /// Creates a client for this URL.
    ///
    /// # Errors
    ///
    /// [`Error::Uri`] if the URL is not valid.
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self::with_offer(Offer::new(url.parse::<Uri>()?)))
    }

    /// Creates a client for an offer that was made before.
    pub const fn with_offer(offer: Offer) -> Self {
        Self {
            offer,
            config: Config::new(),
            head_limits: HeadLimits::new(),
            dialler: Dialler::new(),
            proxy: ProxyOptions::new(),
            write_timeout: Some(Duration::from_secs(30)),
            #[cfg(feature = "redirects")]
            redirects: None,
            tls: None,
        }
    }

    /// Offers a subprotocol, in addition to those offered before (RFC 6455, 1.9). If the server
    /// chooses none, the connection is made without one: [`WebSocket::subprotocol`] tells.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.offer = self.offer.subprotocol(name);
        self
    }

    /// Offers subprotocols in order of preference, in addition to those offered before.
    pub fn subprotocols<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        names.into_iter().fold(self, Self::subprotocol)
    }

    /// Offers permessage-deflate (RFC 7692). Several calls make several offers, in order of
    /// preference.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, config: sansock::deflate::DeflateConfig) -> Self {
        self.offer = self.offer.deflate(config);
        self
    }

    /// Adds a header to the request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.offer = self.offer.header(name, value);
        self
    }

    /// Sets the Origin header.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.offer = self.offer.origin(origin);
        self
    }

    /// Sets limits, delivery and timeouts.
    pub const fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets the limits of the server's response.
    pub const fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head_limits = limits;
        self
    }

    /// Sets how long the TCP connection may take, DNS resolution and all addresses together.
    /// Default 10 seconds; `None` uses only TCP's own timeout. The opening handshake has
    /// [`Timeouts::handshake`](sansock::Timeouts::handshake).
    pub fn connect_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.dialler.connect_timeout = time.into();
        self
    }

    /// Sets how long an attempt to connect goes on alone before that to the host's next address
    /// begins (RFC 8305, 5). Default [`HappyEyeballs::DELAY`](sansock::dial::HappyEyeballs::DELAY),
    /// 250 ms. The address that answers first wins.
    pub const fn attempt_delay(mut self, delay: Duration) -> Self {
        self.dialler.delay = delay;
        self
    }

    /// Sets in which order the host's addresses are tried. By default the families take turns.
    pub const fn address_order(mut self, order: AddressOrder) -> Self {
        self.dialler.order = order;
        self
    }

    /// Looks hosts up with this function instead of the system's: it gets the host (an IPv6 address
    /// without brackets) and the port, and returns the addresses.
    ///
    /// ```
    /// use sansock_tokio::Client;
    /// let client = Client::new("ws://chat.example/")?
    ///     .resolver(|_host, port| async move { Ok(vec![([127, 0, 0, 1], port).into()]) });
    /// # Ok::<(), sansock_tokio::Error>(())
    /// ```
    pub fn resolver<F>(mut self, resolve: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.dialler.resolver =
            Some(Resolver(Arc::new(move |host, port| Box::pin(resolve(host, port)))));
        self
    }

    /// Calls `set` with each TCP socket before it connects to this address, for options that must be
    /// set by then, such as a local address, an interface, or keepalive. An error is that of the
    /// attempt. `socket2::SockRef::from(socket)` has the options that tokio does not have. The socket
    /// has `TCP_NODELAY` when it has connected.
    ///
    /// ```
    /// use sansock_tokio::Client;
    ///
    /// let client = Client::new("ws://127.0.0.1:9001/")?.tcp_socket(|socket, address| {
    ///     socket.set_keepalive(true)?;
    ///     if address.is_ipv4() {
    ///         socket.bind(([127, 0, 0, 1], 0).into())?;
    ///     }
    ///     Ok(())
    /// });
    /// # Ok::<(), sansock_tokio::Error>(())
    /// ```
    pub fn tcp_socket(
        mut self,
        set: impl Fn(&TcpSocket, SocketAddr) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.dialler.socket = Some(SocketOptions(Arc::new(set)));
        self
    }

    /// Sets the time in which the server must read at least 16 KiB of the data sent to it, or all
    /// of it. Otherwise the write fails and the connection ends. Default 30 seconds; `None` waits
    /// forever.
    pub fn write_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.write_timeout = time.into();
        self
    }

    /// Connects to the first address of the URL's host that answers, and does the opening
    /// handshake. Dropping the future cancels it.
    ///
    /// # Errors
    ///
    /// - [`Error::Connect`] if no address could be reached, [`Error::Io`].
    /// - [`Error::Proxy`] for all that goes wrong at a proxy, if one is set.
    /// - [`Error::Handshake`]: a response other than 101 is in its
    ///   [`response`](HandshakeError::response). If the offer itself is invalid, the client does
    ///   not connect.
    /// - For a `wss:` URL also [`Error::Tls`], or [`Error::NoTls`] without the feature `rustls`.
    /// - With the feature `redirects` also `Error::Redirect`.
    pub async fn connect(&self) -> Result<WebSocket<Stream>, Error> {
        Ok(self.connect_with_response().await?.0)
    }

    /// Connects as [`connect`](Self::connect) does, and also returns the server's response with its
    /// headers.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`connect`](Self::connect) returns it.
    pub async fn connect_with_response(&self) -> Result<(WebSocket<Stream>, Response), Error> {
        #[cfg(feature = "redirects")]
        if let Some(policy) = &self.redirects {
            return Box::pin(crate::redirects::connect(self, policy)).await;
        }
        self.connect_once().await
    }

    /// Connects to the URL of the offer, and to no other.
    pub(crate) async fn connect_once(&self) -> Result<(WebSocket<Stream>, Response), Error> {
        self.offer.check()?;
        let route = Box::pin(self.dial(self.offer.uri())).await?;
        let deadline = self.config.timeouts.opening(now());
        let stream = Box::pin(route.open(&deadline)).await?;
        Box::pin(self.handshake_until(stream, &deadline)).await
    }

    /// Does the opening handshake over a transport that is already connected, such as a Unix socket
    /// or another TLS implementation.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Handshake`].
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: S,
    ) -> Result<(WebSocket<S>, Response), Error> {
        let deadline = self.config.timeouts.opening(now());
        Box::pin(self.handshake_until(io, &deadline)).await
    }

    /// Returns the offer.
    #[must_use]
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    async fn handshake_until<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut io: S,
        deadline: &Deadline,
    ) -> Result<(WebSocket<S>, Response), Error> {
        let mut buffers = pool::take_with(self.config.read_size);
        let Buffers { input, output } = &mut *buffers;
        let limits = self.head_limits;
        let mut handshake = ClientHandshake::start(&self.offer, random_nonce(), limits, output)?;
        if !write_until(&mut io, output, deadline).await? {
            handshake.time_out()?;
        }
        read_head(&mut io, input, &mut handshake, deadline).await?;
        let (Some(established), Some(response)) = (handshake.established(), handshake.response())
        else {
            return Err(HandshakeError::from(Incomplete::UnexpectedEof).into());
        };
        let response = response.clone();
        let mut socket = WebSocket::after_handshake(io, established, &self.config, buffers);
        socket.set_write_timeout(self.write_timeout);
        Ok((socket, response))
    }
}
