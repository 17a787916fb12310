//! The errors of the blocking adapters.

use std::fmt;
use std::io;

use super::connect::ConnectError;
use super::proxy::ProxyError;
use super::tls::TlsError;
use crate::counts::Refusal;
use crate::handshake::{HandshakeError, Incomplete, RequestError, UsageError};
use crate::uri::UriError;
use crate::{ProtocolError, SendError, Timeout};

/// Why a blocking call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed. After a failed write the accepted messages still wait
    /// ([`buffered_amount`](super::Outgoing::buffered_amount)), and `flush` continues with them.
    Io(io::Error),
    /// No address of the host could be reached.
    Connect(ConnectError),
    /// The way to the server failed at a proxy. All other errors are about the server.
    Proxy(Box<ProxyError>),
    /// Connecting was cancelled ([`CancelConnect`](super::CancelConnect)).
    Cancelled,
    /// The URL is not valid.
    Uri(UriError),
    /// The URL is a `wss:` URL, but the crate was built without its feature `rustls`.
    NoTls,
    /// TLS failed: a certificate is refused, the peer does not speak TLS, or the stream was
    /// truncated.
    Tls(TlsError),
    /// The opening handshake failed.
    Handshake(HandshakeError),
    /// The server redirects the handshake in a way that the client does not follow.
    #[cfg(feature = "redirects")]
    Redirect(crate::dial::redirect::RedirectError),
    /// The peer broke the protocol or exceeded a limit. It got a Close frame, and the connection is
    /// over.
    Protocol(ProtocolError),
    /// The message, fragment or control frame cannot be sent; nothing was sent.
    Send(SendError),
    /// Something took too long, and the connection is over.
    Timeout(Timeout),
    /// The transport ended or was reset without a Close frame: close code 1006 in the API of
    /// browsers.
    Abnormal,
}

impl Error {
    /// Returns the reason under which a server counts a client whose opening failed with this error.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Handshake(error) => error.into(),
            Self::Timeout(_) => Refusal::Timeout,
            Self::Tls(_) => Refusal::Tls,
            _ => Refusal::Transport,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::Proxy(error) => error.fmt(f),
            Self::Cancelled => f.write_str("connecting was cancelled"),
            Self::Uri(error) => error.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            #[cfg(feature = "redirects")]
            Self::Redirect(error) => error.fmt(f),
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Timeout(error) => error.fmt(f),
            Self::NoTls => f.write_str("wss: needs the feature `rustls` of sansock"),
            Self::Tls(error) => error.fmt(f),
            Self::Abnormal => {
                f.write_str("the connection ended without a closing handshake (1006)")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` includes the cause, so `source` returns the cause's own source.
        match self {
            Self::Io(error) => error.source(),
            Self::Connect(error) => error.source(),
            Self::Proxy(error) => error.source(),
            Self::Uri(error) => error.source(),
            Self::Handshake(error) => error.source(),
            #[cfg(feature = "redirects")]
            Self::Redirect(error) => error.source(),
            Self::Protocol(error) => error.source(),
            Self::Send(error) => error.source(),
            Self::Timeout(error) => error.source(),
            Self::Tls(error) => error.source(),
            Self::NoTls | Self::Abnormal | Self::Cancelled => None,
        }
    }
}

impl From<io::Error> for Error {
    /// Extracts the TLS error, if there is one.
    fn from(error: io::Error) -> Self {
        error.downcast::<TlsError>().map_or_else(Self::Io, Self::Tls)
    }
}

macro_rules! from {
    ($($variant:ident($type:ty)),*) => {$(
        impl From<$type> for Error {
            fn from(error: $type) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from!(
    Connect(ConnectError),
    Tls(TlsError),
    Uri(UriError),
    Handshake(HandshakeError),
    Protocol(ProtocolError),
    Send(SendError),
    Timeout(Timeout)
);

impl From<ProxyError> for Error {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(Box::new(error))
    }
}
#[cfg(feature = "redirects")]
from!(Redirect(crate::dial::redirect::RedirectError));

/// Converts an error that can only be a handshake error.
macro_rules! from_handshake {
    ($($type:ty),*) => {$(
        impl From<$type> for Error {
            fn from(error: $type) -> Self {
                Self::Handshake(error.into())
            }
        }
    )*};
}

from_handshake!(UsageError, RequestError, Incomplete);
