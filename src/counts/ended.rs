//! How connections ended, by close code and by timeout.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use crate::Outcome;
use crate::timeouts::Timeout;

/// How one connection ended, for [`CountedClient::end`](super::CountedClient::end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `None` if the peer's Close frame was not read.
    pub(super) received: Option<NonZeroU16>,
    pub(super) sent: u16,
    pub(super) timeout: Option<Timeout>,
}

impl Ended {
    /// Takes what a [`Connection`](crate::Connection) says: its
    /// [`outcome`](crate::Connection::outcome) and its [`close_sent`](crate::Connection::close_sent).
    #[must_use]
    pub fn new(outcome: Option<&Outcome>, close_sent: Option<u16>) -> Self {
        let timeout = match outcome {
            Some(&Outcome::TimedOut(timeout)) => Some(timeout),
            _ => None,
        };
        Self {
            received: NonZeroU16::new(outcome.map_or(1006, Outcome::code)),
            sent: close_sent.unwrap_or(1006),
            timeout,
        }
    }

    /// A connection whose closing handshake was completed while nothing was read but the end of the
    /// stream: the code of the peer's Close frame is not known.
    #[must_use]
    pub const fn unread(close_sent: u16) -> Self {
        Self { received: None, sent: close_sent, timeout: None }
    }
}

/// A connection that was cut off, without a Close frame in either direction.
impl Default for Ended {
    fn default() -> Self {
        Self::new(None, None)
    }
}

/// How many connections ended with which close code. The codes are those of Close frames, 1005 for
/// a Close frame without a code, and 1006 for connections without a Close frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseCodes(BTreeMap<u16, u64>);

impl CloseCodes {
    /// Returns how many connections ended with this code.
    #[must_use]
    pub fn get(&self, code: u16) -> u64 {
        self.0.get(&code).copied().unwrap_or_default()
    }

    /// Returns each code that has occurred, with its number, in ascending order.
    ///
    /// A peer chooses its code, so there may be two thousand of them: 3000 to 4999 are for
    /// applications.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.0.iter().map(|(&code, &count)| (code, count))
    }

    /// Returns how many there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub(super) fn add(&mut self, code: u16) {
        let count = self.0.entry(code).or_default();
        *count = count.wrapping_add(1);
    }
}

/// How often which deadline has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutCounts {
    /// [`Timeout::Handshake`]: as many as [`Refusal::Timeout`](super::Refusal::Timeout).
    pub handshake: u64,
    /// [`Timeout::Keepalive`]: the peer did not answer a Ping.
    pub keepalive: u64,
    /// [`Timeout::Message`]: a message took too long to arrive.
    pub message: u64,
    /// [`Timeout::Closing`]: our Close frame was not answered.
    pub closing: u64,
    /// The peer did not read what was sent to it (`Server::write_timeout`).
    pub write: u64,
}

impl TimeoutCounts {
    /// Returns each kind with its name for metrics.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        [
            ("handshake", self.handshake),
            ("keepalive", self.keepalive),
            ("message", self.message),
            ("closing", self.closing),
            ("write", self.write),
        ]
        .into_iter()
    }

    pub(super) fn add(&mut self, timeout: Timeout) {
        let count = match timeout {
            Timeout::Handshake => &mut self.handshake,
            Timeout::Keepalive => &mut self.keepalive,
            Timeout::Message => &mut self.message,
            Timeout::Closing => &mut self.closing,
        };
        *count = count.wrapping_add(1);
    }
}
