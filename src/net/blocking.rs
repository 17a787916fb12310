//! Blocking reads and writes that take no longer than a given time.

use std::io;
use std::time::{Duration, Instant};

/// By how much the operating system may cut a timeout short.
const EARLY: Duration = Duration::from_millis(20);

/// Whether a read or write took too long or would have blocked: the transport is as it was.
pub(super) fn is_would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Whether the peer ended the transport without a word: one death with many errors.
pub(super) fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
    )
}

/// The time until `at`, for a timeout of a transport: never zero.
pub(super) fn time_until(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Whether a call that would have blocked ended by the `timeout` that we set. Otherwise the program
/// has made the transport non-blocking, or set a timeout of its own.
pub(super) fn was_our_timeout(waited: Duration, timeout: Duration) -> bool {
    waited.saturating_add(EARLY).saturating_mul(2) > timeout
}
