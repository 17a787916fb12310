//! What can go wrong in the opening handshake, by whose fault it is, and the HTTP status that says
//! so.

mod head;
mod incomplete;
mod request;
mod response;
mod usage;

pub use head::HeadError;
pub use incomplete::Incomplete;
pub use request::RequestError;
pub use response::ResponseError;
pub use usage::UsageError;

use std::fmt;

use super::response::Response;

/// The opening handshake failed. Final: every later call returns the same error.
///
/// The variants say whose fault it is: [`Head`](Self::Head), [`Request`](Self::Request) and
/// [`Response`](Self::Response) are the peer's, [`Usage`](Self::Usage) is the program's, and
/// [`Incomplete`](Self::Incomplete) is the transport's or a matter of time.
///
/// A server answers a failed handshake with
/// [`ServerHandshake::respond`](crate::handshake::ServerHandshake::respond). A client has nothing
/// to answer: it closes the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The peer did not send a valid HTTP/1.1 head, or its head exceeds a limit.
    Head(HeadError),
    /// The client's request is not a valid WebSocket handshake, or is not allowed.
    Request(RequestError),
    /// The server refused the handshake, or its response does not match the request.
    Response(ResponseError),
    /// The program's offer, answer or rejection cannot be sent.
    Usage(UsageError),
    /// The transport ended, or the time was over, before the handshake was complete.
    Incomplete(Incomplete),
}

impl HandshakeError {
    /// Returns whether the end of a client that is refused with this error is worth waiting for, so
    /// that it can read the response. One that was too slow, or that does not speak HTTP, must not
    /// hold its place any longer.
    #[must_use]
    pub const fn lingers(&self) -> bool {
        !matches!(
            self,
            Self::Incomplete(_)
                | Self::Head(
                    HeadError::ControlByte(_)
                        | HeadError::LineEnding
                        | HeadError::FoldedLine
                        | HeadError::StartLine
                        | HeadError::HeaderLine
                )
        )
    }

    /// Returns the HTTP status that a server answers with: 500 if the fault is the program's. (Only
    /// a gateway that is a client too meets a [`Response`](Self::Response) error: 502.)
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Head(error) => error.status(),
            Self::Request(error) => error.status(),
            Self::Response(_) => 502,
            Self::Usage(_) => 500,
            Self::Incomplete(error) => error.status(),
        }
    }

    /// Returns the server's response, if the handshake failed because its status is not 101.
    #[must_use]
    pub const fn response(&self) -> Option<&Response> {
        match self {
            Self::Response(ResponseError::Status(response)) => Some(response),
            _ => None,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Response(error) => error.fmt(f),
            Self::Usage(error) => error.fmt(f),
            Self::Incomplete(error) => error.fmt(f),
        }
    }
}

// `Display` shows the cause itself, and no cause has a cause of its own.
impl std::error::Error for HandshakeError {}

macro_rules! from {
    ($($variant:ident($type:ty)),*) => {$(
        impl From<$type> for HandshakeError {
            fn from(error: $type) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from!(
    Head(HeadError),
    Request(RequestError),
    Response(ResponseError),
    Usage(UsageError),
    Incomplete(Incomplete)
);

#[cfg(test)]
mod tests {
    use super::*;

    /// A `Result` is returned in registers or copied a lot.
    #[test]
    fn an_error_is_small() {
        assert!(size_of::<HeadError>() <= 24);
        assert!(size_of::<HandshakeError>() <= 32);
    }
}
