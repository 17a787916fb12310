//! The peer's fault: its HTTP head.

use std::fmt;

/// What the peer sent is not the head of an HTTP/1.1 request or response, or exceeds a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The head is longer than [`HeadLimits::bytes`](crate::handshake::HeadLimits::bytes).
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The head exceeds [`HeadLimits::bytes`](crate::handshake::HeadLimits::bytes) in the request
    /// line: "A server that receives a request-target longer than any URI it wishes to parse MUST
    /// respond with a 414" (RFC 9112, 3).
    TargetTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The head has more headers than
    /// [`HeadLimits::headers`](crate::handshake::HeadLimits::headers).
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// Sec-WebSocket-Extensions lists more extensions, or more parameters of one of them, than are
    /// processed. No setting changes this limit.
    TooManyExtensions {
        /// The limit for extensions, and for the parameters of each.
        limit: usize,
    },
    /// The head contains a control character, such as NUL or the first byte of a TLS connection.
    ControlByte(u8),
    /// A CR without LF or, in a request, an LF without CR (RFC 9112, 2.2).
    LineEnding,
    /// A header line begins with a space or tab: obsolete line folding (RFC 9112, 5.2).
    FoldedLine,
    /// The first line is not a request line, or not a status line (RFC 9112, 3 and 4).
    StartLine,
    /// The HTTP version is not 1.1; with extended CONNECT, not 2 or 3.
    HttpVersion,
    /// A header line does not have the form `name: value` (RFC 9112, 5).
    HeaderLine,
    /// A required header is missing. The value is its name.
    MissingHeader(&'static str),
    /// A header that must occur only once is repeated. The value is its name.
    RepeatedHeader(&'static str),
    /// The value of a header is not valid. The value here is the header's name.
    InvalidHeader(&'static str),
}

impl HeadError {
    /// Returns the HTTP status that a server answers with.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::TargetTooLong { .. } => 414,
            Self::TooLarge { .. }
            | Self::TooManyHeaders { .. }
            | Self::TooManyExtensions { .. } => 431,
            Self::ControlByte(_)
            | Self::LineEnding
            | Self::FoldedLine
            | Self::StartLine
            | Self::HttpVersion
            | Self::HeaderLine
            | Self::MissingHeader(_)
            | Self::RepeatedHeader(_)
            | Self::InvalidHeader(_) => 400,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => {
                write!(f, "the head is over the limit of {limit} bytes (HeadLimits::bytes)")
            }
            Self::TargetTooLong { limit } => write!(
                f,
                "the request target makes the head longer than {limit} bytes (HeadLimits::bytes)"
            ),
            Self::TooManyHeaders { limit } => {
                write!(f, "the head has more than {limit} headers (HeadLimits::headers)")
            }
            Self::TooManyExtensions { limit } => write!(
                f,
                "Sec-WebSocket-Extensions has more than {limit} extensions, or more than {limit} \
                 parameters of one (no setting changes this limit)"
            ),
            // An alert, or the start of a handshake.
            Self::ControlByte(byte @ (0x15 | 0x16)) => write!(
                f,
                "the peer speaks TLS here ({byte:#04x}): use wss: instead of ws: (or the reverse)"
            ),
            Self::ControlByte(byte) => write!(f, "control character {byte:#04x} in the head"),
            Self::LineEnding => f.write_str("a line of the head does not end in CR LF"),
            Self::FoldedLine => f.write_str("a header line begins with a space or tab"),
            Self::StartLine => f.write_str("the first line is not one of HTTP/1.1"),
            Self::HttpVersion => {
                f.write_str("the HTTP version is not 1.1 (with extended CONNECT: not 2 or 3)")
            }
            Self::HeaderLine => f.write_str("a header line does not have the form \"name: value\""),
            Self::MissingHeader(name) => write!(f, "the {name} header is missing"),
            Self::RepeatedHeader(name) => write!(f, "there is more than one {name} header"),
            Self::InvalidHeader(name) => write!(f, "the value of the {name} header is not valid"),
        }
    }
}

impl std::error::Error for HeadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_with_its_setting() {
        for (error, text) in [
            (
                HeadError::TooLarge { limit: 16384 },
                "the head is over the limit of 16384 bytes (HeadLimits::bytes)",
            ),
            (
                HeadError::TooManyHeaders { limit: 100 },
                "the head has more than 100 headers (HeadLimits::headers)",
            ),
        ] {
            assert_eq!((error.status(), error.to_string().as_str()), (431, text));
        }
    }
}
