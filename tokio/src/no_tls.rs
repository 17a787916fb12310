//! Stands in for TLS without the feature `rustls`.

use std::convert::Infallible;

use sansock::Deadline;
use tokio::net::TcpStream;

use crate::{Error, Stream};

/// There is none.
#[derive(Clone, Debug)]
pub(crate) struct Connector(Infallible);

/// There is none.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor(Infallible);

pub(crate) const fn platform() -> Result<Connector, Error> {
    Err(Error::NoTls)
}

pub(crate) async fn secure(
    connector: Connector,
    _: Stream,
    _: &str,
    _: &Deadline,
) -> Result<Stream, Error> {
    match connector.0 {}
}

#[cfg(feature = "proxy")]
pub(crate) async fn connect_tls(
    connector: Connector,
    _: TcpStream,
    _: &str,
    _: &Deadline,
) -> Result<Infallible, Error> {
    match connector.0 {}
}

pub(crate) async fn accept_tls(
    acceptor: Acceptor,
    _: TcpStream,
    _: &Deadline,
) -> Result<Stream, Error> {
    match acceptor.0 {}
}
