//! What stops a server.

use std::net::SocketAddr;
use std::sync::Arc;

use sansock::CloseCode;
use sansock::counts::ServerCounts;
use sansock::drain::{Drain, DrainReport};

use super::registry::Registry;

/// Stops a [`Server`](crate::Server).
#[derive(Clone, Debug)]
pub struct ServerHandle {
    pub(super) address: SocketAddr,
    pub(super) registry: Arc<Registry>,
}

impl ServerHandle {
    /// Stops accepting clients, closes each connection with 1001 after its accepted messages, and
    /// lets [`Server::run`](crate::Server::run) return when all have ended. Returns at once.
    ///
    /// A connection that waits for its client is closed at once; another one at its next wait or
    /// flush. One that does neither within [`Timeouts::closing`](sansock::Timeouts::closing) and a
    /// second is cut off.
    ///
    /// During a [drain](Self::start_drain) it closes at once what is still open, with the code of
    /// the drain.
    pub fn shutdown(&self) {
        self.registry.shutdown(None);
    }

    /// [`shutdown`](Self::shutdown) with another code, such as 1012 for a restart.
    pub fn shutdown_with(&self, code: CloseCode) {
        self.registry.shutdown(Some(code));
    }

    /// Starts to end the server gradually, as [`Drain`] says, and lets
    /// [`Server::run`](crate::Server::run) return at the end. Returns at once.
    ///
    /// Requests for WebSocket that arrive after [`Drain::grace`] get a response with 503. Other
    /// requests reach the handler to the end, so that it can answer health checks
    /// ([`is_draining`](Self::is_draining)). A drain that has begun keeps its settings;
    /// [`shutdown`](Self::shutdown) ends it early.
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// use std::time::Duration;
    ///
    /// use sansock_tokio::Server;
    /// use sansock_tokio::drain::Drain;
    /// use sansock_tokio::handshake::Rejection;
    ///
    /// let server = Server::bind("127.0.0.1:9001").await?;
    /// let (handle, health) = (server.handle(), server.handle());
    /// let stops = handle.clone();
    /// tokio::spawn(async move {
    ///     // Ctrl-C, or whatever ends the service.
    ///     tokio::signal::ctrl_c().await.ok();
    ///     let seconds = Duration::from_secs;
    ///     stops.start_drain(Drain::new().grace(seconds(10)).spread(seconds(30)));
    /// });
    /// server
    ///     .run(move |incoming| {
    ///         let is_draining = health.is_draining();
    ///         async move {
    ///             if incoming.request().path() == "/healthz" {
    ///                 let status = if is_draining { 503 } else { 200 };
    ///                 return Ok(incoming.reject(&Rejection::new(status)).await?);
    ///             }
    ///             let mut socket = incoming.accept().await?;
    ///             while socket.next_message().await?.is_some() {}
    ///             Ok(())
    ///         }
    ///     })
    ///     .await?;
    /// println!("{}", handle.drain_report().unwrap_or_default());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start_drain(&self, drain: Drain) {
        self.registry.start_drain(drain);
    }

    /// Whether a drain or a shutdown has begun: a health check should fail.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.registry.is_draining()
    }

    /// Returns how the connections have ended since the start of the drain or the shutdown; `None`
    /// before.
    #[must_use]
    pub fn drain_report(&self) -> Option<DrainReport> {
        self.registry.drain_report()
    }

    /// Returns how many connections there are, those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.count()
    }

    /// Returns what the server has done so far, for metrics ([`ServerCounts`]). Messages of open
    /// connections are included. It takes no longer with many connections.
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// use sansock_tokio::Server;
    /// use sansock_tokio::counts::Refusal;
    ///
    /// let server = Server::bind("127.0.0.1:9001").await?;
    /// let handle = server.handle();
    /// tokio::spawn(async move {
    ///     loop {
    ///         tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    ///         let counts = handle.counts();
    ///         println!("{} connections, {} messages", counts.open_now, counts.received.messages);
    ///         println!("{} of other origins", counts.refused.get(Refusal::Origin));
    ///     }
    /// });
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn counts(&self) -> ServerCounts {
        self.registry.counters.counts()
    }

    /// Returns the address that the server listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}
