//! The methods of other types of [`net`](crate::net) that concern TLS.

use super::acceptor::Acceptor;
use super::connector::Connector;
use super::negotiated::NegotiatedTls;
use crate::net::{Client, Incoming, Server, Stream};

impl Client {
    /// Sets the TLS configuration for a `wss:` URL. The default is [`Connector::platform`].
    pub fn tls(mut self, connector: Connector) -> Self {
        self.tls = Some(connector);
        self
    }
}

impl Server {
    /// Serves `wss:` instead of `ws:`.
    #[must_use]
    pub fn tls(mut self, acceptor: Acceptor) -> Self {
        self.options.tls = Some(acceptor);
        self
    }
}

impl Incoming {
    /// Returns what the TLS handshake with this client has agreed on, and the client's
    /// certificates. `None` without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<NegotiatedTls> {
        self.slot.stream().tls()
    }
}

impl Stream {
    /// Returns what the TLS handshake has agreed on, and the peer's certificates. `None` without
    /// TLS.
    #[must_use]
    pub fn tls(&self) -> Option<NegotiatedTls> {
        self.0.tls.as_ref().map(|session| session.with_connection(|tls| tls.into()))
    }
}
