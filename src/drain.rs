//! Ending a server gradually, without I/O: which connection is told to close when.

use std::fmt;
use std::time::{Duration, Instant};

use crate::CloseCode;
use crate::handshake::Rejection;

/// How a server ends its connections.
///
/// 1. During [`grace`](Self::grace) it serves as before, new clients too, while its health check
///    already fails: a load balancer needs some time to notice.
/// 2. Then requests for WebSocket are answered with 503, and each open connection is told to close,
///    one after the other over the time [`spread`](Self::spread): thousands of clients that are
///    told at once would come back at once.
/// 3. A connection that is still open [`closing`](Self::closing) later is cut off.
///
/// ```
/// use sansock::CloseCode;
/// use sansock::drain::Drain;
/// use std::time::Duration;
///
/// let drain = Drain::new()
///     .code(CloseCode::SERVICE_RESTART)
///     .grace(Duration::from_secs(10))
///     .spread(Duration::from_secs(30));
/// // What the service manager must wait before it kills the program.
/// assert_eq!(drain.total(), Duration::from_secs(51));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drain {
    /// The code of the Close frames. Default 1001; 1012 tells clients that the service restarts.
    pub code: CloseCode,
    /// The time between the start, from which on the health check fails, and the first Close frame.
    /// Default none.
    pub grace: Duration,
    /// The time over which the Close frames are spread evenly. Default none: all at once.
    pub spread: Duration,
    /// The time between the end of [`spread`](Self::spread) and the deadline for all. Default 11
    /// seconds, a second more than the default of [`Timeouts::closing`](crate::Timeouts::closing).
    pub closing: Duration,
    /// When a client that is refused may try again: the header Retry-After, in whole seconds.
    /// Default 5 seconds; `None` sends no such header.
    pub retry_after: Option<Duration>,
    /// Whether the listener stays open to the end, so that new clients get a response with 503, and
    /// the health check an answer. Otherwise it is closed after [`grace`](Self::grace), and further
    /// clients cannot connect. Default `true`.
    pub keep_listening: bool,
}

impl Drain {
    /// Creates the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            code: CloseCode::GOING_AWAY,
            grace: Duration::ZERO,
            spread: Duration::ZERO,
            closing: Duration::from_secs(11),
            retry_after: Some(Duration::from_secs(5)),
            keep_listening: true,
        }
    }

    /// Sets [`code`](Self::code).
    #[must_use]
    pub const fn code(mut self, code: CloseCode) -> Self {
        self.code = code;
        self
    }

    /// Sets [`grace`](Self::grace).
    #[must_use]
    pub const fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// Sets [`spread`](Self::spread).
    #[must_use]
    pub const fn spread(mut self, time: Duration) -> Self {
        self.spread = time;
        self
    }

    /// Sets [`closing`](Self::closing).
    #[must_use]
    pub const fn closing(mut self, time: Duration) -> Self {
        self.closing = time;
        self
    }

    /// Sets [`retry_after`](Self::retry_after), or unsets it with `None`.
    #[must_use]
    pub fn retry_after(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.retry_after = time.into();
        self
    }

    /// Sets [`keep_listening`](Self::keep_listening).
    #[must_use]
    pub const fn keep_listening(mut self, keep: bool) -> Self {
        self.keep_listening = keep;
        self
    }

    /// Returns the time from the start to the deadline at which the last connection is cut off.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.grace.saturating_add(self.spread).saturating_add(self.closing)
    }

    /// Returns the response to a request for WebSocket that is refused: 503 and Retry-After.
    ///
    /// "The server MAY send a Retry-After header field (Section 10.2.3) to suggest an appropriate
    /// amount of time for the client to wait before retrying the request." (RFC 9110, 15.6.4)
    #[must_use]
    pub fn rejection(&self) -> Rejection {
        let rejection = Rejection::new(503);
        let Some(time) = self.retry_after else { return rejection };
        // Rounded up: a client that comes back too early is refused again.
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        rejection.header("Retry-After", seconds.to_string())
    }

    /// Starts the plan.
    #[must_use]
    pub fn plan(&self, now: Instant) -> DrainPlan {
        let closes_at = later(now, self.grace);
        let spread_until = later(closes_at, self.spread);
        DrainPlan {
            closes_at,
            next: closes_at,
            spread_until,
            deadline: later(spread_until, self.closing),
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

/// A time beyond the clock's range is a year from now.
fn later(from: Instant, time: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    from.checked_add(time).or_else(|| from.checked_add(YEAR)).unwrap_or(from)
}

/// Decides which connection is told to close when.
///
/// ```
/// use sansock::drain::{Drain, DrainStep};
/// use std::time::{Duration, Instant};
///
/// let second = Duration::from_secs(1);
/// let start = Instant::now();
/// let mut plan = Drain::new().grace(second).spread(2 * second).plan(start);
/// // Two connections.
/// assert_eq!(plan.poll(start, 2, 0), DrainStep::Serve(start + second));
/// assert_eq!(plan.poll(start + second, 2, 0), DrainStep::Close);
/// assert_eq!(plan.poll(start + second, 1, 1), DrainStep::Wait(start + 2 * second));
/// assert_eq!(plan.poll(start + 2 * second, 1, 1), DrainStep::Close);
/// // Both have ended.
/// assert_eq!(plan.poll(start + 2 * second, 0, 0), DrainStep::Over);
/// ```
#[derive(Clone, Debug)]
pub struct DrainPlan {
    closes_at: Instant,
    /// When the next connection is to be told.
    next: Instant,
    spread_until: Instant,
    deadline: Instant,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainStep {
    /// Go on as before until then; only the health check fails.
    Serve(Instant),
    /// Tell the next connection to close, and ask again. From now on new clients are refused.
    Close,
    /// Wait until then, or until a connection has ended. New clients are refused.
    Wait(Instant),
    /// Cut off what is still open: the deadline has passed, or nothing is open.
    Over,
}

impl DrainPlan {
    /// The least time between two steps, so that each may look at all connections.
    pub const LEAST_PAUSE: Duration = Duration::from_millis(10);

    /// Returns what to do next. `untold` and `told` count the open connections that have not been,
    /// and have been, told to close. What ends by itself gives its time to the others.
    pub fn poll(&mut self, now: Instant, untold: usize, told: usize) -> DrainStep {
        if now < self.closes_at {
            return DrainStep::Serve(self.closes_at);
        }
        if now >= self.deadline || untold.saturating_add(told) == 0 {
            return DrainStep::Over;
        }
        let Ok(untold @ 1..) = u32::try_from(untold) else {
            return DrainStep::Wait(self.deadline);
        };
        if self.next > now {
            let pause = later(now, Self::LEAST_PAUSE);
            return DrainStep::Wait(self.next.max(pause).min(self.deadline));
        }
        let left = self.spread_until.saturating_duration_since(self.next);
        let share = left.checked_div(untold).unwrap_or_default();
        self.next = later(self.next, share);
        DrainStep::Close
    }

    /// Returns when the last connection is cut off.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// How the connections of a server ended that drains or shuts down. Requests that were never
/// accepted as WebSocket connections count only if they were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// They were told to close, and completed the closing handshake. Where a handler of
    /// `net::Server` had returned before, they ended their side in time.
    pub closed: usize,
    /// They were told to close, and ended in another way before the deadline: the transport broke,
    /// or the peer did not answer within [`Timeouts::closing`](crate::Timeouts::closing).
    pub failed: usize,
    /// They were cut off at the deadline.
    pub forced: usize,
    /// They ended since the start before they were told.
    pub ended: usize,
    /// Requests for WebSocket that were answered with 503.
    pub refused: usize,
    /// They are still open.
    pub open: usize,
}

impl DrainReport {
    /// Counts a connection that has ended, without having been cut off.
    pub const fn count(&mut self, was_told: bool, was_clean: bool) {
        let place = match (was_told, was_clean) {
            (false, _) => &mut self.ended,
            (true, true) => &mut self.closed,
            (true, false) => &mut self.failed,
        };
        *place = place.saturating_add(1);
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { closed, failed, forced, ended, refused, open } = self;
        write!(
            f,
            "{closed} closed, {failed} failed to close, {forced} cut off, {ended} had ended before, \
             {refused} refused, {open} open"
        )
    }
}
