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
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::opening::in_time;
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

pub(crate) async fn connect_tls(
    connector: Connector,
    tcp: TcpStream,
    host: &str,
    deadline: &Deadline,
) -> Result<Stream, Error> {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let name = ServerName::try_from(bare).map_err(|_| TlsError::Host(host.into()))?;
    let connecting =
        TlsConnector::from(std::sync::Arc::from(connector)).connect(name.to_owned(), tcp);
    let opened = in_time(deadline, connecting).await;
    opened_in_time(
        opened.map(|opened| opened.map(|tls| Stream::from(tokio_rustls::TlsStream::from(tls)))),
    )
}

pub(crate) async fn accept_tls(
    acceptor: Acceptor,
    tcp: TcpStream,
    deadline: &Deadline,
) -> Result<Stream, Error> {
    let accepting = TlsAcceptor::from(std::sync::Arc::from(acceptor)).accept(tcp);
    let opened = in_time(deadline, accepting).await;
    opened_in_time(
        opened.map(|opened| opened.map(|tls| Stream::from(tokio_rustls::TlsStream::from(tls)))),
    )
}

fn opened_in_time(opened: Option<io::Result<Stream>>) -> Result<Stream, Error> {
    match opened {
        None => Err(Incomplete::TimedOut.into()),
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(TlsError::from_io(error).into())
        }
        Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(TlsError::Truncated.into())
        }
        Some(Err(error)) => Err(error.into()),
    }
}
