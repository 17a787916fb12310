//! Limits how much a visitor may send.

use std::num::NonZeroU32;
use std::time::Instant;

/// A token bucket: tokens come at a steady rate, up to a few seconds' worth; each message takes
/// one.
pub(crate) struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Instant,
}

/// The size of the bucket, in seconds of the rate.
const BURST: f64 = 4.0;

impl Bucket {
    pub(crate) fn new(rate: NonZeroU32, now: Instant) -> Self {
        let rate = f64::from(rate.get());
        Self { rate, tokens: rate * BURST, filled: now }
    }

    /// Takes a token for one message; `false` if there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.rate).min(self.rate * BURST);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}
