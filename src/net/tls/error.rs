//! What can be wrong about TLS.

use std::path::PathBuf;
use std::{fmt, io};

use rustls::pki_types::pem;
use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError};

/// What is wrong about TLS.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificate is refused: it is for another host, expired, or from somebody who is
    /// not trusted. The peer was told.
    Certificate(CertificateError),
    /// The peer refuses us, and this is why: our certificate is missing or not to its liking, for
    /// one.
    Refused(AlertDescription),
    /// The peer does not speak TLS: a `wss:` URL for a `ws:` server, or the other way round.
    NotTls,
    /// The stream ended without the peer's `close_notify`, and before the closing handshake of the
    /// WebSocket protocol: somebody on the way may have cut it.
    Truncated,
    /// The URL's host is neither a name that a certificate can hold nor an address.
    Host(Box<str>),
    /// No root certificates were found on this machine: install them (`ca-certificates` on Debian),
    /// or give some to [`ConnectorBuilder`](super::ConnectorBuilder).
    NoRoots,
    /// A PEM file cannot be read, or does not hold what it should.
    Pem {
        /// The file; `None` for one in memory.
        path: Option<PathBuf>,
        /// What is wrong.
        problem: Box<str>,
    },
    /// Something else in the session or its configuration.
    Session(rustls::Error),
}

impl TlsError {
    /// What rustls says through [`io::Error`].
    pub(super) fn from_io(error: io::Error) -> Self {
        error.downcast::<rustls::Error>().map_or_else(
            |error| Self::Session(rustls::Error::General(error.to_string())),
            Self::from,
        )
    }

    pub(super) fn pem(path: Option<PathBuf>, error: &pem::Error) -> Self {
        let problem = match error {
            pem::Error::Io(error) => error.to_string(),
            pem::Error::NoItemsFound => "it holds none of what it should".into(),
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
            // Before anything that is TLS the peer's first byte is none of its content types.
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
                f.write_str("the peer wants a certificate of ours")
            }
            Self::Refused(alert) => write!(f, "the peer refuses the TLS session: {alert:?}"),
            Self::NotTls => {
                f.write_str("the peer does not speak TLS: one of ws: and wss: is wrong")
            }
            Self::Truncated => f.write_str("the TLS session was cut off, without its end"),
            Self::Host(host) => write!(f, "no certificate can be for {host:?}"),
            Self::NoRoots => {
                f.write_str("no root certificates on this machine to check the server's with")
            }
            Self::Pem { path: Some(path), problem } => write!(f, "{}: {problem}", path.display()),
            Self::Pem { path: None, problem } => write!(f, "PEM: {problem}"),
            Self::Session(error) => error.fmt(f),
        }
    }
}

fn write_certificate_error(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("the peer's certificate is refused: ")?;
    match error {
        CertificateError::UnknownIssuer => {
            f.write_str("it is from nobody who is trusted, or self-signed")
        }
        // What `openssl req -x509` makes. The cause is of a crate that rustls does not show.
        CertificateError::Other(OtherError(cause)) if cause.to_string() == "CaUsedAsEndEntity" => {
            f.write_str("it is self-signed as an authority's (CA:TRUE), and no server's")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            f.write_str("it has expired")
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            write!(f, "it is not for {}", expected.to_str())?;
            for (number, name) in presented.iter().enumerate() {
                write!(f, "{}{name}", if number == 0 { ", only for " } else { ", " })?;
            }
            Ok(())
        }
        error => write!(f, "{error}"),
    }
}

impl std::error::Error for TlsError {}
