//! Where the server listens, with TLS or without, and how signals stop it.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{io, process};

use axum::serve::Listener;
use sansock_tokio::tls::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::address::Listen;

impl Listen {
    pub(crate) async fn bind(&self, default: &str) -> Result<TcpListener, String> {
        let address = self.address.as_deref().unwrap_or(default);
        let bound = TcpListener::bind(address).await;
        bound.map_err(|error| format!("cannot listen on {address}: {error}"))
    }

    /// Returns the configuration of TLS, for HTTP/2 and HTTP/1.1; `None` without `--cert`.
    pub(crate) fn tls(&self) -> Result<Option<ServerConfig>, Box<dyn Error>> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else { return Ok(None) };
        let config = Arc::<ServerConfig>::from(Acceptor::from_pem_files(cert, key)?);
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Some(config))
    }
}

/// TLS over a listener. Handshakes run beside each other, each in a task of its own.
pub(crate) struct TlsListener<L> {
    inner: L,
    acceptor: TlsAcceptor,
    limit: Duration,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl<L> TlsListener<L> {
    /// Each handshake may take as long as `limit`.
    pub(crate) fn new(inner: L, config: ServerConfig, limit: Duration) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self { inner, acceptor, limit, handshakes: JoinSet::new() }
    }
}

impl<L: Listener<Io = TcpStream, Addr = SocketAddr>> Listener for TlsListener<L> {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                (tcp, peer) = self.inner.accept() => {
                    let (acceptor, limit) = (self.acceptor.clone(), self.limit);
                    self.handshakes.spawn(async move {
                        match tokio::time::timeout(limit, acceptor.accept(tcp)).await {
                            Ok(Ok(tls)) => return Some((tls, peer)),
                            Ok(Err(error)) => eprintln!("{peer}: {error}"),
                            Err(_) => eprintln!("{peer}: the TLS handshake took too long"),
                        }
                        None
                    });
                }
                Some(ended) = self.handshakes.join_next() => {
                    if let Ok(Some(accepted)) = ended {
                        return accepted;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// Is done at Ctrl-C or SIGTERM; a second signal ends the program.
pub(crate) fn signals() -> io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            process::exit(130);
        });
    })
}
