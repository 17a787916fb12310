//! TLS errors.

use std::path::PathBuf;
use std::{fmt, io};

use rustls::pki_types::pem;
use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError};

/// A TLS connection or configuration failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificate was refused: it is for another host, has expired, or was issued by an
    /// untrusted authority. The peer was sent an alert.
    Certificate(CertificateError),
    /// The peer ended the TLS session with this alert, for example because it requires a client
    /// certificate or does not accept ours.
    Refused(AlertDescription),
    /// The peer does not speak TLS: a `wss:` URL for a `ws:` server, or the reverse.
    NotTls,
    /// The stream ended without the peer's `close_notify`, and before the WebSocket closing
    /// handshake: someone on the network path may have cut it off.
    Truncated,
    /// The host is not a valid TLS server name or address.
    Host(Box<str>),
    /// No root certificates were found on this machine. Install them (`ca-certificates` on Debian),
    /// or add some with [`ConnectorBuilder`](super::ConnectorBuilder).
    NoRoots,
    /// A PEM file cannot be read, or does not contain what it should.
    Pem {
        /// The file; `None` for one in memory.
        path: Option<PathBuf>,
        /// What is wrong.
        problem: Box<str>,
    },
    /// Any other error of rustls.
    Session(rustls::Error),
}

impl TlsError {
    /// Finds the error of rustls in an [`io::Error`], as streams over rustls return it.
    #[must_use]
    pub fn from_io(error: io::Error) -> Self {
        error.downcast::<rustls::Error>().map_or_else(
            |error| Self::Session(rustls::Error::General(error.to_string())),
            Self::from,
        )
    }

    /// Whether the network ended the stream, and no one judged anything.
    #[cfg(feature = "reconnect")]
    pub(crate) fn is_truncated(&self) -> bool {
        matches!(self, Self::Truncated)
    }

    /// Creates the error for a PEM file that should contain `wanted`.
    pub(super) fn pem(path: Option<PathBuf>, wanted: &str, error: &pem::Error) -> Self {
        let problem = match error {
            pem::Error::Io(error) => error.to_string(),
            pem::Error::NoItemsFound => format!("it does not contain {wanted}"),
            error => error.to_string(),
        };
        Self::Pem { path, problem: problem.into() }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error),
            rustls::Error::AlertReceived(alert) => Self::Refused(alert),
            // The first byte of the peer is not a content type of TLS.
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            error => Self::Session(error),
        }
    }
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        let kind = match error {
            TlsError::Truncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => write_certificate_error(error, f),
            Self::Refused(AlertDescription::CertificateRequired) => {
                f.write_str("the peer requires a client certificate")
            }
            Self::Refused(alert) => write!(f, "the peer ended the TLS session: {alert:?}"),
            Self::NotTls => f.write_str(
                "the peer does not speak TLS here: use ws: instead of wss: (or the reverse)",
            ),
            Self::Truncated => f.write_str("the TLS session was cut off without close_notify"),
            Self::Host(host) => write!(f, "{host:?} is not a valid TLS server name"),
            Self::NoRoots => f.write_str(
                "no root certificates on this machine: install ca-certificates, or add roots to the \
                 Connector",
            ),
            Self::Pem { path: Some(path), problem } => write!(f, "{}: {problem}", path.display()),
            Self::Pem { path: None, problem } => write!(f, "PEM: {problem}"),
            Self::Session(rustls::Error::InconsistentKeys(_)) => {
                f.write_str("the certificate and the key do not belong together")
            }
            Self::Session(error) => error.fmt(f),
        }
    }
}

fn write_certificate_error(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("the peer's certificate was refused: ")?;
    match error {
        CertificateError::UnknownIssuer => {
            f.write_str("self-signed, or issued by an untrusted authority")
        }
        // The certificates that `openssl req -x509` makes. The type of the cause is private to
        // rustls.
        CertificateError::Other(OtherError(cause)) if cause.to_string() == "CaUsedAsEndEntity" => {
            f.write_str("it is a self-signed CA certificate (CA:TRUE), not a server certificate")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            f.write_str("it has expired")
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            write!(f, "it is not for {}", expected.to_str())?;
            for (number, name) in presented.iter().enumerate() {
                // A name comes as rustls writes it for debugging: `DnsName("localhost")`.
                let name = name.split('"').nth(1).unwrap_or(name);
                write!(f, "{}{name}", if number == 0 { ", only for " } else { ", " })?;
            }
            Ok(())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            f.write_str("it is not valid yet")
        }
        CertificateError::NotValidForName => f.write_str("it is for another host"),
        CertificateError::Revoked => f.write_str("it has been revoked"),
        CertificateError::BadEncoding => f.write_str("it is malformed"),
        CertificateError::BadSignature => f.write_str(
            "its signature is not valid, or another trusted authority has the same name",
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            f.write_str("it is not for this purpose, server or client")
        }
        error => write!(f, "{error}"),
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_certificate_is_explained() {
        for (error, text) in [
            (CertificateError::UnknownIssuer, "self-signed, or issued by an untrusted authority"),
            (CertificateError::Expired, "it has expired"),
            (CertificateError::NotValidYet, "it is not valid yet"),
            (CertificateError::NotValidForName, "it is for another host"),
            (CertificateError::Revoked, "it has been revoked"),
            (CertificateError::BadEncoding, "it is malformed"),
            (
                CertificateError::BadSignature,
                "its signature is not valid, or another trusted authority has the same name",
            ),
            (CertificateError::InvalidPurpose, "it is not for this purpose, server or client"),
        ] {
            let shown = TlsError::Certificate(error).to_string();
            assert_eq!(shown, format!("the peer's certificate was refused: {text}"));
        }
    }
}
