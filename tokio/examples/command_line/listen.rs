//! Servers that listen there, and how signals stop them.

use std::error::Error;
use std::path::Path;

use sansock_tokio::Server;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use crate::address::Listen;

impl Listen {
    /// Returns a listening server, and the letter that its URLs have after `ws`.
    pub(crate) async fn bind(
        &self,
        default: &str,
    ) -> Result<(Server, &'static str), Box<dyn Error>> {
        let address = self.address.as_deref().unwrap_or(default);
        let server = Server::bind(address)
            .await
            .map_err(|error| format!("cannot listen on {address}: {error}"))?;
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Ok((secure(server, cert, key)?, "s")),
            _ => Ok((server, "")),
        }
    }
}

#[cfg(feature = "rustls")]
fn secure(server: Server, cert: &Path, key: &Path) -> Result<Server, Box<dyn Error>> {
    use sansock_tokio::tls::Acceptor;
    Ok(server.tls(Acceptor::from_pem_files(cert, key)?))
}

#[cfg(not(feature = "rustls"))]
fn secure(_: Server, cert: &Path, key: &Path) -> Result<Server, Box<dyn Error>> {
    let (cert, key) = (cert.display(), key.display());
    Err(format!("{cert} and {key} need TLS: build with --features rustls").into())
}

/// Shuts the server down at Ctrl-C or SIGTERM; a second signal ends the program.
pub(crate) fn end_with_signals(server: &Server) -> std::io::Result<()> {
    let handle = server.handle();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for asked in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked {
                std::process::exit(130);
            }
            handle.shutdown();
        }
    });
    Ok(())
}
