//! Deadlines as data: the only file of the core that knows [`Instant`].

use std::fmt;
use std::time::{Duration, Instant};

/// Pings that find out whether a silent peer is alive.
///
/// A Ping goes out when nothing has arrived for `interval`; the connection fails when nothing at all
/// arrives for another `timeout`. At most one such Ping is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence after which a Ping is sent.
    pub interval: Duration,
    /// How long its answer may take.
    pub timeout: Duration,
}

/// How long things may take; `None` waits for ever.
///
/// ```
/// use std::time::Duration;
/// use sansock::{Keepalive, Timeouts};
/// let seconds = Duration::from_secs;
/// let timeouts = Timeouts::new()
///     .keepalive(Keepalive { interval: seconds(20), timeout: seconds(20) })
///     .handshake(seconds(5));
/// assert_eq!(timeouts.idle, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The whole opening handshake, not each read of it. Default 10 seconds.
    pub handshake: Option<Duration>,
    /// Pings that find out whether the peer is alive. Default none.
    pub keepalive: Option<Keepalive>,
    /// Time without a message, or part of one, in either direction after which the connection is
    /// closed with 1001. Pings and Pongs do not count. Default none.
    pub idle: Option<Duration>,
    /// From the first bytes of a message to its last; then the connection fails with 1008. Default
    /// none.
    pub message: Option<Duration>,
    /// From our Close frame to the end of the transport. Default 10 seconds.
    pub closing: Option<Duration>,
}

impl Timeouts {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        let ten = Some(Duration::from_secs(10));
        Self { handshake: ten, keepalive: None, idle: None, message: None, closing: ten }
    }

    /// No timeouts at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { handshake: None, keepalive: None, idle: None, message: None, closing: None }
    }

    /// Sets [`handshake`](Self::handshake).
    #[must_use]
    pub const fn handshake(mut self, time: Duration) -> Self {
        self.handshake = Some(time);
        self
    }

    /// Sets [`keepalive`](Self::keepalive).
    #[must_use]
    pub const fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.keepalive = Some(keepalive);
        self
    }

    /// Sets [`idle`](Self::idle).
    #[must_use]
    pub const fn idle(mut self, time: Duration) -> Self {
        self.idle = Some(time);
        self
    }

    /// Sets [`message`](Self::message).
    #[must_use]
    pub const fn message(mut self, time: Duration) -> Self {
        self.message = Some(time);
        self
    }

    /// Sets [`closing`](Self::closing).
    #[must_use]
    pub const fn closing(mut self, time: Duration) -> Self {
        self.closing = Some(time);
        self
    }

    /// Whether anything is timed between the two handshakes.
    pub(crate) const fn time_messages(&self) -> bool {
        self.keepalive.is_some() || self.idle.is_some() || self.message.is_some()
    }

    /// The deadline of an opening handshake that starts now.
    #[must_use]
    pub fn opening(&self, now: Instant) -> Deadline {
        Deadline {
            what: Timeout::Handshake,
            at: self.handshake.and_then(|time| now.checked_add(time)),
        }
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

/// One moment by which something must have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    what: Timeout,
    at: Option<Instant>,
}

impl Deadline {
    /// When to call [`handle_timeout`](Self::handle_timeout); `None` if never.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.at
    }

    /// Looks at the time.
    ///
    /// # Errors
    ///
    /// The deadline has passed.
    pub fn handle_timeout(&self, now: Instant) -> Result<(), Timeout> {
        match self.at {
            Some(at) if at <= now => Err(self.what),
            _ => Ok(()),
        }
    }
}

/// What has happened since the timers last looked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Observed {
    /// Bytes have arrived.
    pub(crate) heard: bool,
    /// A message went either way.
    pub(crate) used: bool,
    /// The number of the message that is arriving.
    pub(crate) message: Option<u32>,
    /// A Close frame of ours was queued.
    pub(crate) closing: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A keepalive Ping with this payload.
    Ping([u8; 8]),
    /// The closing handshake, because the connection is not used.
    Idle,
    /// The end.
    Expired(Timeout),
}

/// The deadlines of one connection. They learn what has happened when they look at the time, so a
/// connection without timeouts needs no clock.
#[derive(Debug)]
pub(crate) struct Timers {
    timeouts: Timeouts,
    /// When the timers last looked; `None` before the first time.
    now: Option<Instant>,
    heard: Option<Instant>,
    /// When the keepalive Ping that is in flight was sent.
    pinged: Option<Instant>,
    pings: u64,
    used: Option<Instant>,
    /// The message that is arriving and since when.
    message: Option<(u32, Instant)>,
    closing: Option<Instant>,
}

impl Timers {
    pub(crate) const fn new(timeouts: Timeouts) -> Self {
        Self {
            timeouts,
            now: None,
            heard: None,
            pinged: None,
            pings: 0,
            used: None,
            message: None,
            closing: None,
        }
    }

    #[cfg(feature = "net")]
    pub(crate) const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// When to look next. A moment that has passed already says that something has begun whose time
    /// is not known yet.
    pub(crate) fn poll(&self, observed: &Observed) -> Option<Instant> {
        let unseen =
            (observed.closing && self.closing.is_none() && self.timeouts.closing.is_some())
                || (self.timeouts.message.is_some()
                    && observed.message.is_some()
                    && observed.message != self.message.map(|(number, _)| number));
        if unseen {
            return self.now;
        }
        let deadlines = [self.keepalive(), self.idle(), self.message(), self.closing()];
        deadlines.into_iter().flatten().min()
    }

    /// Takes note of what has happened, and says what is due.
    pub(crate) fn handle(&mut self, now: Instant, observed: &Observed) -> Option<Due> {
        let first = self.now.is_none();
        self.now = Some(now);
        if observed.heard || first {
            self.heard = Some(now);
            self.pinged = None;
        }
        // A long message is not unused time.
        let arriving = observed.heard && observed.message.is_some();
        if observed.used || arriving || first {
            self.used = Some(now);
        }
        self.message = match (observed.message, self.message) {
            (Some(number), Some((same, since))) if number == same => Some((number, since)),
            (Some(number), _) => Some((number, now)),
            (None, _) => None,
        };
        if observed.closing && self.closing.is_none() {
            self.closing = Some(now);
        }
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if passed(self.closing()) {
            return Some(Due::Expired(Timeout::Closing));
        }
        if passed(self.message()) {
            return Some(Due::Expired(Timeout::Message));
        }
        if passed(self.idle()) {
            return Some(Due::Idle);
        }
        if passed(self.keepalive()) {
            if self.pinged.is_some() {
                return Some(Due::Expired(Timeout::Keepalive));
            }
            self.pinged = Some(now);
            self.pings = self.pings.wrapping_add(1);
            return Some(Due::Ping(self.pings.to_be_bytes()));
        }
        None
    }

    fn keepalive(&self) -> Option<Instant> {
        let keepalive = self.timeouts.keepalive?;
        if self.closing.is_some() {
            return None;
        }
        match self.pinged {
            Some(pinged) => pinged.checked_add(keepalive.timeout),
            None => self.heard?.checked_add(keepalive.interval),
        }
    }

    fn idle(&self) -> Option<Instant> {
        if self.closing.is_some() {
            return None;
        }
        self.used?.checked_add(self.timeouts.idle?)
    }

    fn message(&self) -> Option<Instant> {
        self.message?.1.checked_add(self.timeouts.message?)
    }

    fn closing(&self) -> Option<Instant> {
        self.closing?.checked_add(self.timeouts.closing?)
    }
}
