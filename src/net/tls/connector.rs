//! TLS of a client.

use std::fmt;
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::anyone::Anyone;
use super::error::TlsError;
use super::pem::{Identity, certificates_from_file, certificates_from_pem};
use super::provider::{http_1_1, provider};
use super::session::Session;
use crate::Timeouts;
use crate::net::{Error, Stream};

/// How a client does TLS: whom it trusts and who it is. Clones share their sessions, which makes the
/// next connection to a server faster.
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
    /// TLS with the root certificates of the operating system, as [`connect`](crate::net::client::connect)
    /// does it. They are looked for once, at first use; on Unix `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// name others.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoRoots`].
    pub fn platform() -> Result<Self, TlsError> {
        static PLATFORM: OnceLock<Connector> = OnceLock::new();
        if let Some(connector) = PLATFORM.get() {
            return Ok(connector.clone());
        }
        let connector = Self::builder().platform_roots()?.build()?;
        Ok(PLATFORM.get_or_init(|| connector).clone())
    }

    /// Says whom to trust and who we are.
    pub fn builder() -> ConnectorBuilder {
        ConnectorBuilder { roots: None, identity: None, anyone: false }
    }

    /// TLS over a stream that is connected already, through a proxy for one, for
    /// [`Client::handshake`](crate::net::Client::handshake). The server must show a certificate for `host`, a name or an address.
    /// [`Timeouts::handshake`] is for how long it may take.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`], [`Error::Io`], and [`Error::Handshake`] if it took too long.
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

/// A configuration of rustls itself, as it is: with another provider, or a verifier of one's own. Its
/// ALPN protocols should be `http/1.1` or none.
impl From<Arc<ClientConfig>> for Connector {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self { config }
    }
}

/// Makes a [`Connector`]. Who is trusted adds up; the operating system's roots count only if they are
/// asked for, or if nobody else is trusted.
#[must_use]
pub struct ConnectorBuilder {
    roots: Option<RootCertStore>,
    identity: Option<Identity>,
    anyone: bool,
}

impl ConnectorBuilder {
    /// Trusts whom the operating system trusts.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoRoots`].
    pub fn platform_roots(mut self) -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        // Some stores hold certificates that nobody can read, and nobody misses.
        let (added, _) = self.roots_mut().add_parsable_certificates(found.certs);
        if added == 0 { Err(TlsError::NoRoots) } else { Ok(self) }
    }

    /// Trusts the certificates of a PEM file.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`], [`TlsError::Certificate`].
    pub fn roots_from_pem_file(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        self.add_roots(certificates_from_file(path.as_ref())?)
    }

    /// Trusts the certificates of a PEM file that was read before.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`], [`TlsError::Certificate`].
    pub fn roots_from_pem(self, pem: &[u8]) -> Result<Self, TlsError> {
        self.add_roots(certificates_from_pem(pem)?)
    }

    /// Shows a certificate to servers that ask for one: a PEM file with the chain, our own certificate
    /// first, and one with its key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`].
    pub fn certificate_from_pem_files(
        mut self,
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        self.identity = Some(Identity::from_files(certificates.as_ref(), key.as_ref())?);
        Ok(self)
    }

    /// [`certificate_from_pem_files`](Self::certificate_from_pem_files), of files that were read
    /// before.
    ///
    /// # Errors
    ///
    /// [`TlsError::Pem`].
    pub fn certificate_from_pem(
        mut self,
        certificates: &[u8],
        key: &[u8],
    ) -> Result<Self, TlsError> {
        self.identity = Some(Identity::from_pem(certificates, key)?);
        Ok(self)
    }

    /// Talks to whoever answers, whatever certificate it shows: anyone on the way can read and change
    /// everything. For tests on one's own machine, if at all.
    pub const fn dangerous_accept_any_certificate(mut self) -> Self {
        self.anyone = true;
        self
    }

    /// The connector.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoRoots`] if nobody else is trusted; [`TlsError::Session`] if certificate and key
    /// do not belong together, for one.
    pub fn build(mut self) -> Result<Connector, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if self.anyone {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
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
            .field("anyone", &self.anyone)
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
