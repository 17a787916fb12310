//! Why clients got no connection.

use crate::handshake::{HandshakeError, Incomplete, RequestError};

/// Why a client got no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The request was not valid HTTP, exceeded a limit, or was not a valid WebSocket handshake: 400,
    /// 405, 426, 431, 501.
    BadRequest,
    /// The page's Origin is not allowed: 403
    /// ([`OriginPolicy`](crate::handshake::OriginPolicy)).
    Origin,
    /// The Host header names another server: 421 ([`HostPolicy`](crate::handshake::HostPolicy)).
    Host,
    /// The opening handshake took too long: 408
    /// ([`Timeouts::handshake`](crate::Timeouts::handshake)). TLS and a PROXY header are part of it.
    Timeout,
    /// The opening handshake was slow, and another client needed its place.
    Displaced,
    /// The handler rejected the request for a WebSocket.
    Rejected,
    /// The handler gave no answer, or one that is not valid: 500.
    Unanswered,
    /// The server drains or shuts down: 503.
    Draining,
    /// TLS failed.
    Tls,
    /// The client was gone before it had an answer, its PROXY header was refused, or the operating
    /// system had no resources for it.
    Transport,
}

impl Refusal {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::BadRequest,
        Self::Origin,
        Self::Host,
        Self::Timeout,
        Self::Displaced,
        Self::Rejected,
        Self::Unanswered,
        Self::Draining,
        Self::Tls,
        Self::Transport,
    ];

    /// Returns the reason's name for logs and metrics, such as `bad_request`. It does not change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Origin => "origin",
            Self::Host => "host",
            Self::Timeout => "timeout",
            Self::Displaced => "displaced",
            Self::Rejected => "rejected",
            Self::Unanswered => "unanswered",
            Self::Draining => "draining",
            Self::Tls => "tls",
            Self::Transport => "transport",
        }
    }
}

impl From<&HandshakeError> for Refusal {
    fn from(error: &HandshakeError) -> Self {
        match error {
            HandshakeError::Request(RequestError::OriginDenied) => Self::Origin,
            HandshakeError::Request(RequestError::HostDenied) => Self::Host,
            HandshakeError::Head(_) | HandshakeError::Request(_) => Self::BadRequest,
            // A server gets no response.
            HandshakeError::Usage(_) | HandshakeError::Response(_) => Self::Unanswered,
            HandshakeError::Incomplete(Incomplete::TimedOut) => Self::Timeout,
            HandshakeError::Incomplete(_) => Self::Transport,
        }
    }
}

/// How many clients got no connection, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; Refusal::ALL.len()]);

impl Refusals {
    /// Returns how many were refused for this reason.
    #[must_use]
    pub fn get(&self, reason: Refusal) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or_default()
    }

    /// Returns every reason with its number, those of zero too.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.into_iter().zip(self.0)
    }

    /// Returns how many there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn add(&mut self, reason: Refusal) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count = count.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_has_a_number_and_a_name_of_its_own() {
        let mut refusals = Refusals::default();
        for (n, reason) in Refusal::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| refusals.add(reason));
        }
        let counted: Vec<_> = refusals.iter().collect();
        let expected: Vec<_> = Refusal::ALL.into_iter().zip(1..).collect();
        assert_eq!(counted, expected);
        assert_eq!(refusals.total(), (1..=10).sum());
        let names: BTreeSet<_> = Refusal::ALL.into_iter().map(Refusal::name).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
    }

    #[test]
    fn an_error_of_the_handshake_is_counted_by_its_status() {
        let all: [(HandshakeError, Refusal); 5] = [
            (RequestError::OriginDenied.into(), Refusal::Origin),
            (RequestError::HostDenied.into(), Refusal::Host),
            (RequestError::UpgradeRequired.into(), Refusal::BadRequest),
            (Incomplete::TimedOut.into(), Refusal::Timeout),
            (Incomplete::UnexpectedEof.into(), Refusal::Transport),
        ];
        for (error, reason) in all {
            assert_eq!(Refusal::from(&error), reason, "{error}");
        }
    }
}
