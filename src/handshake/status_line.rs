//! The first line of a response (RFC 9112, 4).

use super::error::{HandshakeError, HeadError};
use super::head::{Head, StartLine};
use super::response::Response;

/// `HTTP/1.1 101 Switching Protocols`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusLine {
    pub(crate) minor_version: u8,
    pub(crate) status: u16,
    reason: String,
}

impl StartLine for StatusLine {
    const SKIPS_EMPTY_LINES: bool = false;
    /// Small servers send it. Nothing is gained by refusing it: a client reads one response on a
    /// connection of its own, so no line can be taken for another message's.
    const ALLOWS_BARE_LF: bool = true;
    const UNFOLDS: bool = true;

    fn too_long(limit: usize) -> HeadError {
        HeadError::TooLarge { limit }
    }

    fn opens_with(position: usize, byte: u8) -> bool {
        match b"HTTP/1.".get(position) {
            Some(expected) => byte == *expected,
            None => position == 7 && byte.is_ascii_digit(),
        }
    }

    /// `status-line = HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, 4)
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the pattern takes digits only: 999 at most"
    )]
    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let digit = |byte: u8| u16::from(byte - b'0');
        match line {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor_version @ b'0'..=b'9', b' ',
                a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..]
                // Some servers leave out the space before an empty reason.
                if matches!(reason, [] | [b' ', ..]) =>
            {
                Ok(Self {
                    minor_version: minor_version - b'0',
                    status: digit(*a) * 100 + digit(*b) * 10 + digit(*c),
                    reason: String::from_utf8_lossy(reason.trim_ascii()).into_owned(),
                })
            }
            _ => Err(HeadError::StartLine.into()),
        }
    }
}

impl From<Head<StatusLine>> for Response {
    fn from(head: Head<StatusLine>) -> Self {
        Self::new(head.start_line.status, head.start_line.reason, head.fields)
    }
}
