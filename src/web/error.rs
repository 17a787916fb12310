//! The errors of the methods, which are exceptions in browsers.

use std::{fmt, io};

use crate::Close;
use crate::handshake::UsageError;

/// Why a method failed, by the names of the exceptions in browsers.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// `SyntaxError`: a URL, subprotocol or close reason that is not valid.
    Syntax(SyntaxError),
    /// `SecurityError`: browsers block the URL's port. The value is the port.
    /// [`PortPolicy::Any`](super::PortPolicy::Any) switches the check off.
    Security(u16),
    /// `InvalidStateError`: data cannot be sent before the connection is open.
    InvalidState,
    /// `InvalidAccessError`: a program may only close with 1000 or 3000 to 4999. The value is the
    /// code that was given.
    InvalidAccess(u16),
    /// A header or Origin given to the builder cannot be sent. Browsers have no such exception.
    Header(UsageError),
    /// The operating system did not start a thread. Browsers have no such exception.
    Thread(io::Error),
}

/// Which argument is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyntaxError {
    /// The text is not a URL of a server. The value says why.
    Url(Box<str>),
    /// The scheme is not `ws`, `wss`, `http` or `https`. The value is the scheme.
    Scheme(Box<str>),
    /// The URL has a fragment (`#`).
    Fragment,
    /// A subprotocol is not a token (RFC 6455, 4.1), or is given twice. The value is the
    /// subprotocol.
    Protocol(Box<str>),
    /// The close reason is longer than 123 bytes of UTF-8. The value is its length.
    Reason(usize),
}

impl Error {
    /// Returns the name of the exception in browsers, or `OperationError` for errors that they do
    /// not have.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "SyntaxError",
            Self::Security(_) => "SecurityError",
            Self::InvalidState => "InvalidStateError",
            Self::InvalidAccess(_) => "InvalidAccessError",
            Self::Header(_) | Self::Thread(_) => "OperationError",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Syntax(error) => error.fmt(f),
            Self::Security(port) => {
                write!(f, "port {port} is blocked, as in browsers")?;
                // No setting makes a connection to port 0.
                if *port == 0 { Ok(()) } else { f.write_str(" (PortPolicy::Any allows it)") }
            }
            Self::InvalidState => f.write_str("the connection is not open yet: wait for `open`"),
            Self::InvalidAccess(code) => {
                write!(f, "close code {code} is not allowed: use 1000 or 3000 to 4999")
            }
            Self::Header(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "no thread could be started: {error}"),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => f.write_str(why),
            Self::Scheme(scheme) => {
                write!(f, "the URL's scheme is {scheme:?}, not ws, wss, http or https")
            }
            Self::Fragment => f.write_str("the URL has a fragment (#)"),
            Self::Protocol(name) => {
                write!(f, "subprotocol {name:?} is not a token, or is given twice")
            }
            Self::Reason(length) => {
                write!(
                    f,
                    "the close reason has {length} bytes, and at most {} are allowed",
                    Close::MAX_REASON
                )
            }
        }
    }
}

impl std::error::Error for SyntaxError {}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` shows the cause itself, so its own cause comes next.
        match self {
            Self::Header(error) => error.source(),
            Self::Thread(error) => error.source(),
            _ => None,
        }
    }
}

impl From<SyntaxError> for Error {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}

impl From<UsageError> for Error {
    fn from(error: UsageError) -> Self {
        match error {
            UsageError::InvalidSubprotocol(name) => SyntaxError::Protocol(name).into(),
            error => Self::Header(error),
        }
    }
}
