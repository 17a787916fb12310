//! Stands in for TLS where it is not built in.

use std::convert::Infallible;
use std::error::Error;
use std::future::Ready;
use std::io;

use tokio::net::TcpStream;

use crate::address::Listen;

#[derive(Clone)]
pub(crate) struct Acceptor(Infallible);

pub(crate) fn acceptor(listen: &Listen) -> Result<Option<Acceptor>, Box<dyn Error>> {
    let (Some(cert), Some(key)) = (&listen.cert, &listen.key) else { return Ok(None) };
    let (cert, key) = (cert.display(), key.display());
    Err(format!("{cert} and {key} need TLS: build with --features rustls").into())
}

pub(crate) fn accept(acceptor: &Acceptor, _: TcpStream) -> Ready<io::Result<TcpStream>> {
    match acceptor.0 {}
}
