//! Connecting to a server.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use std::{fmt, io};

use super::opening::read_head;
use super::stream::time_until;
use super::tls::Connector;
use super::{Error, Socket, Stream, WebSocket};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::config::Config;
use crate::handshake::{ClientHandshake, HeadLimits, Incomplete, Offer, Response};
use crate::mask::random_nonce;
use crate::timer::Deadline;
use crate::uri::Uri;

/// Connects to a `ws:` URL with the defaults, or to a `wss:` URL if the crate has its feature `rustls`.
///
/// # Errors
///
/// As [`Client::new`] and [`Client::connect`].
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
    offer: Offer,
    config: Config,
    head_limits: HeadLimits,
    connect_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// How to do TLS, if not as preset.
    pub(super) tls: Option<Connector>,
}

impl Client {
    /// A client for this URL.
    ///
    /// # Errors
    ///
    /// [`Error::Uri`].
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self::with_offer(Offer::new(url.parse::<Uri>()?)))
    }

    /// A client for an offer that was made before.
    pub const fn with_offer(offer: Offer) -> Self {
        Self {
            offer,
            config: Config::new(),
            head_limits: HeadLimits::new(),
            connect_timeout: Some(Duration::from_secs(10)),
            write_timeout: None,
            tls: None,
        }
    }

    /// Offers a subprotocol, after those that were offered before.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.offer = self.offer.subprotocol(name);
        self
    }

    /// Offers permessage-deflate (RFC 7692), after what was offered of it before.
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

    /// How long connecting may take, all addresses together; 10 seconds unless set. To look up the
    /// host's addresses takes the time that the operating system allows, and the opening handshake
    /// has [`Timeouts::handshake`](crate::Timeouts::handshake) after that.
    pub const fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = Some(time);
        self
    }

    /// How long a write may make no progress, after which it fails and with it the connection;
    /// unless set it waits as long as TCP does.
    pub const fn write_timeout(mut self, time: Duration) -> Self {
        self.write_timeout = Some(time);
        self
    }

    /// Connects to the first address of the URL's host that answers, and does the opening
    /// handshake.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] from the last address that was tried, [`Error::Handshake`] (an answer other than
    /// 101 is in its [`response`](crate::HandshakeError::response)). For a `wss:` URL [`Error::Tls`] too, or
    /// [`Error::NoTls`] without the feature `rustls`. If the offer or the configuration of TLS is at
    /// fault, nothing is connected.
    pub fn connect(&self) -> Result<WebSocket, Error> {
        Ok(self.connect_with_response()?.0)
    }

    /// [`connect`](Self::connect), and the server's response with its headers.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_with_response(&self) -> Result<(WebSocket, Response), Error> {
        self.connect_watched(|_| ())
    }

    /// [`connect_with_response`](Self::connect_with_response), which shows the transport before the
    /// handshakes: to shut it down ends the wait for the server.
    pub(crate) fn connect_watched(
        &self,
        connected: impl FnOnce(&Stream),
    ) -> Result<(WebSocket, Response), Error> {
        self.offer.check()?;
        let uri = self.offer.uri();
        let tls = match &self.tls {
            _ if !uri.is_secure() => None,
            Some(connector) => Some(connector.session(uri.bare_host())?),
            None => Some(Connector::preset()?.session(uri.bare_host())?),
        };
        let tcp = self.open()?;
        tcp.set_nodelay(true)?;
        tcp.set_write_timeout(self.write_timeout)?;
        let deadline = self.config.timeouts.opening(Instant::now());
        let stream = match tls {
            None => Stream::from(tcp),
            Some(session) => Stream::secure(tcp, session),
        };
        connected(&stream);
        stream.open(&deadline)?;
        self.handshake_until(stream, &deadline)
    }

    /// Does the opening handshake over a transport that is connected already, such as one with TLS.
    /// It must be blocking.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Handshake`].
    pub fn handshake<S: Socket>(&self, stream: S) -> Result<(WebSocket<S>, Response), Error> {
        self.handshake_until(stream, &self.config.timeouts.opening(Instant::now()))
    }

    fn handshake_until<S: Socket>(
        &self,
        mut stream: S,
        deadline: &Deadline,
    ) -> Result<(WebSocket<S>, Response), Error> {
        let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
        let limits = self.head_limits;
        let mut handshake =
            ClientHandshake::start(&self.offer, random_nonce(), limits, &mut output)?;
        output.write_to(&mut stream)?;
        read_head(&mut stream, &mut input, &mut handshake, deadline)?;
        let (Some(established), Some(response)) = (handshake.established(), handshake.response())
        else {
            return Err(Incomplete::UnexpectedEof.into());
        };
        let connection = established.connection(&self.config);
        let mut socket = WebSocket::new(stream, connection, input, output)?;
        socket.set_negotiated(&established);
        Ok((socket, response.clone()))
    }

    /// What is offered.
    #[cfg(feature = "web")]
    pub(crate) const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Limits, delivery and timeouts.
    #[cfg(feature = "web")]
    pub(crate) const fn settings(&self) -> &Config {
        &self.config
    }

    fn open(&self) -> Result<TcpStream, Error> {
        let uri = self.offer.uri();
        let host = uri.bare_host();
        let addresses: Vec<SocketAddr> = (host, uri.port()).to_socket_addrs()?.collect();
        connect_to_any(&addresses, self.connect_timeout)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, NoAddress(host.into())).into())
    }
}

/// The first address that answers; the error is the last one's. An address that does not answer
/// leaves the others their share of the time.
fn connect_to_any(
    addresses: &[SocketAddr],
    timeout: Option<Duration>,
) -> io::Result<Option<TcpStream>> {
    let until = timeout.and_then(|time| Instant::now().checked_add(time));
    let mut failed = None;
    for (address, untried) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let connected = match until {
            None => TcpStream::connect(address),
            Some(until) => {
                let untried = u32::try_from(untried).unwrap_or(u32::MAX);
                let share = time_until(until).checked_div(untried).unwrap_or_default();
                TcpStream::connect_timeout(address, share.max(Duration::from_millis(1)))
            }
        };
        match connected {
            Ok(stream) => return Ok(Some(stream)),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(None), Err)
}

/// The host has no address.
#[derive(Debug)]
struct NoAddress(String);

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no address", self.0)
    }
}

impl std::error::Error for NoAddress {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn every_address_is_tried_and_the_last_error_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for timeout in [None, Some(Duration::from_secs(10))] {
            let stream = connect_to_any(&[closed, closed, open, closed], timeout).unwrap();
            assert_eq!(stream.unwrap().peer_addr().unwrap(), open);
            let error = connect_to_any(&[closed, closed], timeout).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            assert!(connect_to_any(&[], timeout).unwrap().is_none());
        }
    }
}
