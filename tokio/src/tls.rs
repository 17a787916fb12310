//! TLS for client and server (feature `rustls`).
//!
//! The configurations are those of [`sansock::net::tls`]: which authorities a client trusts, client
//! certificates, and a server's PEM files. A `wss:` URL needs none: it trusts what the operating
//! system trusts. For everything else, build a configuration of rustls, which [`Connector`] and
//! [`Acceptor`] take as it is.

use std::io;

use sansock::Deadline;
use sansock::handshake::Incomplete;
pub use sansock::net::TlsError;
pub use sansock::net::tls::{Acceptor, AcceptorBuilder, Connector, ConnectorBuilder};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::opening::in_time;
use crate::transport::Inner;
use crate::{Client, Error, Server, Stream};

impl Client {
    /// Sets the TLS configuration for a `wss:` URL. The default is [`Connector::platform`].
    pub fn tls(mut self, connector: Connector) -> Self {
        self.tls = Some(connector);
        self
    }
}

impl Server {
    /// Serves `wss:` instead of `ws:`.
    pub fn tls(mut self, acceptor: Acceptor) -> Self {
        self.options_mut().tls = Some(acceptor);
        self
    }
}

pub(crate) fn platform() -> Result<Connector, Error> {
    Ok(Connector::platform()?)
}

/// Does the TLS handshake with the server over TCP, or over TLS with a proxy.
pub(crate) async fn secure(
    connector: Connector,
    stream: Stream,
    host: &str,
    deadline: &Deadline,
) -> Result<Stream, Error> {
    match stream.inner {
        Inner::Tcp(tcp) => Ok(Box::pin(connect_tls(connector, tcp, host, deadline)).await?.into()),
        #[cfg(feature = "proxy")]
        Inner::Proxy(tls) => {
            let tls = Box::pin(connect_tls(connector, *tls, host, deadline)).await?;
            Ok(Stream::new(Inner::Nested(Box::new(tls))))
        }
        // It is secure already.
        inner => Ok(Stream::new(inner)),
    }
}

/// Does the TLS handshake with a server, or with a proxy.
pub(crate) async fn connect_tls<S: AsyncRead + AsyncWrite + Unpin>(
    connector: Connector,
    io: S,
    host: &str,
    deadline: &Deadline,
) -> Result<TlsStream<S>, Error> {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let name = ServerName::try_from(bare).map_err(|_| TlsError::Host(host.into()))?;
    let connecting =
        TlsConnector::from(std::sync::Arc::from(connector)).connect(name.to_owned(), io);
    let opened = in_time(deadline, connecting).await;
    opened_in_time(opened).map(TlsStream::from)
}

pub(crate) async fn accept_tls(
    acceptor: Acceptor,
    tcp: TcpStream,
    deadline: &Deadline,
) -> Result<Stream, Error> {
    let accepting = TlsAcceptor::from(std::sync::Arc::from(acceptor)).accept(tcp);
    let opened = in_time(deadline, accepting).await;
    opened_in_time(opened).map(|tls| TlsStream::from(tls).into())
}

fn opened_in_time<T>(opened: Option<io::Result<T>>) -> Result<T, Error> {
    match opened {
        None => Err(Incomplete::TimedOut.into()),
        Some(Ok(tls)) => Ok(tls),
        Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(TlsError::from_io(error).into())
        }
        Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Incomplete::UnexpectedEof.into())
        }
        Some(Err(error)) => Err(error.into()),
    }
}
