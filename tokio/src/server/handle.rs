//! What stops a server.

use std::net::SocketAddr;
use std::sync::Arc;

use sansock::CloseCode;

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
    pub fn shutdown(&self) {
        self.shutdown_with(CloseCode::GOING_AWAY);
    }

    /// [`shutdown`](Self::shutdown) with another code, such as 1012 for a restart.
    pub fn shutdown_with(&self, code: CloseCode) {
        self.registry.shutdown(code);
    }

    /// Returns how many connections there are, those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.count()
    }

    /// Returns the address that the server listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}
