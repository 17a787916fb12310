//! Accepting clients.

mod drain;
mod handle;
mod incoming;
mod options;
mod registry;
mod report;
mod serve;

pub use handle::ServerHandle;
pub use incoming::Incoming;
pub use report::{HandlerResult, ServerError};

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io, thread};

use self::options::Options;
use self::registry::{RETRY, Shared};
use self::report::Report;
use self::serve::serve;
use super::Stream;
use super::tls::Acceptor;
use crate::counts::CountedClient;
use crate::handshake::{HeadLimits, HostPolicy, OriginPolicy};
use crate::{Config, Keepalive};

/// A server with one thread per connection, which also does the opening handshake.
///
/// ```no_run
/// use sansock::Event;
/// use sansock::net::Server;
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// server.run(|incoming| {
///     let mut socket = incoming.accept()?;
///     while let Some((event, outgoing)) = socket.exchange()? {
///         if let Event::Message(message) = event {
///             outgoing.queue(message)?;
///         }
///     }
///     Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    listener: TcpListener,
    pub(super) options: Options,
    shared: Arc<Shared>,
}

impl Server {
    /// Listens on an address; port 0 selects a free port ([`local_addr`](Self::local_addr)).
    ///
    /// # Errors
    ///
    /// The error of the operating system, for example if the port is in use.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::from_listener(TcpListener::bind(address)?)
    }

    /// Uses an existing listener, and makes it blocking.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn from_listener(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        let shared = Arc::new(Shared::new(listener.local_addr()?));
        Ok(Self { listener, options: Options::new(), shared })
    }

    /// Sets limits, delivery and timeouts. [`Config::public_server`] has those for a server that
    /// strangers reach.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.options.set_config(config);
        self
    }

    /// Sets the keepalive of connections whose config has none. Default 20 seconds of silence and
    /// 20 seconds for the answer; `None` turns it off, and then clients that vanished without a word
    /// keep their places.
    #[must_use]
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.options.keepalive = keepalive.into();
        self
    }

    /// Sets the limits of a request's head.
    #[must_use]
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.options.head_limits = limits;
        self
    }

    /// Sets which pages may connect from a browser (RFC 6455, 10.2).
    /// [`Incoming::accept`] checks it, so the handler runs first: a request that the policy refuses
    /// gets a response with 403 there, and `accept` an error. The default, [`OriginPolicy::SameHost`], accepts
    /// pages of the server's own host, and clients without an Origin header, which are not
    /// browsers.
    #[must_use]
    pub fn origins(mut self, policy: OriginPolicy) -> Self {
        self.options.origins = policy;
        self
    }

    /// Sets which hosts the server answers to. Every request for another, a plain one too, gets a
    /// response with 421 and does not reach the handler. Set it for a server that is reached by
    /// known names, above all on the user's own machine: it stops pages that have their site's
    /// name resolve to the server's address ([`HostPolicy`]). Default: [`HostPolicy::Any`].
    #[must_use]
    pub fn hosts(mut self, policy: HostPolicy) -> Self {
        self.options.hosts = policy;
        self
    }

    /// Accepts permessage-deflate (RFC 7692) from clients that offer it, unless the
    /// [`Answer`](crate::handshake::Answer) has other settings. Default: no compression.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, config: crate::deflate::DeflateConfig) -> Self {
        self.options.answer = crate::handshake::Answer::new().deflate(config);
        self
    }

    /// Sets the largest number of connections, those in their handshake included. Default 10,000.
    /// Further clients wait in the listener's backlog.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.options.max_connections = connections.max(1);
        self
    }

    /// Sets the largest number of handshakes in progress; refused clients whose end is awaited
    /// count too. Default 2,500, a quarter of the default of
    /// [`max_connections`](Self::max_connections).
    ///
    /// If this limit or [`max_connections`](Self::max_connections) is reached, a new client takes
    /// the place of the oldest handshake that has lasted more than a second
    /// ([`ServerError::Displaced`]). So clients that never finish their handshake delay others by
    /// about a second, unless this many of them connect in each second.
    #[must_use]
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.options.max_handshakes = handshakes.max(1);
        self
    }

    /// Sets the time in which a peer must read at least 16 KiB of the data sent to it, or all of
    /// it. Otherwise the write fails and the connection ends. Default 30 seconds; `None` waits
    /// forever.
    #[must_use]
    pub fn write_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.options.write_timeout = time.into();
        self
    }

    /// Sets the stack of each connection's thread in bytes. Default: that of the standard library.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.options.stack_size = Some(bytes);
        self
    }

    /// Calls `report` for every client that fails before [`run`](Self::run)'s handler, and for
    /// every handler that returns an error or panics. Nothing is reported by default.
    ///
    /// It is called on the thread of the connection, or on the thread of `run` if there is none; it
    /// must return quickly. If it panics, the panic is caught. [`ServerError::Accept`] comes
    /// without an address, because it concerns no client.
    /// All other errors have the address of the TCP peer, which behind a proxy is the proxy's.
    ///
    /// ```no_run
    /// # use sansock::net::Server;
    /// let server = Server::bind("127.0.0.1:9001")?.on_error(|error, peer| match peer {
    ///     Some(peer) => eprintln!("{peer}: {error}"),
    ///     None => eprintln!("{error}"),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_error(
        mut self,
        report: impl Fn(&ServerError, Option<SocketAddr>) + Send + Sync + 'static,
    ) -> Self {
        self.options.report = Report::to(report);
        self
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Returns a handle that stops the server from another thread.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { shared: Arc::clone(&self.shared) }
    }

    /// Accepts clients until [`ServerHandle::shutdown`] or the end of a drain
    /// ([`ServerHandle::start_drain`]), and calls `handler` for each valid request
    /// on a separate thread. Wrong requests get an error response ([`on_error`](Self::on_error)).
    ///
    /// When the handler returns, its connection ends, even if another thread holds it. The server
    /// writes the queued messages, and then a Close frame with 1000 after `Ok`, or with 1011 after
    /// `Err` or a panic. This takes [`Timeouts::closing`](crate::Timeouts::closing) at most. An
    /// error or a panic affects only its own connection, and is reported to
    /// [`on_error`](Self::on_error).
    ///
    /// After the shutdown it waits until all connections have ended, at most for
    /// [`Timeouts::closing`](crate::Timeouts::closing) plus one second.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the listener is broken. Temporary errors, such as too many open files, are
    /// retried.
    pub fn run<F>(self, handler: F) -> io::Result<()>
    where
        F: Fn(&Incoming) -> HandlerResult + Send + Sync + 'static,
    {
        let Self { listener, options, shared } = self;
        let (handler, options) = (Arc::new(handler), Arc::new(options));
        let result = accept_all(&listener, &shared, &options, &handler);
        // Clients in the backlog learn at once that they are not served.
        drop(listener);
        shared.close_all(&options);
        result
    }
}

/// Accepts clients until the server shuts down.
fn accept_all<F>(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    options: &Arc<Options>,
    handler: &Arc<F>,
) -> io::Result<()>
where
    F: Fn(&Incoming) -> HandlerResult + Send + Sync + 'static,
{
    let report = |error: ServerError, peer| options.report.report(&error, peer);
    while shared.wait_for_room(options.max_connections, options.max_handshakes) {
        let (tcp, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => {
                shared.counters.accept_failed();
                let passes_at_once = error.kind() == io::ErrorKind::ConnectionAborted;
                report(ServerError::Accept(error), None);
                if !passes_at_once {
                    // No descriptors or no memory: some may become free soon.
                    shared.pause(RETRY);
                }
                continue;
            }
        };
        let stream = match options.tls.as_ref().map(Acceptor::session).transpose() {
            Ok(None) => Stream::from(tcp),
            Ok(Some(session)) => Stream::secure(tcp, session),
            // No random numbers or no time: TLS needs both.
            Err(error) => {
                CountedClient::new(&shared.counters).refuse(error.refusal());
                report(ServerError::Opening(error), Some(peer));
                continue;
            }
        };
        let Some(guard) = shared.register(stream) else { return Ok(()) };
        let mut builder = thread::Builder::new().name("sansock-connection".into());
        if let Some(size) = options.stack_size {
            builder = builder.stack_size(size);
        }
        let (handler, options) = (Arc::clone(handler), Arc::clone(options));
        if let Err(error) = builder.spawn(move || serve(&guard, peer, &options, &*handler)) {
            // The connection was dropped with its guard. Threads may become available soon.
            report(ServerError::Opening(error.into()), Some(peer));
            shared.pause(RETRY);
        }
    }
    Ok(())
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.shared.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Whether an error of `accept` is permanent: the listener itself is broken.
fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}
