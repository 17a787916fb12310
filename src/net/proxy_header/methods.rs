//! The methods of other types of [`net`](crate::net) that concern PROXY headers.

use crate::net::{Incoming, Server};
use crate::proxy_protocol::{ProxyHeader, ProxyProtocol};

impl Server {
    /// Reads the PROXY header of the peers that these settings trust, before TLS and within
    /// [`Timeouts::handshake`](crate::Timeouts::handshake). A header that is wrong or missing ends
    /// the connection with an [`Error::Io`](crate::net::Error::Io) of a
    /// [`ProxyProtocolError`](crate::proxy_protocol::ProxyProtocolError). Other peers are served
    /// without a header; one of theirs is refused as no valid request.
    ///
    /// ```no_run
    /// use sansock::net::Server;
    /// use sansock::proxy_protocol::ProxyProtocol;
    ///
    /// let server = Server::bind("0.0.0.0:9001")?
    ///     .proxy_protocol(ProxyProtocol::from_networks(["10.0.0.0/8"])?);
    /// server.run(|incoming| {
    ///     println!("{} through {}", incoming.client_addr(), incoming.peer_addr());
    ///     let mut socket = incoming.accept()?;
    ///     while socket.next_message()?.is_some() {}
    ///     Ok(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn proxy_protocol(mut self, settings: ProxyProtocol) -> Self {
        self.options.proxy = Some(settings);
        self
    }
}

impl Incoming {
    /// Returns the PROXY header that the peer has sent; `None` if it has sent none.
    #[must_use]
    pub const fn proxy_header(&self) -> Option<&ProxyHeader> {
        self.proxied.0.as_ref()
    }
}
