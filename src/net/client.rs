//! Connecting to a server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cancel::CancelConnect;
use super::connect::{Dialler, Resolver};
use super::opening::{read_head, write_in_time};
use super::proxy::Options as ProxyOptions;
use super::tls::Connector;
use super::{Error, Transport, WebSocket};
use crate::dial::{AddressOrder, HappyEyeballs};
use crate::handshake::{
    ClientHandshake, Established, HandshakeError, HeadLimits, Incomplete, Offer, Response,
    random_nonce,
};
use crate::uri::Uri;
use crate::{Config, Deadline, ReceiveBuffer, SendBuffer};

/// Connects to a `ws:` URL with the defaults, or to a `wss:` URL if the crate has its feature
/// `rustls`.
///
/// # Errors
///
/// [`Error`], as [`Client::new`] and [`Client::connect`] return it.
pub fn connect(url: &str) -> Result<WebSocket, Error> {
    Client::new(url)?.connect()
}

/// Connects to a server, with options.
///
/// ```no_run
/// use std::time::Duration;
/// use sansock::net::Client;
///
/// let mut socket = Client::new("ws://127.0.0.1:9001/chat")?
///     .subprotocol("chat")
///     .header("Cookie", "session=1")
///     .connect_timeout(Duration::from_secs(5))
///     .connect()?;
/// assert_eq!(socket.subprotocol(), Some("chat"));
/// # Ok::<(), sansock::net::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Client {
    pub(super) offer: Offer,
    config: Config,
    pub(super) head_limits: HeadLimits,
    pub(super) dialler: Dialler,
    pub(super) proxy: ProxyOptions,
    write_timeout: Option<Duration>,
    pub(super) cancel: Option<CancelConnect>,
    /// Until when it must have connected, if a redirect led here.
    #[cfg(feature = "redirects")]
    until: Option<Instant>,
    #[cfg(feature = "redirects")]
    redirects: Option<crate::dial::redirect::RedirectPolicy>,
    /// The TLS settings, if not the default.
    pub(super) tls: Option<Connector>,
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
            dialler: Dialler {
                connect_timeout: Some(Duration::from_secs(10)),
                order: AddressOrder::Interleaved,
                delay: HappyEyeballs::DELAY,
                resolver: None,
                #[cfg(feature = "socket2")]
                socket: None,
            },
            proxy: ProxyOptions::new(),
            write_timeout: Some(Duration::from_secs(30)),
            cancel: None,
            #[cfg(feature = "redirects")]
            until: None,
            #[cfg(feature = "redirects")]
            redirects: None,
            tls: None,
        }
    }

    /// Offers a subprotocol, in addition to those offered before (RFC 6455, 1.9). If the server
    /// chooses none, the connection is made without one:
    /// [`WebSocket::subprotocol`](super::WebSocket::subprotocol) tells.
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
    pub fn deflate(mut self, config: crate::deflate::DeflateConfig) -> Self {
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

    /// Sets how long the TCP connection may take, all addresses together. Default 10 seconds;
    /// `None` uses only TCP's own timeout. DNS resolution is not covered by this timeout, nor is
    /// the opening handshake, which has [`Timeouts::handshake`](crate::Timeouts::handshake).
    pub fn connect_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.dialler.connect_timeout = time.into();
        self
    }

    /// Sets how long an attempt to connect goes on alone before that to the host's next address
    /// begins (RFC 8305, 5). Default [`HappyEyeballs::DELAY`], 250 ms. The address that answers
    /// first wins. Each attempt of a host with several addresses has a thread, which ends with the
    /// connect timeout at the latest.
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
    /// without brackets) and the port, and returns the addresses. [`CancelConnect`] ends the wait for it.
    pub fn resolver(
        mut self,
        resolve: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.dialler.resolver = Some(Resolver(Arc::new(resolve)));
        self
    }

    /// Calls `set` with each TCP socket before it connects to this address, for options that must be
    /// set by then, such as a local address, an interface, or keepalive. An error is that of the
    /// attempt. The socket has `TCP_NODELAY` when it has connected.
    ///
    /// ```
    /// use sansock::net::Client;
    /// use socket2::{SockAddr, TcpKeepalive};
    /// use std::net::SocketAddr;
    /// use std::time::Duration;
    ///
    /// let client = Client::new("ws://127.0.0.1:9001/")?.tcp_socket(|socket, address| {
    ///     socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
    ///     if address.is_ipv4() {
    ///         socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    ///     }
    ///     Ok(())
    /// });
    /// # Ok::<(), sansock::net::Error>(())
    /// ```
    #[cfg(feature = "socket2")]
    pub fn tcp_socket(
        mut self,
        set: impl Fn(&socket2::Socket, SocketAddr) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.dialler.socket = Some(super::socket_options::SocketOptions(Arc::new(set)));
        self
    }

    /// Sets the time in which the server must read at least 16 KiB of the data sent to it, or all
    /// of it. Otherwise the write fails and the connection ends. Default 30 seconds; `None` waits
    /// forever.
    pub fn write_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.write_timeout = time.into();
        self
    }

    /// Lets `cancel` end [`connect`](Self::connect) from another thread, including the DNS
    /// resolution. It costs an additional thread during the TCP connection attempt.
    pub fn cancel(mut self, cancel: &CancelConnect) -> Self {
        self.cancel = Some(cancel.clone());
        self
    }

    /// Follows redirects of the handshake. Without this a redirect is an [`Error::Handshake`], as any
    /// other refusal.
    ///
    /// All connections together have the time that one has: the
    /// [`connect_timeout`](Self::connect_timeout) plus
    /// [`Timeouts::handshake`](crate::Timeouts::handshake). Each is closed before the next is made.
    ///
    /// ```no_run
    /// use sansock::dial::redirect::RedirectPolicy;
    /// use sansock::net::Client;
    ///
    /// let client = Client::new("ws://127.0.0.1:9001/")?.redirects(RedirectPolicy::new(5));
    /// let socket = client.connect()?;
    /// # Ok::<(), sansock::net::Error>(())
    /// ```
    #[cfg(feature = "redirects")]
    pub fn redirects(mut self, policy: crate::dial::redirect::RedirectPolicy) -> Self {
        self.redirects = Some(policy);
        self
    }

    /// Connects to the first address of the URL's host that answers, and does the opening
    /// handshake.
    ///
    /// # Errors
    ///
    /// - [`Error::Connect`] if no address could be reached, [`Error::Io`].
    /// - [`Error::Proxy`] for all that goes wrong at a proxy, if one is set.
    /// - [`Error::Handshake`]: a response other than 101 is in its
    ///   [`response`](crate::handshake::HandshakeError::response). If the offer itself is invalid,
    ///   the client does not connect.
    /// - With the feature `redirects` also `Error::Redirect`.
    /// - [`Error::Cancelled`] after [`CancelConnect::cancel`].
    /// - For a `wss:` URL also [`Error::Tls`], or [`Error::NoTls`] without the feature `rustls`.
    pub fn connect(&self) -> Result<WebSocket, Error> {
        Ok(self.connect_with_response()?.0)
    }

    /// Connects as [`connect`](Self::connect) does, and also returns the server's response with its
    /// headers.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`connect`](Self::connect) returns it.
    pub fn connect_with_response(&self) -> Result<(WebSocket, Response), Error> {
        #[cfg(feature = "redirects")]
        if let Some(policy) = &self.redirects {
            let connect = |offer: &Offer, until| self.hop(offer, until).connect_once();
            return super::redirects::follow(&self.offer, policy, self.whole_time(), connect);
        }
        self.connect_once()
    }

    /// The time for all redirects together.
    #[cfg(feature = "redirects")]
    fn whole_time(&self) -> Option<Duration> {
        let both = self.dialler.connect_timeout.zip(self.config.timeouts.handshake);
        both.map(|(connect, handshake)| connect.saturating_add(handshake))
    }

    /// The deadline of an opening handshake that starts now.
    fn deadline(&self) -> Deadline {
        let deadline = self.config.timeouts.opening(Instant::now());
        #[cfg(feature = "redirects")]
        let deadline = deadline.sooner(self.until);
        deadline
    }

    /// A client for the URL of a redirect.
    #[cfg(feature = "redirects")]
    fn hop(&self, offer: &Offer, until: Option<Instant>) -> Self {
        let mut hop = self.clone();
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        hop.dialler.connect_timeout =
            [hop.dialler.connect_timeout, left].into_iter().flatten().min();
        (hop.offer, hop.until) = (offer.clone(), until);
        hop
    }

    /// Connects to the URL of the offer, and to no other.
    fn connect_once(&self) -> Result<(WebSocket, Response), Error> {
        self.offer.check()?;
        let route = self.dial(self.offer.uri())?;
        let stream = route.stream.clone();
        let deadline = self.deadline();
        let handshake = || {
            route.open(&deadline)?;
            self.handshake_until(stream.clone(), &deadline)
        };
        match &self.cancel {
            None => handshake(),
            Some(cancel) => cancel.watch(&stream, handshake),
        }
    }

    /// Does the opening handshake over a transport that is already connected, such as a Unix socket
    /// or another TLS implementation. The transport must be blocking.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Handshake`].
    pub fn handshake<S: Transport>(&self, stream: S) -> Result<(WebSocket<S>, Response), Error> {
        self.handshake_until(stream, &self.config.timeouts.opening(Instant::now()))
    }

    /// A transport on which it fails is ended: "Clients MUST send a closure alert before closing
    /// the connection" (RFC 9112, 9.8).
    fn handshake_until<S: Transport>(
        &self,
        mut stream: S,
        deadline: &Deadline,
    ) -> Result<(WebSocket<S>, Response), Error> {
        let mut input = ReceiveBuffer::with_read_size(self.config.read_size);
        let mut output = SendBuffer::new();
        let limits = self.head_limits;
        let mut handshake =
            ClientHandshake::start(&self.offer, random_nonce(), limits, &mut output)?;
        let (established, response) =
            exchange_heads(&mut stream, &mut input, &mut output, &mut handshake, deadline)
                .inspect_err(|_| drop(stream.shutdown_write()))?;
        let connection = established.connection(&self.config);
        let mut socket = WebSocket::new(stream, connection, input, output)?;
        socket.set_write_timeout(self.write_timeout);
        socket.set_established(established);
        Ok((socket, response))
    }

    /// Returns the offer.
    #[must_use]
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Returns limits, delivery and timeouts.
    #[must_use]
    pub const fn settings(&self) -> &Config {
        &self.config
    }
}

/// Writes the request and reads the response.
fn exchange_heads<S: Transport>(
    stream: &mut S,
    input: &mut ReceiveBuffer,
    output: &mut SendBuffer,
    handshake: &mut ClientHandshake,
    deadline: &Deadline,
) -> Result<(Established, Response), Error> {
    if !write_in_time(stream, output, deadline)? {
        handshake.time_out()?;
    }
    read_head(stream, input, handshake, deadline)?;
    match (handshake.established(), handshake.response()) {
        (Some(established), Some(response)) => Ok((established, response.clone())),
        _ => Err(HandshakeError::from(Incomplete::UnexpectedEof).into()),
    }
}
