//! Blocking reads and writes with a time limit.

use std::io;
use std::time::{Duration, Instant};

/// How much too early the operating system may end a timeout.
const EARLY: Duration = Duration::from_millis(20);
/// The longest time that one write may block. The clock is checked after each write, so neither a
/// peer that reads slowly nor a deadline waits for the end of a long write.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// Whether a read or write timed out or would have blocked: the transport is still usable.
pub(super) fn is_would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Whether the peer reset the connection: operating systems report this with several errors.
pub(super) fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
    )
}

/// The time until `at` as a timeout of a transport: never zero.
pub(super) fn time_until(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Whether a call that would have blocked ended because of the `timeout` that this crate set.
/// Otherwise the program made the transport non-blocking, or set another timeout.
pub(super) fn was_our_timeout(waited: Duration, timeout: Duration) -> bool {
    waited.saturating_add(EARLY).saturating_mul(2) > timeout
}
