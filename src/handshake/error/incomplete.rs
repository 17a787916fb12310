//! No one's fault that can be told: the transport's end, and the time.

use std::fmt;

/// The handshake ended before it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// The transport ended.
    UnexpectedEof,
    /// It took longer than [`Timeouts::handshake`](crate::Timeouts::handshake).
    TimedOut,
}

impl Incomplete {
    /// Returns the HTTP status that a server answers with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UnexpectedEof => 400,
            Self::TimedOut => 408,
        }
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnexpectedEof => "the connection ended before the handshake was complete",
            Self::TimedOut => "the handshake took too long (Timeouts::handshake)",
        })
    }
}

impl std::error::Error for Incomplete {}
