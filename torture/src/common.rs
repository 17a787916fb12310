//! Shared parts: the error type, checks, waiting, a seeded generator.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;
pub(crate) type Fallible<T = ()> = Result<T, Failure>;

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Returns an error with this text unless `holds`.
pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Fallible {
    if holds { Ok(()) } else { Err(what().into()) }
}

/// Waits until `condition` holds, at most for `timeout`.
pub(crate) fn wait_for(
    what: &str,
    timeout: Duration,
    mut condition: impl FnMut() -> Fallible<bool>,
) -> Fallible<Duration> {
    let start = Instant::now();
    while !condition()? {
        ensure(start.elapsed() < timeout, || format!("{what}: not within {timeout:?}"))?;
        thread::sleep(ms(5));
    }
    Ok(start.elapsed())
}

/// Returns the result of a thread; a panic becomes an error.
pub(crate) fn join<T>(thread: thread::ScopedJoinHandle<'_, Fallible<T>>) -> Fallible<T> {
    thread.join().unwrap_or_else(|_| Err("a thread of this program panicked".into()))
}

/// `SplitMix64`: for reproducible choices, not for secrets.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.roll() % below.max(1)
    }

    pub(crate) fn size(&mut self, below: usize) -> usize {
        usize::try_from(self.below(below as u64)).unwrap_or(0)
    }
}
