//! The program's own fault: what it wants to send.

use std::fmt;

/// The program's [`Offer`](crate::handshake::Offer), [`Answer`](crate::handshake::Answer) or
/// [`Rejection`](crate::handshake::Rejection) cannot be sent. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsageError {
    /// A header name is not a token (RFC 9110, 5.6.2). The value is the name.
    InvalidHeaderName(Box<str>),
    /// A header value contains CR, LF, NUL or another control character, or has blanks around it
    /// (RFC 9110, 5.5). The value here is the header's name.
    InvalidHeaderValue(Box<str>),
    /// The handshake writes this header itself, or it makes no sense there. The value is the
    /// header's name.
    ReservedHeader(Box<str>),
    /// An offered subprotocol is not a token, or is offered twice (RFC 6455, 4.1). The value is the
    /// subprotocol.
    InvalidSubprotocol(Box<str>),
    /// The answer chooses a subprotocol that the request does not offer (4.2.2). The value is the
    /// subprotocol.
    UnavailableSubprotocol(Box<str>),
    /// The status of a rejection is not one of 200 to 599, or for
    /// [extended CONNECT](crate::handshake::Carrier::ExtendedConnect), which every 2xx accepts, not one
    /// of 300 to 599.
    InvalidStatus(u16),
    /// A response with this status (204, 205 or 304) has no body, but the rejection has one.
    BodyNotAllowed(u16),
    /// The request came by extended CONNECT (RFC 8441): bytes of HTTP/1.1 do not answer it. Answer it
    /// with `HttpServerHandshake` (feature `http`).
    ExtendedConnect,
    /// The types of the crate `http` cannot hold this. The value says what: `"URL"`, if it is longer
    /// than 65,534 bytes or has a character that they do not allow; or `"headers"`, if there are more
    /// than 24,576.
    Unrepresentable(&'static str),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidHeaderName(name) => write!(f, "{name:?} is not a valid header name"),
            Self::InvalidHeaderValue(name) => write!(
                f,
                "the value of the header {name:?} has a control character, or blanks around it"
            ),
            Self::ReservedHeader(name) => {
                write!(f, "the header {name:?} is written by the handshake and cannot be set")
            }
            Self::InvalidSubprotocol(name) => {
                write!(f, "subprotocol {name:?} is not a token, or is offered twice")
            }
            Self::UnavailableSubprotocol(name) => write!(
                f,
                "the client does not offer subprotocol {name:?}: choose one of \
                 Request::subprotocols"
            ),
            Self::InvalidStatus(status) => {
                write!(
                    f,
                    "a rejection has a status of 200 to 599 (300 to 599 for extended CONNECT), and \
                     not {status}"
                )
            }
            Self::BodyNotAllowed(status) => {
                write!(f, "a response with status {status} has no body")
            }
            Self::ExtendedConnect => f.write_str(
                "the request came by extended CONNECT: answer it with HttpServerHandshake, and not \
                 in bytes of HTTP/1.1",
            ),
            Self::Unrepresentable(what) => {
                write!(f, "the types of the crate http cannot hold the {what}")
            }
        }
    }
}

impl std::error::Error for UsageError {}
