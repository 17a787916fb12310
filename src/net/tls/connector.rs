//! TLS of a client.

use std::fmt;
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::any_certificate::AnyCertificate;
use super::error::TlsError;
use super::pem::{Identity, certificates_from_file, certificates_from_pem};
use super::provider::{http_1_1, provider};
use super::session::Session;
use crate::Timeouts;
use crate::net::{Error, Stream};

/// The TLS configuration of a client: which certificate authorities it trusts, and its own
/// certificate. Clones share their sessions, which makes the next connection to a server faster.
///
/// ```no_run
/// use sansock::net::{Client, tls::Connector};
///
/// let tls = Connector::builder()
///     .platform_roots()?
///     .roots_from_pem_file("our-authority.pem")?
///     .build()?;
/// let socket = Client::new("wss://chat.example/")?.tls(tls).connect()?;
/// # Ok::<(), sansock::net::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Connector {
    config: Arc<ClientConfig>,
}

impl Connector {
    /// Trusts the root certificates of the operating system, as
    /// [`connect`](crate::net::client::connect) does. They are loaded once, at the first use. On
    /// Unix the variables `SSL_CERT_FILE` and `SSL_CERT_DIR` select others.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoRoots`] if there are none.
    pub fn platform() -> Result<Self, TlsError> {
        static PLATFORM: OnceLock<Connector> = OnceLock::new();
        if let Some(connector) = PLATFORM.get() {
            return Ok(connector.clone());
        }
        let connector = Self::builder().platform_roots()?.build()?;
        Ok(PLATFORM.get_or_init(|| connector).clone())
    }

    /// Starts a configuration.
    pub fn builder() -> ConnectorBuilder {
        ConnectorBuilder { roots: None, identity: None, any_certificate: false }
    }

    /// Does the TLS handshake on a TCP connection that other code has made, such as one through a
    /// proxy, within [`Timeouts::handshake`]. The server must show a certificate for `host`, which
    /// is a name or an address ([`Uri::host`](crate::uri::Uri::host)). The stream is for
    /// [`Client::handshake`](crate::net::Client::handshake).
    ///
    /// # Errors
    ///
    /// [`Error::Tls`], [`Error::Io`], or [`Error::Handshake`] if it took too long.
    pub fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
        timeouts: &Timeouts,
    ) -> Result<Stream, Error> {
        let stream = Stream::secure(tcp, self.session(host)?);
        stream.open(&timeouts.opening(Instant::now()))?;
        Ok(stream)
    }

    pub(crate) fn preset() -> Result<Self, Error> {
        Ok(Self::platform()?)
    }

    pub(crate) fn session(&self, host: &str) -> Result<Session, Error> {
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare).map_err(|_| TlsError::Host(host.into()))?;
        let config = Arc::clone(&self.config);
        let tls = ClientConnection::new(config, name.to_owned()).map_err(TlsError::from)?;
        Ok(Session::new(tls))
    }
}

/// Uses a configuration of rustls as it is, such as one with another provider or verifier. Its ALPN
/// protocols should be `http/1.1` or none.
impl From<Arc<ClientConfig>> for Connector {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self { config }
    }
}

/// The configuration of rustls, for another adapter, such as one over tokio-rustls.
impl From<Connector> for Arc<ClientConfig> {
    fn from(connector: Connector) -> Self {
        connector.config
    }
}

/// Builds a [`Connector`]. Each call that adds roots adds to the trusted certificate authorities.
/// The roots of the operating system are used only if they are added, or if no others are.
#[must_use]
pub struct ConnectorBuilder {
    roots: Option<RootCertStore>,
    identity: Option<Identity>,
    any_certificate: bool,
}

impl ConnectorBuilder {
    /// Adds the root certificates of the operating system.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoRoots`] if there are none.
    pub fn platform_roots(mut self) -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        // Some stores contain certificates that cannot be parsed, and that no server needs.
        let (added, _) = self.roots_mut().add_parsable_certificates(found.certs);
        if added == 0 { Err(TlsError::NoRoots) } else { Ok(self) }
    }

    /// Adds the root certificates in a PEM file.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used, [`TlsError::Certificate`] if a certificate is
    /// not valid.
    pub fn roots_from_pem_file(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        self.add_roots(certificates_from_file(path.as_ref())?)
    }

    /// Adds the root certificates in the contents of a PEM file.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used, [`TlsError::Certificate`] if a certificate is
    /// not valid.
    pub fn roots_from_pem(self, pem: &[u8]) -> Result<Self, TlsError> {
        self.add_roots(certificates_from_pem(pem)?)
    }

    /// Sets the certificate to show to servers that require one, from two PEM files: the
    /// certificate chain, with the client's own certificate first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used.
    pub fn certificate_from_pem_files(
        mut self,
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        self.identity = Some(Identity::from_files(certificates.as_ref(), key.as_ref())?);
        Ok(self)
    }

    /// Sets the certificate to show to servers that require one, from the contents of two PEM
    /// files: the certificate chain, with the client's own certificate first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`] if the PEM cannot be used.
    pub fn certificate_from_pem(
        mut self,
        certificates: &[u8],
        key: &[u8],
    ) -> Result<Self, TlsError> {
        self.identity = Some(Identity::from_pem(certificates, key)?);
        Ok(self)
    }

    /// Accepts any certificate: anyone on the network path can read and change everything. Use it,
    /// if at all, for tests on one machine.
    pub const fn dangerous_accept_any_certificate(mut self) -> Self {
        self.any_certificate = true;
        self
    }

    /// Builds the connector.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoRoots`] if no roots were added and the operating system has none;
    /// [`TlsError::Session`], for example if the certificate and the key do not belong together.
    pub fn build(mut self) -> Result<Connector, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if self.any_certificate {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            if self.roots.is_none() {
                self = self.platform_roots()?;
            }
            builder.with_root_certificates(self.roots.unwrap_or_else(RootCertStore::empty))
        };
        let mut config = match self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key)?,
        };
        config.alpn_protocols = http_1_1();
        Ok(Connector { config: Arc::new(config) })
    }

    fn add_roots(mut self, certificates: Vec<CertificateDer<'static>>) -> Result<Self, TlsError> {
        for certificate in certificates {
            self.roots_mut().add(certificate)?;
        }
        Ok(self)
    }

    pub(super) fn roots_mut(&mut self) -> &mut RootCertStore {
        self.roots.get_or_insert_with(RootCertStore::empty)
    }
}

impl fmt::Debug for ConnectorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorBuilder")
            .field("roots", &self.roots)
            .field("any_certificate", &self.any_certificate)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_a_name_or_an_address_with_or_without_brackets() {
        let connector = Connector::builder().dangerous_accept_any_certificate().build().unwrap();
        for host in ["localhost", "127.0.0.1", "::1", "[::1]"] {
            assert!(connector.session(host).is_ok(), "{host}");
        }
        for host in ["", "[::1", "a b", "[]"] {
            let error = connector.session(host).unwrap_err();
            assert!(matches!(error, Error::Tls(TlsError::Host(it)) if *it == *host), "{host}");
        }
    }
}
