//! What can go wrong in the opening handshake, and the HTTP status that says so.

use std::fmt;

use super::response::Response;

/// The opening handshake failed. Final: every later call returns the same error.
///
/// A server answers it with [`respond`](Self::respond). A client has nothing to answer: it closes
/// the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head is longer than [`HeadLimits::bytes`](crate::HeadLimits::bytes).
    HeadTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The head has more headers than [`HeadLimits::headers`](crate::HeadLimits::headers).
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// A control character in the head, such as NUL or the first byte of a TLS connection.
    ControlByte(u8),
    /// A CR without LF or a LF without CR (RFC 9112, 2.2).
    LineEnding,
    /// A header line that begins with a blank: obsolete line folding (RFC 9112, 5.2).
    FoldedLine,
    /// The first line is not a request line, or not a status line (RFC 9112, 3 and 4).
    StartLine,
    /// Another version than HTTP/1.1.
    HttpVersion,
    /// A header line that is not `name: value` (RFC 9112, 5).
    HeaderLine,
    /// A header that there must be. The value is its name.
    MissingHeader(&'static str),
    /// A header that there must be only once. The value is its name.
    RepeatedHeader(&'static str),
    /// A header whose value is not valid. The value is its name.
    InvalidHeader(&'static str),
    /// More extensions in Sec-WebSocket-Extensions, or more parameters of one of them, than anybody
    /// needs.
    TooManyExtensions {
        /// The limit for either.
        limit: usize,
    },
    /// The transport ended before the handshake did.
    UnexpectedEof,
    /// The handshake took too long.
    TimedOut,

    /// Another method than GET (RFC 6455, 4.2.1).
    Method,
    /// What the request asks for is not a path with a query, nor an `http:` or `https:` URL of the
    /// host that the Host header names (4.2.1).
    Target,
    /// A request with a body.
    Body,
    /// The request does not ask for WebSocket: an Upgrade header with `websocket` is missing (4.2.1).
    UpgradeRequired,
    /// Another WebSocket version than 13, or none (4.4).
    UnsupportedVersion,
    /// The [`OriginPolicy`](crate::OriginPolicy) does not allow the request's Origin (10.2).
    OriginDenied,

    /// The server answered with another status than 101: with a redirect, for one, or because it
    /// wants authorization. Redirects are not followed.
    Status(Box<Response>),
    /// Sec-WebSocket-Accept does not answer our key (4.1): not a WebSocket server, or an answer to
    /// another request.
    AcceptMismatch,
    /// The server chose a subprotocol that was not offered (4.1).
    UnofferedSubprotocol,
    /// The server chose an extension that was not offered (4.1).
    UnofferedExtension,
    /// The parameters of the extension that the server chose are not valid, or not an answer to what
    /// was offered (RFC 7692, 7.1).
    ExtensionParameters,

    /// Ours: a header name that is not a token (RFC 9110, 5.6.2). The value is the name.
    InvalidName(Box<str>),
    /// Ours: a header value with CR, LF, NUL or another control character, or with blanks around
    /// it (RFC 9110, 5.5). The value is the header's name.
    InvalidValue(Box<str>),
    /// Ours: a header that the handshake itself writes, or that makes no sense in it. The value is
    /// the header's name.
    ReservedHeader(Box<str>),
    /// Ours: a subprotocol that is not a token, or that is offered twice (RFC 6455, 4.1).
    InvalidSubprotocol(Box<str>),
    /// Ours: the answer chooses a subprotocol that the request does not offer (4.2.2).
    SubprotocolNotOffered(Box<str>),
    /// Ours: a request is refused with a status of 200 to 599.
    InvalidStatus(u16),
    /// Ours: a body with a status that has none: 204, 205 or 304.
    BodyNotAllowed(u16),
}

impl HandshakeError {
    /// The HTTP status that a server answers with: 500 if the fault is ours.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::OriginDenied => 403,
            Self::Method => 405,
            Self::TimedOut => 408,
            // "the server MUST abort the WebSocket handshake [...] and instead send an appropriate
            // HTTP error code (such as 426 Upgrade Required)" (RFC 6455, 4.2.2)
            Self::UpgradeRequired | Self::UnsupportedVersion => 426,
            Self::HeadTooLarge { .. }
            | Self::TooManyHeaders { .. }
            | Self::TooManyExtensions { .. } => 431,
            Self::InvalidName(_)
            | Self::InvalidValue(_)
            | Self::ReservedHeader(_)
            | Self::InvalidSubprotocol(_)
            | Self::SubprotocolNotOffered(_)
            | Self::InvalidStatus(_)
            | Self::BodyNotAllowed(_) => 500,
            _ => 400,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadTooLarge { limit } => {
                write!(f, "the head is over the limit of {limit} bytes (HeadLimits::bytes)")
            }
            Self::TooManyHeaders { limit } => {
                write!(f, "the head has more than {limit} headers (HeadLimits::headers)")
            }
            Self::ControlByte(byte @ (0x15 | 0x16)) => {
                write!(f, "the head begins as TLS does ({byte:#04x}): one of ws: and wss: is wrong")
            }
            Self::ControlByte(byte) => write!(f, "control character {byte:#04x} in the head"),
            Self::LineEnding => f.write_str("a line of the head does not end in CR LF"),
            Self::FoldedLine => f.write_str("a header line begins with a blank"),
            Self::StartLine => f.write_str("the first line is not one of HTTP/1.1"),
            Self::HttpVersion => f.write_str("the HTTP version is not 1.1"),
            Self::HeaderLine => f.write_str("a header line is not \"name: value\""),
            Self::MissingHeader(name) => write!(f, "the {name} header is missing"),
            Self::RepeatedHeader(name) => write!(f, "there is more than one {name} header"),
            Self::InvalidHeader(name) => write!(f, "the {name} header is not valid"),
            Self::TooManyExtensions { limit } => {
                write!(f, "more than {limit} extensions, or parameters of an extension")
            }
            Self::UnexpectedEof => f.write_str("the connection ended during the handshake"),
            Self::TimedOut => f.write_str("the handshake took too long"),
            Self::Method => f.write_str("the method is not GET"),
            Self::Target => f.write_str("the request's target is not valid"),
            Self::Body => f.write_str("the request has a body"),
            Self::UpgradeRequired => f.write_str("this is a WebSocket endpoint (RFC 6455)"),
            Self::UnsupportedVersion => f.write_str("the WebSocket version is not 13"),
            Self::OriginDenied => f.write_str("the Origin is not allowed"),
            Self::Status(response) => {
                write!(f, "the server answered {} {}", response.status(), response.reason())
            }
            Self::AcceptMismatch => f.write_str("Sec-WebSocket-Accept does not answer our key"),
            Self::UnofferedSubprotocol => {
                f.write_str("the server chose a subprotocol that was not offered")
            }
            Self::UnofferedExtension => {
                f.write_str("the server chose an extension that was not offered")
            }
            Self::ExtensionParameters => {
                f.write_str("the server's parameters do not answer the extension that was offered")
            }
            Self::InvalidName(name) => write!(f, "{name:?} is not a header name"),
            Self::InvalidValue(name) => write!(f, "the value given for {name:?} is not valid"),
            Self::ReservedHeader(name) => write!(f, "{name:?} is not for the program to set"),
            Self::InvalidSubprotocol(name) => {
                write!(f, "subprotocol {name:?} is not a token, or is offered twice")
            }
            Self::SubprotocolNotOffered(name) => {
                write!(f, "subprotocol {name:?} is not one that the client offers")
            }
            Self::InvalidStatus(status) => write!(f, "{status} is not a status of 200 to 599"),
            Self::BodyNotAllowed(status) => write!(f, "an answer with status {status} has no body"),
        }
    }
}

impl std::error::Error for HandshakeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<HandshakeError>() <= 24);
    }

    #[test]
    fn a_limit_is_named_with_its_knob() {
        for (error, text) in [
            (
                HandshakeError::HeadTooLarge { limit: 16384 },
                "the head is over the limit of 16384 bytes (HeadLimits::bytes)",
            ),
            (
                HandshakeError::TooManyHeaders { limit: 100 },
                "the head has more than 100 headers (HeadLimits::headers)",
            ),
        ] {
            assert_eq!((error.status(), error.to_string().as_str()), (431, text));
        }
    }
}
