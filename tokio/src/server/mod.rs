//! Accepting clients.

mod connections;
mod drain;
mod entries;
mod handle;
mod incoming;
mod options;
mod registry;
mod serve;
mod slot;
mod timer;
mod timers;
mod times;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use std::{fmt, io};

use sansock::counts::{CountedClient, Refusal};
use sansock::handshake::{HeadLimits, HostPolicy, OriginPolicy};
use sansock::net::{HandlerResult, ServerError};
use sansock::{Config, Keepalive};
use tokio::net::{TcpListener, ToSocketAddrs};

pub use self::connections::Connections;
pub use self::handle::ServerHandle;
pub use self::incoming::Incoming;
#[cfg(feature = "hyper")]
pub(crate) use self::options::WRITE_TIMEOUT;
pub(crate) use self::slot::{Remains, Slot};

use self::options::Options;
use self::registry::{RETRY, Registry};
use self::serve::{Task, serve};

/// A server with one task per connection, which also does the opening handshake.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use sansock_tokio::{Event, Server};
///
/// let server = Server::bind("127.0.0.1:9001").await?;
/// server
///     .run(|incoming| async move {
///         let mut socket = incoming.accept().await?;
///         while let Some((event, mut outgoing)) = socket.exchange().await? {
///             if let Event::Message(message) = event {
///                 outgoing.queue(message)?;
///             }
///         }
///         Ok(())
///     })
///     .await
/// # }
/// ```
#[must_use]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
    registry: Arc<Registry>,
}

impl Server {
    /// Listens on an address; port 0 selects a free port ([`local_addr`](Self::local_addr)).
    ///
    /// # Errors
    ///
    /// The error of the operating system, for example if the port is in use.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::from_listener(TcpListener::bind(address).await?)
    }

    /// Uses an existing listener.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn from_listener(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { listener, address, options: Options::new(), registry: Arc::default() })
    }

    /// Sets limits, delivery and timeouts. [`Config::public_server`] has those for a server that
    /// strangers reach.
    pub fn config(mut self, config: Config) -> Self {
        self.options.config = config;
        self
    }

    /// Sets the keepalive of connections whose config has none. Default 20 seconds of silence and
    /// 20 seconds for the answer; `None` turns it off, and then clients that vanished without a word
    /// keep their places.
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.options.keepalive = keepalive.into();
        self
    }

    /// Sets the limits of a request's head.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.options.head_limits = limits;
        self
    }

    /// Sets which pages may connect from a browser (RFC 6455, 10.2). [`Incoming::accept`] checks
    /// it: a request that the policy refuses gets a response with 403 there. The default,
    /// [`OriginPolicy::SameHost`], accepts pages of the server's own host, and clients without an
    /// Origin header, which are not browsers.
    pub fn origins(mut self, policy: OriginPolicy) -> Self {
        self.options.origins = policy;
        self
    }

    /// Sets which hosts the server answers to. Every request for another gets a response with 421
    /// and does not reach the handler ([`HostPolicy`]). Default: [`HostPolicy::Any`].
    pub fn hosts(mut self, policy: HostPolicy) -> Self {
        self.options.hosts = policy;
        self
    }

    /// Accepts permessage-deflate (RFC 7692) from clients that offer it, unless the
    /// [`Answer`](sansock::handshake::Answer) has other settings. Default: no compression.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, config: sansock::deflate::DeflateConfig) -> Self {
        self.options.answer = sansock::handshake::Answer::new().deflate(config);
        self
    }

    /// Sets the largest number of connections, those in their handshake included. Default 10,000.
    /// Further clients wait in the listener's backlog.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.options.max_connections = connections.max(1);
        self
    }

    /// Sets the largest number of handshakes in progress. Default 2,500. If this limit or
    /// [`max_connections`](Self::max_connections) is reached, a new client takes the place of the
    /// oldest handshake that has lasted more than a second ([`ServerError::Displaced`]).
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.options.max_handshakes = handshakes.max(1);
        self
    }

    /// Sets the time in which a peer must read at least 16 KiB of the data sent to it, or all of
    /// it. Otherwise the write fails and the connection ends. Default 30 seconds; `None` waits
    /// forever.
    pub fn write_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.options.write_timeout = time.into();
        self
    }

    /// Calls `report` for every client that fails before [`run`](Self::run)'s handler, and for
    /// every handler that returns an error or panics. Nothing is reported by default. It must
    /// return quickly. [`ServerError::Accept`] comes without an address, and all other errors with
    /// that of the TCP peer, which behind a proxy is the proxy's.
    pub fn on_error(
        mut self,
        report: impl Fn(&ServerError, Option<SocketAddr>) + Send + Sync + 'static,
    ) -> Self {
        self.options.report = Some(Arc::new(report));
        self
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle that stops the server.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { address: self.address, registry: Arc::clone(&self.registry) }
    }

    #[cfg(any(feature = "rustls", feature = "proxy-protocol"))]
    pub(crate) fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Accepts clients until [`ServerHandle::shutdown`] or the end of a drain
    /// ([`ServerHandle::start_drain`]), and calls `handler` for each valid
    /// request, in a task of its own. Wrong requests get an error response
    /// ([`on_error`](Self::on_error)).
    ///
    /// When the handler has returned and the connection is dropped, wherever it was moved to, the
    /// server writes the queued messages, and then a Close frame with 1000 after `Ok`, or with 1011
    /// after `Err` or a panic. This takes [`Timeouts::closing`](sansock::Timeouts::closing) at most.
    ///
    /// After the shutdown it waits until all connections have ended, at most for
    /// [`Timeouts::closing`](sansock::Timeouts::closing) plus one second. If its future is dropped,
    /// no more clients are accepted, and the connections go on.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the listener is broken. Temporary errors, such as too many open files, are
    /// retried.
    pub async fn run<F, H>(self, handler: F) -> io::Result<()>
    where
        F: Fn(Incoming) -> H + Send + Sync + 'static,
        H: Future<Output = HandlerResult> + Send + 'static,
    {
        let Self { listener, options, registry, .. } = self;
        let (options, handler) = (Arc::new(options), Arc::new(handler));
        let (connections, handshakes) = (options.max_connections, options.max_handshakes);
        while registry.wait_for_room(connections, handshakes).await {
            let Some(accepted) = until(registry.shutdown_started(), listener.accept()).await else {
                break;
            };
            let (tcp, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => {
                    registry.counters.accept_failed();
                    let passes_at_once = error.kind() == io::ErrorKind::ConnectionAborted;
                    options.report(&ServerError::Accept(error), None);
                    if !passes_at_once {
                        // No descriptors or no memory: some may become free soon.
                        tokio::time::sleep(RETRY).await;
                    }
                    continue;
                }
            };
            let Some(guard) = registry.register_handshake() else {
                CountedClient::new(&registry.counters).refuse(Refusal::Draining);
                break;
            };
            let slot = Arc::clone(&guard.0);
            let (options, handler) = (Arc::clone(&options), Arc::clone(&handler));
            let task = Box::new(Task { handler, peer, guard, options });
            let serving = serve(task, Box::new(tcp));
            registry.set_task(&*slot, tokio::spawn(serving).abort_handle());
        }
        drop(listener);
        registry.told().await;
        let now = crate::clock::now();
        let closing = options.config.timeouts.ending(now).poll_timeout();
        let limit = closing.map_or(FALLBACK, |at| at.saturating_duration_since(now));
        registry.close_all(limit.saturating_add(Duration::from_secs(1))).await;
        Ok(())
    }
}

/// How long a shutdown may take if [`Timeouts::closing`](sansock::Timeouts::closing) is `None`.
const FALLBACK: Duration = Duration::from_secs(10);

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.local_addr()).finish_non_exhaustive()
    }
}

/// Awaits `future` until `end` is done.
async fn until<T>(end: impl Future<Output = ()>, future: impl Future<Output = T>) -> Option<T> {
    let (mut end, mut future) = (pin!(end), pin!(future));
    poll_fn(|cx| match end.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

/// Whether an error of `accept` is permanent: the listener itself is broken.
fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}
