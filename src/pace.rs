//! Detects a peer that does not read.

use std::io;
use std::time::{Duration, Instant};

/// Measures whether a peer takes enough of what waits to be written: what it reads in each write
/// timeout, not what a single write takes. A peer that reads one byte at a time lets every write
/// succeed.
///
/// A program whose writes may wait calls [`took`](Self::took) after each write that left bytes
/// waiting, and [`rest`](Self::rest) when nothing waits. One that waits for room waits until
/// [`deadline`](Self::deadline) at most, and then calls `took` with zero.
///
/// ```
/// use std::time::{Duration, Instant};
/// use sansock::WritePace;
///
/// let mut pace = WritePace::new(Duration::from_secs(30));
/// let start = Instant::now();
/// assert!(pace.took(1, start).is_ok());
/// assert!(pace.took(1, start + Duration::from_secs(29)).is_ok());
/// assert!(pace.took(1, start + Duration::from_secs(30)).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct WritePace {
    timeout: Option<Duration>,
    /// Since when bytes wait, and how many were taken since then.
    window: Option<(Instant, usize)>,
}

impl WritePace {
    /// The number of bytes that a peer must read in each write timeout, unless fewer wait.
    pub const LEAST: usize = 16 << 10;

    /// Creates the measure for a write timeout; with `None` every peer is fast enough.
    #[must_use]
    pub fn new(timeout: impl Into<Option<Duration>>) -> Self {
        Self { timeout: timeout.into(), window: None }
    }

    /// Returns the write timeout.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns when the peer is too slow if it takes nothing more; `None` if never.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.window?.0.checked_add(self.timeout?)
    }

    /// Records that `n` bytes were taken, and that more wait.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] if the peer has taken less than [`LEAST`](Self::LEAST) bytes in
    /// the write timeout.
    pub fn took(&mut self, n: usize, now: Instant) -> io::Result<()> {
        let Some(timeout) = self.timeout else { return Ok(()) };
        let (since, taken) = self.window.unwrap_or((now, 0));
        let taken = taken.saturating_add(n);
        self.window = Some(if taken >= Self::LEAST { (now, 0) } else { (since, taken) });
        if taken < Self::LEAST && now.saturating_duration_since(since) >= timeout {
            return Err(too_slow(timeout));
        }
        Ok(())
    }

    /// Records that nothing waits.
    #[inline]
    pub fn rest(&mut self) {
        self.window = None;
    }
}

#[cold]
fn too_slow(timeout: Duration) -> io::Error {
    let text = format!(
        "the peer does not read, or waits for this end to read: it took less than {} bytes in \
         {timeout:?} (write_timeout)",
        WritePace::LEAST
    );
    io::Error::new(io::ErrorKind::TimedOut, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    /// The seconds after which a peer that takes `n` bytes every `step` times out; `None` if it
    /// does not within an hour.
    fn given_up(n: usize, step: Duration) -> Option<u64> {
        let start = Instant::now();
        let mut pace = WritePace::new(Some(TIMEOUT));
        let mut now = start;
        while now < start + Duration::from_secs(3_600) {
            if let Err(error) = pace.took(n, now) {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                return Some((now - start).as_secs());
            }
            now += step;
        }
        None
    }

    #[test]
    fn a_peer_that_takes_nothing_or_next_to_nothing_is_given_up_in_time() {
        for n in [0, 1, 10, 54] {
            assert_eq!(given_up(n, Duration::from_millis(100)), Some(30), "{n} bytes a step");
        }
    }

    #[test]
    fn a_slow_link_survives() {
        // 9,600 baud, and bursts with long pauses.
        assert_eq!(given_up(96, Duration::from_millis(100)), None);
        assert_eq!(given_up(WritePace::LEAST, Duration::from_secs(29)), None);
    }

    #[test]
    fn the_deadline_moves_with_what_is_taken() {
        let start = Instant::now();
        let mut pace = WritePace::new(TIMEOUT);
        assert_eq!((pace.timeout(), pace.deadline()), (Some(TIMEOUT), None), "nothing waits");
        assert!(pace.took(1, start).is_ok());
        assert_eq!(pace.deadline(), Some(start + TIMEOUT));
        // As much as must be taken, at the last moment.
        assert!(pace.took(WritePace::LEAST - 1, start + TIMEOUT).is_ok());
        assert_eq!(pace.deadline(), Some(start + 2 * TIMEOUT));
        pace.rest();
        assert_eq!(pace.deadline(), None);
    }

    #[test]
    fn the_time_starts_anew_when_nothing_waits() {
        let start = Instant::now();
        let mut pace = WritePace::new(Some(TIMEOUT));
        assert!(pace.took(0, start).is_ok());
        pace.rest();
        assert!(pace.took(0, start + TIMEOUT).is_ok());
        assert!(pace.took(0, start + 2 * TIMEOUT).is_err());
    }

    #[test]
    fn without_a_timeout_no_peer_is_given_up() {
        let mut pace = WritePace::new(None);
        let now = Instant::now();
        assert!(pace.took(0, now).is_ok() && pace.took(0, now + 100 * TIMEOUT).is_ok());
    }
}
