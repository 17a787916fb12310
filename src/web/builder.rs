//! Connecting, with options that browsers do not have.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::error::Error;
use super::network::{self, Attempt};
use super::ports::PortPolicy;
use super::shared::Shared;
use super::socket::WebSocket;
use super::url;
use super::wake::Wake;
use crate::handshake::{HeadLimits, Offer};
use crate::net::{CancelConnect, Client};
use crate::{Config, Delivery};

impl WebSocket {
    /// Connects to a `ws:`, `wss:`, `http:` or `https:` URL in the background, and returns at once.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] for a bad URL, [`Error::Security`] for a blocked port, [`Error::Thread`].
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::builder(url)?.open()
    }

    /// Connects like [`new`](Self::new) and offers subprotocols, the preferred one first. The
    /// connection fails unless the server chooses one of them.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] for a bad URL, or a subprotocol that is not valid or is given twice;
    /// [`Error::Security`] for a blocked port; [`Error::Thread`].
    ///
    /// ```no_run
    /// use sansock::web::WebSocket;
    ///
    /// let url = "wss://example.com/socket";
    /// let socket = WebSocket::with_protocols(url, ["protocolOne", "protocolTwo"])?;
    /// # Ok::<(), sansock::web::Error>(())
    /// ```
    pub fn with_protocols<P: Into<String>>(
        url: &str,
        protocols: impl IntoIterator<Item = P>,
    ) -> Result<Self, Error> {
        Self::builder(url)?.protocols(protocols).open()
    }

    /// Starts with options that browsers do not have: headers, limits, timeouts, TLS, ports.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] for a bad URL, [`Error::Security`] for port 0.
    pub fn builder(url: &str) -> Result<Builder, Error> {
        Builder::new(url, None)
    }

    /// Starts as [`builder`](Self::builder) does, with a URL that may be relative to `base`, such
    /// as that of a page. A base with `https:` gives a URL with `wss:`, one with `http:` gives
    /// `ws:`.
    ///
    /// ```
    /// use sansock::web::WebSocket;
    /// let builder = WebSocket::builder_with_base("/chat", "https://example.com/page")?;
    /// # let _ = builder;
    /// # Ok::<(), sansock::web::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] for a bad URL or base, [`Error::Security`] for port 0.
    pub fn builder_with_base(url: &str, base: &str) -> Result<Builder, Error> {
        Builder::new(url, Some(base))
    }
}

/// Connects a [`WebSocket`] with options. Made by [`WebSocket::builder`].
///
/// ```no_run
/// use std::time::Duration;
/// use sansock::web::{PortPolicy, WebSocket};
///
/// let socket = WebSocket::builder("ws://127.0.0.1:6000/chat")?
///     .protocols(["v2.chat", "chat"])
///     .header("Cookie", "session=1")
///     .connect_timeout(Duration::from_secs(3))
///     .ports(PortPolicy::Any)
///     .open()?;
/// # Ok::<(), sansock::web::Error>(())
/// ```
#[must_use]
pub struct Builder {
    url: String,
    client: Client,
    ports: PortPolicy,
    in_turn: bool,
    backlog: usize,
    wake: Option<Wake>,
}

impl Builder {
    fn new(text: &str, base: Option<&str>) -> Result<Self, Error> {
        let url = url::parse(text, base)?;
        // No policy allows this one.
        if url.port() == Some(0) {
            return Err(Error::Security(0));
        }
        Ok(Self {
            client: Client::with_offer(Offer::new(url::to_uri(&url)?)),
            url: url.into(),
            ports: PortPolicy::Browser,
            in_turn: true,
            backlog: 1 << 20,
            wake: None,
        })
    }

    /// Offers subprotocols, the preferred one first, after those that were offered before. The
    /// connection fails unless the server chooses one of them.
    pub fn protocols<P: Into<String>>(mut self, names: impl IntoIterator<Item = P>) -> Self {
        self.client = names.into_iter().fold(self.client, Client::subprotocol);
        self
    }

    /// Adds a header to the request, such as Cookie or Authorization.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.client = self.client.header(name, value);
        self
    }

    /// Sets the Origin header, which browsers send. None is sent by default.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.client = self.client.origin(origin);
        self
    }

    /// Offers permessage-deflate (RFC 7692), as browsers do. Each call adds an offer that is
    /// preferred less than those before.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, config: crate::deflate::DeflateConfig) -> Self {
        self.client = self.client.deflate(config);
        self
    }

    /// Sets limits and timeouts. Messages are always delivered whole, whatever
    /// [`Config::delivery`] says.
    pub fn config(mut self, config: Config) -> Self {
        self.client = self.client.config(config);
        self
    }

    /// Sets the limits of the server's response head.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.client = self.client.head_limits(limits);
        self
    }

    /// Sets how long connecting may take, or `None` for the operating system's time; see
    /// [`Client::connect_timeout`].
    pub fn connect_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.client = self.client.connect_timeout(time);
        self
    }

    /// Sets the time in which the server must take 16 KiB of what is sent to it, or all of it; see
    /// [`Client::write_timeout`]. `None` waits forever.
    pub fn write_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.client = self.client.write_timeout(time);
        self
    }

    /// Changes other settings of the blocking client, such as the configuration of TLS or a proxy:
    /// `.client(|client| client.tls(connector).proxy(proxy))`. With `Client::redirects` the object
    /// follows redirects, which browsers do not do; [`PortPolicy`] then looks at the first URL alone.
    pub fn client(mut self, change: impl FnOnce(Client) -> Client) -> Self {
        self.client = change(self.client);
        self
    }

    /// Sets which ports may be connected to. By default those that browsers allow.
    pub const fn ports(mut self, policy: PortPolicy) -> Self {
        self.ports = policy;
        self
    }

    /// Sets whether to wait while another object of this process connects to the same host and port.
    /// The standard demands it (RFC 6455, 4.1, step 2), so the default is `true`: a server is not
    /// flooded with connections. The time for connecting starts when it is this object's turn.
    pub const fn connect_in_turn(mut self, in_turn: bool) -> Self {
        self.in_turn = in_turn;
        self
    }

    /// Sets how many bytes of messages may wait for handlers or [`Events`](super::Events) before
    /// reading pauses. Default 1 MiB. One more message may exceed this, whatever its size. Messages
    /// that nothing has listened for yet are kept up to this size.
    pub const fn backlog(mut self, bytes: usize) -> Self {
        self.backlog = bytes;
        self
    }

    /// Makes the program's event loop run the socket's tasks, as that of a page does: whatever
    /// happens on the network waits until the program takes the next event
    /// ([`Events::try_recv`](super::Events::try_recv) and its siblings). Only then do the state, the
    /// subprotocol and the extensions change, and only then does
    /// [`buffered_amount`](WebSocket::buffered_amount) fall. See the [module's
    /// page](super#event-loops) for an example.
    ///
    /// `wake` is called once for each task that was queued, on a thread of the socket, so it should
    /// return soon. It may wake an event loop that waits, or send on a channel. A program that waits
    /// for this socket alone needs nothing: `|| ()`. If it panics, the socket is closed with 1011.
    pub fn event_loop(mut self, wake: impl Fn() + Send + Sync + 'static) -> Self {
        self.wake = Some(Wake::new(wake));
        self
    }

    /// Makes the object and starts to connect in the background.
    ///
    /// # Errors
    ///
    /// [`Error::Security`] for a blocked port, [`Error::Syntax`] for a subprotocol that is not
    /// valid or is given twice, [`Error::Header`] for a header or Origin that cannot be sent,
    /// [`Error::Thread`] if the operating system does not start a thread.
    pub fn open(self) -> Result<WebSocket, Error> {
        let config = self.client.settings().delivery(Delivery::Messages);
        let cancel = CancelConnect::new();
        let client = self.client.config(config).cancel(&cancel);
        let port = client.offer().uri().port();
        let blocked = !self.ports.allows(port);
        if blocked && self.ports != PortPolicy::Fail {
            return Err(Error::Security(port));
        }
        let attempt = match self.in_turn {
            _ if blocked => Attempt::Blocked,
            true => Attempt::InTurn,
            false => Attempt::AtOnce,
        };
        // "If any of the values in protocols occur more than once or otherwise fail to match the
        // requirements for elements that comprise the value of `Sec-WebSocket-Protocol` fields as
        // defined by The WebSocket Protocol, then throw a "SyntaxError" DOMException."
        client.offer().check()?;
        let drop_timeout = drop_timeout(&client);
        let shared = Shared::new(self.url, drop_timeout, self.backlog, cancel, self.wake);
        let shared = Arc::new(shared);
        shared.lock().networking = true;
        let thread = thread::Builder::new().name("sansock-network".into());
        let background = Arc::clone(&shared);
        let thread = thread
            .spawn(move || network::run(&background, &client, attempt))
            .map_err(Error::Thread)?;
        shared.threads().network = Some(thread);
        Ok(WebSocket::owner(shared))
    }
}

impl fmt::Debug for Builder {
    /// Leaves out the URL's text, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("client", &self.client)
            .field("ports", &self.ports)
            .field("backlog", &self.backlog)
            .finish_non_exhaustive()
    }
}

/// How long dropping the object may block: the time of the closing handshake, from our Close frame
/// to the end of the transport, and a second in which the threads end.
fn drop_timeout(client: &Client) -> Duration {
    let closing = client.settings().timeouts.closing.unwrap_or(Duration::from_secs(10));
    closing.saturating_add(Duration::from_secs(1))
}
