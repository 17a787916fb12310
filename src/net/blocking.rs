//! Blocking reads and writes that take no longer than a given time.

use std::io;
use std::time::{Duration, Instant};

/// Whether a read or write took too long or would have blocked: the transport is as it was.
pub(super) fn is_would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The time until `at`, for a timeout of a transport: never zero.
pub(super) fn time_until(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
