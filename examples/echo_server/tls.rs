//! A server with TLS, where the crate has it.

use std::error::Error;
use std::path::PathBuf;

use sansock::net::Server;

/// What `--cert` and `--key` name.
pub(crate) struct Files {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    #[cfg(feature = "rustls")]
    pub(crate) fn serve(&self, server: Server) -> Result<Server, Box<dyn Error>> {
        use sansock::net::tls::Acceptor;
        Ok(server.tls(Acceptor::from_pem_files(&self.cert, &self.key)?))
    }

    #[cfg(not(feature = "rustls"))]
    pub(crate) fn serve(&self, _: Server) -> Result<Server, Box<dyn Error>> {
        let Self { cert, key } = self;
        Err(format!(
            "built without TLS, {} and {} are of no use: cargo run --features rustls",
            cert.display(),
            key.display()
        )
        .into())
    }
}
