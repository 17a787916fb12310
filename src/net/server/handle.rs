//! What stops a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::registry::Shared;
use crate::counts::ServerCounts;
use crate::drain::{Drain, DrainReport};

/// Stops a [`Server`](super::Server) from another thread.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    pub(super) shared: Arc<Shared>,
}

impl ServerHandle {
    /// Stops accepting clients, closes each connection with 1001 after its accepted messages, and
    /// lets [`Server::run`](super::Server::run) return when all have ended. A client whose request
    /// has not completely arrived is not served. This method returns at once.
    ///
    /// A split connection, and one that waits for its client, is closed at once. Another one learns
    /// of it at its next wait, or after its next send; then what it sends is refused with
    /// [`SendError::Closed`](crate::SendError::Closed). A handler that does neither within
    /// [`Timeouts::closing`](crate::Timeouts::closing) and a second is cut off, and its client sees
    /// 1006. If messages accepted before cannot be written, because a client does not read,
    /// [`WebSocket::buffered_amount`](crate::net::WebSocket::buffered_amount) and
    /// [`Writer::buffered_amount`](crate::net::Writer::buffered_amount) show it after the end of
    /// the connection.
    ///
    /// During a [drain](Self::start_drain) it closes at once what is still open, with the code of
    /// the drain.
    pub fn shutdown(&self) {
        self.shared.shut_down();
        self.shared.start_waking();
    }

    /// Starts to end the server gradually, as [`Drain`] says, and lets
    /// [`Server::run`](super::Server::run) return at the end. This method returns at once.
    ///
    /// Requests for WebSocket that arrive after [`Drain::grace`] get a response with 503. Other
    /// requests reach the handler to the end, so that it can answer health checks
    /// ([`is_draining`](Self::is_draining)). A drain that has begun keeps its settings;
    /// [`shutdown`](Self::shutdown) ends it early.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use sansock::drain::Drain;
    /// use sansock::handshake::Rejection;
    /// use sansock::net::Server;
    ///
    /// let server = Server::bind("127.0.0.1:9001")?;
    /// let (handle, stops) = (server.handle(), server.handle());
    /// # fn wait_for_the_signal() {}
    /// std::thread::spawn(move || {
    ///     wait_for_the_signal();
    ///     let seconds = Duration::from_secs;
    ///     stops.start_drain(Drain::new().grace(seconds(10)).spread(seconds(30)));
    /// });
    /// let health = handle.clone();
    /// server.run(move |incoming| {
    ///     if incoming.request().path() == "/healthz" {
    ///         let status = if health.is_draining() { 503 } else { 200 };
    ///         return Ok(incoming.reject(&Rejection::new(status))?);
    ///     }
    ///     let mut socket = incoming.accept()?;
    ///     while socket.next_message()?.is_some() {}
    ///     Ok(())
    /// })?;
    /// println!("{}", handle.drain_report().unwrap_or_default());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_drain(&self, drain: Drain) {
        if self.shared.begin_drain(drain) {
            let plan = drain.plan(Instant::now());
            self.shared.on_a_thread("sansock-drain", move |shared| shared.run_drain(plan.clone()));
        }
    }

    /// Whether a drain or a shutdown has begun: a health check should fail.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.lock().drain.is_some()
    }

    /// Returns how the connections have ended since the start of the drain or the shutdown; `None`
    /// before.
    #[must_use]
    pub fn drain_report(&self) -> Option<DrainReport> {
        self.shared.drain_report()
    }

    /// Returns how many connections there are, those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().slots.len()
    }

    /// Returns what the server has done so far, for metrics. Messages of open connections are
    /// included. It takes no longer with many connections.
    ///
    /// ```no_run
    /// use sansock::counts::Refusal;
    /// use sansock::net::Server;
    ///
    /// let server = Server::bind("127.0.0.1:9001")?;
    /// let handle = server.handle();
    /// std::thread::spawn(move || loop {
    ///     std::thread::sleep(std::time::Duration::from_secs(60));
    ///     let counts = handle.counts();
    ///     println!("{} connections, {} messages", counts.open_now, counts.received.messages);
    ///     println!("{} of other origins", counts.refused.get(Refusal::Origin));
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn counts(&self) -> ServerCounts {
        self.shared.counters.counts()
    }

    /// Returns the address that the server listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }
}
