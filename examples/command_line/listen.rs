//! Where the servers listen, and how signals stop them.

use std::error::Error;
use std::path::Path;
use std::process::exit;

use sansock::drain::Drain;
use sansock::net::Server;

pub(crate) use crate::address::Listen;

impl Listen {
    /// Returns a listening server, and the letter that its URLs have after `ws` and `http`.
    pub(crate) fn bind(&self, default: &str) -> Result<(Server, &'static str), Box<dyn Error>> {
        let address = self.address.as_deref().unwrap_or(default);
        let server = Server::bind(address)
            .map_err(|error| format!("cannot listen on {address}: {error}"))?;
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Ok((secure(server, cert, key)?, "s")),
            _ => Ok((server, "")),
        }
    }
}

#[cfg(feature = "rustls")]
fn secure(server: Server, cert: &Path, key: &Path) -> Result<Server, Box<dyn Error>> {
    use sansock::net::tls::Acceptor;
    Ok(server.tls(Acceptor::from_pem_files(cert, key)?))
}

#[cfg(not(feature = "rustls"))]
fn secure(_: Server, cert: &Path, key: &Path) -> Result<Server, Box<dyn Error>> {
    let (cert, key) = (cert.display(), key.display());
    Err(format!("{cert} and {key} need TLS: build with --features rustls").into())
}

/// Drains the server at Ctrl-C or SIGTERM; a second signal ends the program.
pub(crate) fn end_with_signals(server: &Server, drain: Drain) -> Result<(), ctrlc::Error> {
    let handle = server.handle();
    ctrlc::set_handler(move || {
        if handle.is_draining() {
            exit(130);
        }
        handle.start_drain(drain);
    })
}
