//! Time as numbers: half the size of what `std` has, and compared in one step.

use std::time::{Duration, Instant};

/// A length of time in nanoseconds. What is longer than 584 years never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(u64);

impl Span {
    pub(super) const NEVER: Self = Self(u64::MAX);

    /// The length of a timeout; `None` never ends.
    pub(super) const fn new(time: Option<Duration>) -> Self {
        match time {
            Some(time) => Self(nanoseconds(time)),
            None => Self::NEVER,
        }
    }

    pub(super) const fn ends(self) -> bool {
        self.0 != Self::NEVER.0
    }
}

/// A moment, in nanoseconds since the start of a [`Clock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl Moment {
    /// After all others: of something that has not happened, or is not awaited.
    pub(super) const NEVER: Self = Self(u64::MAX);

    /// The moment when `time` has passed since this one; never, if either is.
    #[inline]
    pub(super) const fn after(self, time: Span) -> Self {
        Self(self.0.saturating_add(time.0))
    }

    #[inline]
    pub(super) const fn is_ever(self) -> bool {
        self.0 != Self::NEVER.0
    }
}

/// Turns what `std` has into moments and back. It starts with the first moment that it is told.
#[derive(Debug)]
pub(super) struct Clock {
    start: Option<Instant>,
}

impl Clock {
    pub(super) const fn new() -> Self {
        Self { start: None }
    }

    /// A moment before the start is taken for the start.
    pub(super) fn moment(&mut self, at: Instant) -> Moment {
        let start = *self.start.get_or_insert(at);
        Moment(nanoseconds(at.saturating_duration_since(start)))
    }

    /// `None` if the moment is never, or beyond the clock of the system.
    pub(super) fn instant(&self, at: Moment) -> Option<Instant> {
        let since = at.is_ever().then(|| Duration::from_nanos(at.0))?;
        self.start?.checked_add(since)
    }
}

const fn nanoseconds(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_the_clock_never_ends() {
        let years = Duration::from_secs(600 * 365 * 24 * 3_600);
        for never in [None, Some(Duration::MAX), Some(years)] {
            assert_eq!(Span::new(never), Span::NEVER);
        }
        assert!(Span::new(Some(years / 2)).ends() && Span::new(Some(Duration::ZERO)).ends());
    }

    #[test]
    fn moments_come_back_as_they_were() {
        let (mut clock, start) = (Clock::new(), Instant::now());
        for time in [Duration::ZERO, Duration::from_nanos(1), Duration::new(86_400, 999_999_999)] {
            let at = start + time;
            let moment = clock.moment(at);
            assert_eq!(clock.instant(moment), Some(at));
            assert_eq!(clock.instant(moment.after(Span::new(Some(time)))), Some(at + time));
            assert_eq!(moment.after(Span::NEVER), Moment::NEVER);
        }
        assert_eq!(clock.instant(Moment::NEVER.after(Span::new(Some(Duration::ZERO)))), None);
        assert_eq!(
            clock.moment(start),
            clock.moment(start.checked_sub(Duration::from_nanos(1)).unwrap_or(start))
        );
    }
}
