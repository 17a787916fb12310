//! The methods of the client that concern proxies.

use sansock::dial::Proxies;

use crate::Client;

impl Client {
    /// Connects through a proxy: a [`Proxy`](sansock::dial::Proxy), or [`Proxies`] that differ by
    /// URL, such as those that the environment names. By default there is none, whatever the
    /// environment says.
    ///
    /// The proxy's addresses are tried as a server's are, within
    /// [`connect_timeout`](Self::connect_timeout). What is said to it, with TLS if it is an `https:`
    /// proxy, shares [`Timeouts::handshake`](sansock::Timeouts::handshake) with TLS to the server and
    /// the opening handshake: a proxy that answers byte by byte does not extend it. Nothing for the
    /// server is sent before the proxy has opened the way. What goes wrong up to then is
    /// [`Error::Proxy`](crate::Error::Proxy), which names the proxy; all other errors are about the
    /// server.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sansock_tokio::Client;
    /// use sansock_tokio::dial::Proxy;
    ///
    /// let proxy: Proxy = "http://user:secret@proxy.example:3128".parse()?;
    /// let socket = Client::new("wss://example.com/")?.proxy(proxy).connect().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// `Proxies::from_env()` reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` (feature
    /// `proxy-env`).
    pub fn proxy(mut self, proxies: impl Into<Proxies>) -> Self {
        self.proxy.proxies = proxies.into();
        self
    }

    /// Sets the TLS configuration for an `https:` proxy. The default is
    /// [`Connector::platform`](crate::tls::Connector::platform), whatever [`tls`](Self::tls) has set
    /// for the server: a client certificate is for one of them.
    #[cfg(feature = "rustls")]
    pub fn proxy_tls(mut self, connector: crate::tls::Connector) -> Self {
        self.proxy.tls = Some(connector);
        self
    }
}
