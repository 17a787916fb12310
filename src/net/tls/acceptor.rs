//! TLS of a server.

use std::fmt;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::error::TlsError;
use super::pem::{Identity, certificates_from_file, certificates_from_pem};
use super::provider::{http_1_1, provider};
use super::session::Session;
use crate::Timeouts;
use crate::net::{Error, Stream};

/// The TLS configuration of a server: its certificate, and which clients it accepts.
///
/// ```no_run
/// use sansock::net::{Server, tls::Acceptor};
///
/// let tls = Acceptor::from_pem_files("server.pem", "server.key")?;
/// Server::bind("0.0.0.0:443")?.tls(tls).run(|incoming| {
///     incoming.accept()?.send("Hello")?;
///     Ok(())
/// })?;
/// # Ok::<(), sansock::net::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Acceptor {
    config: Arc<ServerConfig>,
}

impl Acceptor {
    /// Makes an acceptor from two PEM files: the certificate chain, with the server's own
    /// certificate first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if a file cannot be used; [`TlsError::Session`] if the certificate and the
    /// key do not belong together.
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let identity = Identity::from_files(certificates.as_ref(), key.as_ref())?;
        AcceptorBuilder { identity, clients: None }.build()
    }

    /// Makes an acceptor from the contents of two PEM files: the certificate chain, with the
    /// server's own certificate first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used; [`TlsError::Session`] if the certificate and
    /// the key do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::builder_from_pem(certificates, key)?.build()
    }

    /// Starts with the two PEM files of [`from_pem_files`](Self::from_pem_files) and leaves room
    /// for options.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used.
    pub fn builder_from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<AcceptorBuilder, TlsError> {
        let identity = Identity::from_files(certificates.as_ref(), key.as_ref())?;
        Ok(AcceptorBuilder { identity, clients: None })
    }

    /// Starts with the contents of two PEM files: the certificate chain, with the server's own
    /// certificate first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used.
    pub fn builder_from_pem(certificates: &[u8], key: &[u8]) -> Result<AcceptorBuilder, TlsError> {
        let identity = Identity::from_pem(certificates, key)?;
        Ok(AcceptorBuilder { identity, clients: None })
    }

    /// Does the TLS handshake on a connection that other code has accepted, within
    /// [`Timeouts::handshake`].
    ///
    /// # Errors
    ///
    /// [`Error::Tls`], [`Error::Io`], or [`Error::Handshake`] if it took too long.
    pub fn accept(&self, tcp: TcpStream, timeouts: &Timeouts) -> Result<Stream, Error> {
        let stream = Stream::secure(tcp, self.session()?);
        stream.open(&timeouts.opening(Instant::now()))?;
        Ok(stream)
    }

    pub(crate) fn session(&self) -> Result<Session, Error> {
        let tls = ServerConnection::new(Arc::clone(&self.config)).map_err(TlsError::from)?;
        Ok(Session::new(tls))
    }
}

/// Uses a configuration of rustls as it is. Its ALPN protocols should be `http/1.1` or none.
impl From<Arc<ServerConfig>> for Acceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self { config }
    }
}

/// The configuration of rustls, for another adapter, such as one over tokio-rustls.
impl From<Acceptor> for Arc<ServerConfig> {
    fn from(acceptor: Acceptor) -> Self {
        acceptor.config
    }
}

/// Builds an [`Acceptor`].
#[must_use]
pub struct AcceptorBuilder {
    identity: Identity,
    clients: Option<RootCertStore>,
}

impl AcceptorBuilder {
    /// Requires a certificate from each client, issued by an authority in a PEM file. Each call
    /// adds to the accepted authorities.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used, [`TlsError::Certificate`] if a certificate is
    /// not valid.
    pub fn client_roots_from_pem_file(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        self.add_client_roots(certificates_from_file(path.as_ref())?)
    }

    /// Requires a certificate from each client, issued by an authority in the contents of a PEM
    /// file. Each call adds to the accepted authorities.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used, [`TlsError::Certificate`] if a certificate is
    /// not valid.
    pub fn client_roots_from_pem(self, pem: &[u8]) -> Result<Self, TlsError> {
        self.add_client_roots(certificates_from_pem(pem)?)
    }

    /// Builds the acceptor.
    ///
    /// # Errors
    ///
    /// [`TlsError::Session`], for example if the certificate and the key do not belong together.
    pub fn build(self) -> Result<Acceptor, TlsError> {
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| rustls::Error::General(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let Identity { chain, key } = self.identity;
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = http_1_1();
        Ok(Acceptor { config: Arc::new(config) })
    }

    fn add_client_roots(
        mut self,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Result<Self, TlsError> {
        let roots = self.clients.get_or_insert_with(RootCertStore::empty);
        for certificate in certificates {
            roots.add(certificate)?;
        }
        Ok(self)
    }
}

impl fmt::Debug for AcceptorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptorBuilder").field("clients", &self.clients).finish_non_exhaustive()
    }
}
