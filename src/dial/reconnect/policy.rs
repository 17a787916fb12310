//! When a client connects again: the settings.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::cause::Cause;

/// When a client connects again, and how often.
///
/// The delays are random, from nothing to a limit that doubles with each failure ("full jitter"), so
/// that clients that lost the same server do not come back in the same moment. "clients SHOULD use
/// some form of backoff when trying to reconnect after abnormal closures" (RFC 6455, 7.2.3).
///
/// The default number of attempts has no limit, but three ends are final: a close code that is not
/// in [`CODES`](Self::CODES), such as 1000, which a server sends when its handler has returned; a
/// status that is not in [`STATUSES`](Self::STATUSES), such as 404; and [`Cause::Permanent`], such
/// as a certificate that is not trusted. The policy can add codes and statuses. A program that must
/// go on after the third makes a new client after a delay of its own.
///
/// ```
/// use std::time::Duration;
/// use sansock::dial::reconnect::ReconnectPolicy;
///
/// let policy = ReconnectPolicy::new()
///     .first_delay(Duration::from_millis(500))
///     .longest_delay(Duration::from_secs(20))
///     .attempts(10)
///     // An application's own "please come back".
///     .also_after_code(4000);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ReconnectPolicy {
    pub(super) first: Duration,
    pub(super) longest: Duration,
    pub(super) longest_retry_after: Duration,
    pub(super) restart: RangeInclusive<Duration>,
    pub(super) healthy: Duration,
    pub(super) attempts: Option<u32>,
    codes: Cow<'static, [u16]>,
    statuses: Cow<'static, [u16]>,
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl ReconnectPolicy {
    /// The close codes after which a client connects again: going away, no Close frame at all,
    /// internal error, restart, try again later, and a gateway's error. 1000, 1005 (a Close frame
    /// without a code), the codes for faults of the client such as 1008, and those of applications
    /// are not among them.
    pub const CODES: &'static [u16] = &[1001, 1006, 1011, 1012, 1013, 1014];

    /// The HTTP statuses after which a client connects again: those that speak of the moment and
    /// not of the request.
    pub const STATUSES: &'static [u16] = &[408, 425, 429, 500, 502, 503, 504];

    /// Creates the defaults.
    pub const fn new() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(60),
            longest_retry_after: Duration::from_secs(300),
            restart: Duration::from_secs(5)..=Duration::from_secs(30),
            healthy: Duration::from_secs(30),
            attempts: None,
            codes: Cow::Borrowed(Self::CODES),
            statuses: Cow::Borrowed(Self::STATUSES),
        }
    }

    /// Sets the limit of the first delay; it doubles with each failure. Default 5 seconds: "a value
    /// chosen randomly between 0 and 5 seconds is a reasonable initial delay" (RFC 6455, 7.2.3).
    pub const fn first_delay(mut self, limit: Duration) -> Self {
        self.first = limit;
        self
    }

    /// Sets where the doubling ends: "truncated binary exponential backoff" (RFC 6455, 7.2.3).
    /// Default 60 seconds.
    pub const fn longest_delay(mut self, limit: Duration) -> Self {
        self.longest = limit;
        self
    }

    /// Sets how long a server can send the client away with Retry-After; a longer time is taken for
    /// this one. Default 5 minutes. The random delay is added to it.
    pub const fn longest_retry_after(mut self, limit: Duration) -> Self {
        self.longest_retry_after = limit;
        self
    }

    /// Sets the delay after close code 1012 in place of the random one. Default 5 to 30 seconds,
    /// as the registration of this code with IANA asks of clients.
    pub fn restart_delay(mut self, range: RangeInclusive<Duration>) -> Self {
        self.restart = range;
        self
    }

    /// Sets how long a connection must last before earlier failures are forgotten. Default 30
    /// seconds: a server that accepts and closes at once is not called in a loop.
    pub const fn healthy_after(mut self, time: Duration) -> Self {
        self.healthy = time;
        self
    }

    /// Sets how many attempts in a row may fail; then the client gives up. A connection that did not
    /// last ([`healthy_after`](Self::healthy_after)) counts as failed. Default `None`: it never
    /// gives up.
    pub fn attempts(mut self, number: impl Into<Option<u32>>) -> Self {
        self.attempts = number.into();
        self
    }

    /// Replaces [`CODES`](Self::CODES). The numbers are those of
    /// [`Outcome::code`](crate::Outcome::code).
    pub fn after_codes(mut self, codes: impl IntoIterator<Item = u16>) -> Self {
        self.codes = codes.into_iter().collect();
        self
    }

    /// Adds a close code after which the client connects again.
    pub fn also_after_code(mut self, code: u16) -> Self {
        self.codes.to_mut().push(code);
        self
    }

    /// Replaces [`STATUSES`](Self::STATUSES).
    pub fn after_statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Adds an HTTP status after which the client connects again.
    pub fn also_after_status(mut self, status: u16) -> Self {
        self.statuses.to_mut().push(status);
        self
    }

    /// Returns whether a new attempt may succeed after this.
    #[must_use]
    pub fn is_worth_a_retry(&self, cause: &Cause) -> bool {
        match cause {
            Cause::Closed(code) => self.codes.contains(code),
            Cause::Refused { status, .. } => self.statuses.contains(status),
            Cause::Network => true,
            Cause::Permanent => false,
        }
    }
}
