//! TLS for a server of HTTP/1.1 and HTTP/2.

use std::error::Error;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::Accept;
pub(crate) use tokio_rustls::TlsAcceptor as Acceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::address::Listen;

/// With the files of `--cert` and `--key`, if they are given.
pub(crate) fn acceptor(listen: &Listen) -> Result<Option<Acceptor>, Box<dyn Error>> {
    let (Some(cert), Some(key)) = (&listen.cert, &listen.key) else { return Ok(None) };
    let acceptor = sansock_tokio::tls::Acceptor::from_pem_files(cert, key)?;
    let mut config = ServerConfig::clone(&Arc::from(acceptor));
    config.alpn_protocols = ["h2", "http/1.1"].map(Into::into).into();
    Ok(Some(Acceptor::from(Arc::new(config))))
}

pub(crate) fn accept(acceptor: &Acceptor, tcp: TcpStream) -> Accept<TcpStream> {
    acceptor.accept(tcp)
}
