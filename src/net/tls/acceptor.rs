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

/// How a server does TLS: who it is, and which clients it wants.
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
    /// A server with this certificate: a PEM file with the chain, the server's own certificate first,
    /// and one with its key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`]; [`TlsError::Session`] if certificate and key do not belong together.
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let identity = Identity::from_files(certificates.as_ref(), key.as_ref())?;
        AcceptorBuilder { identity, clients: None }.build()
    }

    /// [`from_pem_files`](Self::from_pem_files), with options.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`].
    pub fn builder_from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<AcceptorBuilder, TlsError> {
        let identity = Identity::from_files(certificates.as_ref(), key.as_ref())?;
        Ok(AcceptorBuilder { identity, clients: None })
    }

    /// [`builder_from_pem_files`](Self::builder_from_pem_files), of files that were read before.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`].
    pub fn builder_from_pem(certificates: &[u8], key: &[u8]) -> Result<AcceptorBuilder, TlsError> {
        let identity = Identity::from_pem(certificates, key)?;
        Ok(AcceptorBuilder { identity, clients: None })
    }

    /// TLS over a stream that was accepted elsewhere. [`Timeouts::handshake`] is for how long it may
    /// take.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`], [`Error::Io`], and [`Error::Handshake`] if it took too long.
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

/// A configuration of rustls itself, as it is. Its ALPN protocols should be `http/1.1` or none.
impl From<Arc<ServerConfig>> for Acceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self { config }
    }
}

/// Makes an [`Acceptor`].
#[must_use]
pub struct AcceptorBuilder {
    identity: Identity,
    clients: Option<RootCertStore>,
}

impl AcceptorBuilder {
    /// Wants a certificate of each client, from an authority in a PEM file; adds up.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`], [`TlsError::Certificate`].
    pub fn client_roots_from_pem_file(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        self.add_client_roots(certificates_from_file(path.as_ref())?)
    }

    /// [`client_roots_from_pem_file`](Self::client_roots_from_pem_file), of a file that was read
    /// before.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`], [`TlsError::Certificate`].
    pub fn client_roots_from_pem(self, pem: &[u8]) -> Result<Self, TlsError> {
        self.add_client_roots(certificates_from_pem(pem)?)
    }

    /// The acceptor.
    ///
    /// # Errors
    ///
    /// [`TlsError::Session`] if certificate and key do not belong together, for one.
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
