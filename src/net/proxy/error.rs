//! The error of a hop that is a proxy.

use std::error::Error;
use std::{fmt, io};

use crate::dial::{Proxy, TunnelError};
use crate::net::{ConnectError, TlsError};

/// The way to the server failed at a proxy, which this error names.
#[derive(Debug)]
pub struct ProxyError {
    proxy: Proxy,
    cause: ProxyCause,
}

/// What failed at a proxy.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyCause {
    /// None of its addresses could be reached.
    Connect(ConnectError),
    /// The transport to it failed.
    Io(io::Error),
    /// It is an `https:` proxy, but the crate was built without its feature `rustls`.
    NoTls,
    /// TLS with it failed.
    Tls(TlsError),
    /// It opened no way to the server: it refused, or gave no valid answer in time.
    Tunnel(TunnelError),
}

impl ProxyError {
    /// Creates the error of an adapter that connects by itself.
    #[must_use]
    pub fn new(proxy: Proxy, cause: impl Into<ProxyCause>) -> Self {
        Self { proxy, cause: cause.into() }
    }

    /// Returns the proxy.
    #[must_use]
    pub const fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Returns what failed.
    #[must_use]
    pub const fn cause(&self) -> &ProxyCause {
        &self.cause
    }

    /// Returns why it opened no way to the server, if the connection to it did not fail.
    #[must_use]
    pub const fn tunnel(&self) -> Option<&TunnelError> {
        match &self.cause {
            ProxyCause::Tunnel(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {}: ", self.proxy)?;
        match &self.cause {
            ProxyCause::Connect(error) => error.fmt(f),
            ProxyCause::Io(error) => error.fmt(f),
            ProxyCause::NoTls => f.write_str("https: needs the feature `rustls` of sansock"),
            ProxyCause::Tls(error) => error.fmt(f),
            ProxyCause::Tunnel(error) => error.fmt(f),
        }
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // `Display` includes the cause, so `source` returns the cause's own source.
        match &self.cause {
            ProxyCause::Connect(error) => error.source(),
            ProxyCause::Io(error) => error.source(),
            ProxyCause::Tls(error) => error.source(),
            ProxyCause::NoTls | ProxyCause::Tunnel(_) => None,
        }
    }
}

impl From<io::Error> for ProxyCause {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TunnelError> for ProxyCause {
    fn from(error: TunnelError) -> Self {
        Self::Tunnel(error)
    }
}
