//! Why there is no connection.

use std::time::{Duration, SystemTime};

use super::retry_after::retry_after;
use crate::closing::Outcome;
use crate::handshake::{HandshakeError, Response};

/// Why there is no connection, as far as it matters for connecting again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A connection has ended. The number is that of the API of browsers ([`Outcome::code`]): 1005
    /// for a Close frame without a code, 1006 for an end without a Close frame.
    Closed(u16),
    /// The server answered the handshake with an HTTP status other than 101.
    Refused {
        /// The status.
        status: u16,
        /// The time that its Retry-After header asks for.
        retry_after: Option<Duration>,
    },
    /// The network failed, or something took too long: no address answered, the transport broke.
    Network,
    /// A fault that a new attempt does not remove: the URL, the offer, a certificate, a response
    /// that is not one of WebSocket.
    Permanent,
}

impl Cause {
    /// Makes the cause of a refused handshake. The wall clock `now` is for a Retry-After with a
    /// date, in a response that has no Date itself.
    #[must_use]
    pub fn refused(response: &Response, now: SystemTime) -> Self {
        let retry_after = retry_after(response.headers(), now);
        Self::Refused { status: response.status(), retry_after }
    }

    /// Makes the cause of a failed handshake; `now` as for [`refused`](Self::refused).
    #[must_use]
    pub fn handshake(error: &HandshakeError, now: SystemTime) -> Self {
        match (error, error.response()) {
            (_, Some(response)) => Self::refused(response, now),
            (HandshakeError::Incomplete(_), _) => Self::Network,
            _ => Self::Permanent,
        }
    }
}

impl From<&Outcome> for Cause {
    /// A peer that broke the protocol or exceeded a limit counts as closed with the code that it
    /// got.
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Failed(error) => Self::Closed(error.close_code().get()),
            Outcome::TimedOut(_) => Self::Network,
            _ => Self::Closed(outcome.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::{HeadError, Incomplete, ResponseError, UsageError};
    use crate::{CloseCode, ProtocolError, Timeout};

    #[test]
    fn an_outcome_and_a_failed_handshake_have_their_cause() {
        for (outcome, cause) in [
            (Outcome::Clean { code: None, reason: "".into() }, Cause::Closed(1005)),
            (Outcome::Clean { code: CloseCode::new(4000), reason: "".into() }, Cause::Closed(4000)),
            (Outcome::Abnormal, Cause::Closed(1006)),
            (Outcome::Failed(ProtocolError::InvalidUtf8), Cause::Closed(1007)),
            (Outcome::TimedOut(Timeout::Keepalive), Cause::Network),
        ] {
            assert_eq!(Cause::from(&outcome), cause);
        }
        let permanent = Cause::Permanent;
        for (error, cause) in [
            (Incomplete::UnexpectedEof.into(), Cause::Network),
            (Incomplete::TimedOut.into(), Cause::Network),
            (HeadError::StartLine.into(), permanent),
            (UsageError::InvalidHeaderName("".into()).into(), permanent),
            (HandshakeError::Response(ResponseError::AcceptMismatch), permanent),
        ] {
            assert_eq!(Cause::handshake(&error, SystemTime::UNIX_EPOCH), cause);
        }
    }
}
