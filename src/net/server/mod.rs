//! Accepting clients.

mod incoming;
mod registry;

pub use incoming::Incoming;
pub use registry::ServerHandle;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io, thread};

use self::incoming::serve_one;
use self::registry::{RETRY, Shared};
use super::tls::Acceptor;
use super::{Error, Stream};
use crate::config::Config;
use crate::handshake::{Answer, HeadLimits, OriginPolicy};

/// A server: a thread for each connection, its opening handshake included.
///
/// ```no_run
/// use sansock::Event;
/// use sansock::net::{Incoming, Server};
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// server.run(|incoming: &mut Incoming| {
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

/// What holds for each connection.
#[derive(Clone, Debug)]
pub(super) struct Options {
    config: Config,
    head_limits: HeadLimits,
    origins: OriginPolicy,
    /// What an answer of the program leaves open.
    answer: Answer,
    max_connections: usize,
    write_timeout: Option<Duration>,
    stack_size: Option<usize>,
    pub(super) tls: Option<Acceptor>,
    on_error: OnError,
}

impl Server {
    /// Listens at an address; port 0 takes a free one ([`local_addr`](Self::local_addr)).
    ///
    /// # Errors
    ///
    /// The operating system's: the port is taken, for one.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::from_listener(TcpListener::bind(address)?)
    }

    /// Takes a listener that was set up elsewhere, and makes it blocking.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn from_listener(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        let shared = Arc::new(Shared::new(listener.local_addr()?));
        let options = Options {
            config: Config::new(),
            head_limits: HeadLimits::new(),
            origins: OriginPolicy::SameHost,
            answer: Answer::new(),
            max_connections: 10_000,
            write_timeout: Some(Duration::from_secs(30)),
            stack_size: None,
            tls: None,
            on_error: OnError::default(),
        };
        Ok(Self { listener, options, shared })
    }

    /// Sets limits, delivery and timeouts.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.options.config = config;
        self
    }

    /// Sets the limits of a request's head.
    #[must_use]
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.options.head_limits = limits;
        self
    }

    /// Sets which web pages may connect (RFC 6455, 10.2). By default pages of the server's own host
    /// may, and every client without an Origin, which is every program that is not a browser
    /// ([`OriginPolicy::SameHost`]). Requests that ask for WebSocket and are not allowed are answered
    /// with 403.
    #[must_use]
    pub fn origins(mut self, policy: OriginPolicy) -> Self {
        self.options.origins = policy;
        self
    }

    /// Accepts permessage-deflate (RFC 7692) from clients that offer it, where the
    /// [`Answer`](crate::Answer) says nothing else; nothing is compressed unless set.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, config: crate::DeflateConfig) -> Self {
        self.options.answer = self.options.answer.deflate(config);
        self
    }

    /// Sets how many connections there may be, those in their handshake included; 10,000 unless
    /// set. Further ones wait in the listener's backlog.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.options.max_connections = connections.max(1);
        self
    }

    /// Sets how long a write may make no progress, after which it fails and with it the connection:
    /// a peer that does not read; 30 seconds unless set, `None` for ever.
    #[must_use]
    pub fn write_timeout(mut self, time: Option<Duration>) -> Self {
        self.options.write_timeout = time;
        self
    }

    /// Sets the stack of each connection's thread in bytes; that of the standard library unless set.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.options.stack_size = Some(bytes);
        self
    }

    /// Calls `report` for each client that never comes to `run`'s `serve`; nobody is told unless set.
    /// The client has got its answer by then, if it could be given one.
    ///
    /// - [`Error::Handshake`]: a request that is wrong, took too long or was cut off.
    /// - [`Error::Tls`]: a TLS handshake that failed.
    /// - [`Error::Io`]: the transport broke, the server shuts down
    ///   ([`io::ErrorKind::ConnectionAborted`]), or the operating system had no thread for it. Without
    ///   an address: `accept` failed, for want of descriptors for one; clients wait meanwhile, and it is
    ///   tried again every 20 ms.
    ///
    /// It is called on the thread of the connection, and on that of [`run`](Self::run) where there is
    /// none: it must not take long. A panic of it is caught.
    ///
    /// ```no_run
    /// # use sansock::net::Server;
    /// let server = Server::bind("127.0.0.1:9001")?.on_error(|error, peer| match peer {
    ///     Some(peer) => eprintln!("{peer}: {error}"),
    ///     None => eprintln!("accepting: {error}"),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_error(
        mut self,
        report: impl Fn(&Error, Option<SocketAddr>) + Send + Sync + 'static,
    ) -> Self {
        self.options.on_error = OnError(Some(Arc::new(report)));
        self
    }

    /// The address that the server listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// What stops the server.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { shared: Arc::clone(&self.shared) }
    }

    /// Accepts clients until [`ServerHandle::shutdown`], and calls `serve` for each request on a
    /// thread of its own; a request that is wrong was refused before
    /// ([`on_error`](Self::on_error)). What `serve` returns and how it
    /// ends, a panic included, concerns its own connection only. That connection ends when `serve`
    /// does, even if another thread holds it.
    ///
    /// After the shutdown it waits until all connections have ended, for
    /// [`Timeouts::closing`](crate::Timeouts::closing) and a second at most.
    ///
    /// # Errors
    ///
    /// The listener is broken. Errors that pass, such as too many open files, are waited out.
    pub fn run<F>(self, serve: F) -> io::Result<()>
    where
        F: Fn(&mut Incoming) -> Result<(), Error> + Send + Sync + 'static,
    {
        let serve = Arc::new(serve);
        let result = self.accept_all(&serve);
        self.shared.close_all(&self.options);
        result
    }

    fn accept_all<F>(&self, serve: &Arc<F>) -> io::Result<()>
    where
        F: Fn(&mut Incoming) -> Result<(), Error> + Send + Sync + 'static,
    {
        while self.shared.wait_for_room(self.options.max_connections) {
            let (stream, peer) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => {
                    let passes_at_once = error.kind() == io::ErrorKind::ConnectionAborted;
                    self.options.on_error.report(&error.into(), None);
                    if !passes_at_once {
                        // No descriptors or no memory: some may be free soon.
                        self.shared.pause(RETRY);
                    }
                    continue;
                }
            };
            let stream = match &self.options.tls {
                None => Stream::from(stream),
                Some(acceptor) => match acceptor.session() {
                    Ok(session) => Stream::secure(stream, session),
                    // No random numbers or no time: TLS cannot do without.
                    Err(error) => {
                        self.options.on_error.report(&error, Some(peer));
                        continue;
                    }
                },
            };
            let Some(guard) = self.shared.register(stream) else { return Ok(()) };
            let (serve, options) = (Arc::clone(serve), self.options.clone());
            let mut builder = thread::Builder::new().name("sansock-connection".into());
            if let Some(size) = options.stack_size {
                builder = builder.stack_size(size);
            }
            let spawned = builder.spawn(move || serve_one(&guard, peer, options, &*serve));
            if let Err(error) = spawned {
                // The connection was dropped with its guard. Threads may be there again soon.
                self.options.on_error.report(&error.into(), Some(peer));
                self.shared.pause(RETRY);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.shared.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Whom to tell about clients that never come to the handler.
#[derive(Clone, Default)]
struct OnError(Option<Arc<Report>>);

type Report = dyn Fn(&Error, Option<SocketAddr>) + Send + Sync;

impl OnError {
    fn report(&self, error: &Error, peer: Option<SocketAddr>) {
        if let Some(report) = &self.0 {
            // It must not end the server; the panic hook tells.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| report(error, peer)));
        }
    }
}

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "none" })
    }
}

/// Errors of `accept` that no waiting helps against: the listener itself is at fault.
fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}
