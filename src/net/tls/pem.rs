//! Certificates and keys from PEM files.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;

const CERTIFICATE: &str = "a certificate (BEGIN CERTIFICATE)";
const KEY: &str = "a private key (BEGIN PRIVATE KEY; encrypted keys are not supported)";

/// A certificate chain, the owner's certificate first, and the owner's key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn from_files(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = certificates_from_file(certificates)?;
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| TlsError::pem(Some(key.into()), KEY, &error))?;
        Ok(Self { chain, key })
    }

    pub(super) fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates_from_pem(certificates)?;
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::pem(None, KEY, &error))?;
        Ok(Self { chain, key })
    }
}

/// Returns at least one certificate.
pub(super) fn certificates_from_file(
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path)
        .and_then(all)
        .map_err(|error| TlsError::pem(Some(path.into()), CERTIFICATE, &error))
}

/// Returns at least one certificate.
pub(super) fn certificates_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    all(CertificateDer::pem_slice_iter(pem))
        .map_err(|error| TlsError::pem(None, CERTIFICATE, &error))
}

fn all<T>(found: impl Iterator<Item = Result<T, pem::Error>>) -> Result<Vec<T>, pem::Error> {
    let found: Vec<T> = found.collect::<Result<_, _>>()?;
    if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) }
}
