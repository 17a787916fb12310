//! The delay with a random number of the operating system's.
#![cfg(feature = "rand")]

use std::time::{Duration, Instant};

use super::cause::Cause;
use super::state::{GiveUp, Reconnect};
use crate::handshake::random_nonce;

impl Reconnect {
    /// Returns [`next_delay`](Self::next_delay) with a random number.
    ///
    /// # Errors
    ///
    /// [`GiveUp`]: do not connect again.
    #[expect(clippy::cast_possible_truncation, reason = "half of it is random enough")]
    pub fn random_delay(&mut self, cause: &Cause, now: Instant) -> Result<Duration, GiveUp> {
        self.next_delay(cause, now, u128::from_ne_bytes(random_nonce()) as u64)
    }
}
