//! Where the servers listen, and when they end.

use std::error::Error;
use std::ffi::OsString;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::process::exit;

use lexopt::ValueExt as _;
use sansock::net::Server;

/// What `ADDR`, `--cert` and `--key` say.
#[derive(Default)]
pub(crate) struct Listen {
    pub(crate) address: Option<String>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl Listen {
    /// An address that is none is an error in the arguments, one that is taken is not.
    pub(crate) fn at(&mut self, address: OsString) -> Result<(), lexopt::Error> {
        address.parse_with(ToSocketAddrs::to_socket_addrs)?;
        self.address = Some(address.string()?);
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), lexopt::Error> {
        match (&self.cert, &self.key) {
            (Some(_), Some(_)) | (None, None) => Ok(()),
            _ => Err("--cert and --key belong together".into()),
        }
    }

    /// A server that listens, and what its URLs have behind `ws` and `http`.
    pub(crate) fn bind(&self, default: &str) -> Result<(Server, &'static str), Box<dyn Error>> {
        let address = self.address.as_deref().unwrap_or(default);
        let server = Server::bind(address)
            .map_err(|error| format!("cannot listen at {address}: {error}"))?;
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
    Err(format!("built without TLS, {cert} and {key} are of no use: cargo run --features rustls")
        .into())
}

/// Ctrl-C and SIGTERM shut the server down, and a second one ends the program.
pub(crate) fn end_with_signals(server: &Server) -> Result<(), ctrlc::Error> {
    let handle = server.handle();
    let mut asked = false;
    ctrlc::set_handler(move || {
        if std::mem::replace(&mut asked, true) {
            exit(130);
        }
        handle.shutdown();
    })
}
