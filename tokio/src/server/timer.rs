//! The time at which the server wakes a connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A time in milliseconds, which is the precision of tokio's timers. Rounded up, because a deadline
/// that is looked at too early has not passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

impl Tick {
    const BITS: u32 = 40;
    const NUMBER_BITS: u32 = u64::BITS - Self::BITS;
    /// The largest number that fits behind a tick.
    pub(super) const MOST_NUMBER: u32 = (1 << Self::NUMBER_BITS) - 1;
    /// The tick of the base, in the middle: times before it have a tick too, because a runtime may
    /// have a clock of its own (`tokio::time::pause`). A time 17 years ahead comes too early.
    const BASE: u64 = 1 << (Self::BITS - 1);

    pub(super) fn new(base: Instant, at: Instant) -> Self {
        const NANOS: u32 = 1_000_000;
        let millis = |time: Duration, rest: u32| {
            let seconds = time.as_secs().min(Self::BASE / 1000 - 1);
            seconds * 1000 + u64::from((time.subsec_nanos() + rest) / NANOS)
        };
        Self(match at.checked_duration_since(base) {
            Some(after) => Self::BASE + millis(after, NANOS - 1),
            None => Self::BASE - millis(base.saturating_duration_since(at), 0),
        })
    }

    pub(super) fn at(self, base: Instant) -> Option<Instant> {
        let millis = |from: u64, to: u64| Duration::from_millis(to.saturating_sub(from));
        base.checked_add(millis(Self::BASE, self.0))?.checked_sub(millis(self.0, Self::BASE))
    }

    /// The tick, and behind it the number of a connection in the lower bits.
    pub(super) fn key(self, number: u32) -> u64 {
        self.0 << Self::NUMBER_BITS | u64::from(number)
    }

    /// The reverse of [`key`](Self::key).
    pub(super) fn of_key(key: u64) -> (Self, u32) {
        let number = key & u64::from(Self::MOST_NUMBER);
        (Self(key >> Self::NUMBER_BITS), u32::try_from(number).unwrap_or_default())
    }
}

/// The time of one connection. It changes only while the registry is locked.
#[derive(Debug, Default)]
pub(super) struct Timer(AtomicU64);

/// What a [`Timer`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timed {
    Unset,
    /// The connection will be woken at this time.
    Set(Tick),
    /// It was.
    Fired(Tick),
    /// The registry no longer has the connection.
    Removed,
}

impl Timer {
    #[inline]
    pub(super) fn is_set(&self) -> bool {
        matches!(self.get(), Timed::Set(_))
    }

    #[inline]
    pub(super) fn get(&self) -> Timed {
        match self.0.load(Ordering::Acquire) {
            0 => Timed::Unset,
            u64::MAX => Timed::Removed,
            timed if timed & 1 == 0 => Timed::Set(Tick(timed >> 1)),
            timed => Timed::Fired(Tick(timed >> 1)),
        }
    }

    pub(super) fn change(&self, to: Timed) {
        let timed = match to {
            Timed::Unset => 0,
            Timed::Set(Tick(tick)) => tick << 1,
            Timed::Fired(Tick(tick)) => tick << 1 | 1,
            Timed::Removed => u64::MAX,
        };
        self.0.store(timed, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    #[test]
    fn a_tick_is_never_before_its_time() {
        let base = now() + Duration::from_secs(86_400);
        let times = [0, 1, 999_999, 1_000_000, 1_000_001, 20_000_000_000, 40_000_000_000_000];
        for nanos in times.map(Duration::from_nanos) {
            for at in [base + nanos, base.checked_sub(nanos).unwrap()] {
                let tick = Tick::new(base, at).at(base).unwrap();
                assert!(tick >= at && tick < at + Duration::from_millis(1), "{nanos:?}");
            }
        }
        let years = |years: u64| Duration::from_secs(years * 365 * 86_400);
        assert!(Tick::new(base, base + years(1_000)).at(base).unwrap() > base + years(17));
        let last = Tick::new(base, base + years(1_000));
        let number = Tick::MOST_NUMBER;
        assert_eq!(Tick::of_key(last.key(number)), (last, number));
    }
}
