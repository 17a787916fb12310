//! The timeouts that a program sets, and the deadlines that it gets. The core reads no clock: the
//! program passes in the time.

use std::fmt;
use std::time::{Duration, Instant};

/// Pings that check whether a silent peer is alive.
///
/// A Ping is sent when nothing has arrived for `interval`. The connection fails when nothing at all
/// arrives for another `timeout`. At most one such Ping is in flight.
///
/// While an incomplete write waits for the peer, each 16 KiB that it takes are a sign of life too: a
/// Ping behind a large message is not late before it is written. Bytes in the operating system's
/// send buffer, often up to 4 MiB, count as taken: over a slow link `timeout` must leave time for
/// them.
///
/// A Ping for which [`Limits::buffered`](crate::Limits::buffered) leaves no room is sent at the first
/// check that finds some, and the time for its answer begins then. A peer that makes no room within
/// `timeout` is taken for dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// How long the peer may be silent before a Ping is sent. Zero does not turn keepalive off: each
    /// answer is followed by the next Ping at once. `None` of [`Timeouts::keepalive`] turns it off.
    pub interval: Duration,
    /// How long the answer to the Ping may take.
    pub timeout: Duration,
}

impl Keepalive {
    /// Sends a Ping after `time` of silence, and allows the same time for its answer.
    #[must_use]
    pub const fn every(time: Duration) -> Self {
        Self { interval: time, timeout: time }
    }
}

/// The timeouts of a connection; `None` waits forever.
///
/// ```
/// use std::time::Duration;
/// use sansock::{Keepalive, Timeouts};
/// let seconds = Duration::from_secs;
/// let timeouts = Timeouts::new()
///     .keepalive(Keepalive::every(seconds(20)))
///     .handshake(seconds(5))
///     .closing(None);
/// assert_eq!(timeouts.idle, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// How long the whole opening handshake may take (not each read), together with TLS and with what
    /// is said to a proxy before. Default 10 seconds.
    pub handshake: Option<Duration>,
    /// Pings that check whether the peer is alive. Default `None`.
    pub keepalive: Option<Keepalive>,
    /// How long the connection may carry no message, or part of one, in either direction. Then it
    /// is closed with 1001. Pings and Pongs do not count. Default `None`.
    pub idle: Option<Duration>,
    /// How long a message may take to arrive, from its first byte to its last. Then the connection
    /// fails with 1008. Default `None`.
    pub message: Option<Duration>,
    /// How long after our Close frame the transport may still be needed. The peer must have sent
    /// its Close frame and ended its side of the transport by then. It takes effect at the second
    /// check, some 100 milliseconds later. Default 10 seconds.
    ///
    /// With `None` a connection waits forever for its peer. What waits to be written when the peer
    /// has ended its side still has 10 seconds, and so has the end of a connection whose handler in
    /// a `net::Server` has returned.
    pub closing: Option<Duration>,
}

impl Timeouts {
    /// Creates the defaults.
    #[must_use]
    pub const fn new() -> Self {
        let ten = Some(Duration::from_secs(10));
        Self { handshake: ten, keepalive: None, idle: None, message: None, closing: ten }
    }

    /// Creates settings without any timeout.
    #[must_use]
    pub const fn none() -> Self {
        Self { handshake: None, keepalive: None, idle: None, message: None, closing: None }
    }

    /// Sets [`handshake`](Self::handshake), or unsets it with `None`.
    #[must_use]
    pub fn handshake(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.handshake = time.into();
        self
    }

    /// Sets [`keepalive`](Self::keepalive), or unsets it with `None`.
    #[must_use]
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.keepalive = keepalive.into();
        self
    }

    /// Sets [`idle`](Self::idle), or unsets it with `None`.
    #[must_use]
    pub fn idle(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.idle = time.into();
        self
    }

    /// Sets [`message`](Self::message), or unsets it with `None`.
    #[must_use]
    pub fn message(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.message = time.into();
        self
    }

    /// Sets [`closing`](Self::closing), or unsets it with `None`.
    #[must_use]
    pub fn closing(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.closing = time.into();
        self
    }

    /// Whether there is a timer between the opening and the closing handshake.
    pub(crate) const fn time_messages(&self) -> bool {
        self.keepalive.is_some() || self.idle.is_some() || self.message.is_some()
    }

    /// Returns the deadline of an opening handshake that starts now.
    #[must_use]
    pub fn opening(&self, now: Instant) -> Deadline {
        Deadline::new(Timeout::Handshake, self.handshake, now)
    }

    /// Returns the deadline for ending a transport that never had a connection, such as after a
    /// refused handshake. By then the response must be written and the peer must have ended its
    /// side.
    #[must_use]
    pub fn ending(&self, now: Instant) -> Deadline {
        Deadline::new(Timeout::Closing, self.closing, now)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::new()
    }
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// The opening handshake ([`Timeouts::handshake`]).
    Handshake,
    /// The answer to a keepalive Ping ([`Keepalive::timeout`]).
    Keepalive,
    /// The rest of a message ([`Timeouts::message`]).
    Message,
    /// The peer's part of the closing handshake ([`Timeouts::closing`]).
    Closing,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the opening handshake took too long (Timeouts::handshake)",
            Self::Keepalive => "the peer did not answer a Ping in time (Keepalive::timeout)",
            Self::Message => "a message took too long to arrive (Timeouts::message)",
            Self::Closing => {
                "the peer did not finish the closing handshake in time (Timeouts::closing)"
            }
        })
    }
}

impl std::error::Error for Timeout {}

/// A moment by which something must have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    what: Timeout,
    at: Option<Instant>,
}

impl Deadline {
    fn new(what: Timeout, time: Option<Duration>, now: Instant) -> Self {
        Self { what, at: time.and_then(|time| now.checked_add(time)) }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout); `None` if never.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.at
    }

    /// Returns this deadline, or the same at `at` if that is sooner.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use sansock::Timeouts;
    /// let now = Instant::now();
    /// let deadline = Timeouts::new().opening(now);
    /// let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(60));
    /// assert_eq!(deadline.sooner(Some(soon)).poll_timeout(), Some(soon));
    /// assert_eq!(deadline.sooner(Some(late)), deadline);
    /// assert_eq!(deadline.sooner(None), deadline);
    /// ```
    #[must_use]
    pub fn sooner(self, at: Option<Instant>) -> Self {
        Self { at: [self.at, at].into_iter().flatten().min(), ..self }
    }

    /// Checks whether the deadline has passed.
    ///
    /// # Errors
    ///
    /// [`Timeout`] if it has.
    pub fn handle_timeout(&self, now: Instant) -> Result<(), Timeout> {
        match self.at {
            Some(at) if at <= now => Err(self.what),
            _ => Ok(()),
        }
    }
}
