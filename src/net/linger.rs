//! Ends a transport that has no connection: a refused handshake, or a handler that has returned.

use std::io;
use std::time::{Duration, Instant};

use super::blocking::STEP;
use super::blocking::{is_would_block, time_until, was_our_timeout};
use super::transport::Transport;
use crate::{Deadline, SendBuffer};

/// The largest number of bytes that are read and discarded from a refused client.
pub(super) const OF_REFUSED: usize = 64 << 20;
/// How long the end may take if [`Timeouts::closing`](crate::Timeouts::closing) is `None`.
const FALLBACK: Duration = Duration::from_secs(10);

/// The moment by which the transport must have ended.
pub(super) fn until(deadline: &Deadline) -> Instant {
    let now = Instant::now();
    deadline.poll_timeout().or_else(|| now.checked_add(FALLBACK)).unwrap_or(now)
}

/// Writes the waiting bytes and ends our side; `false` if that did not succeed by the deadline.
pub(super) fn write_and_end<T: Transport>(
    transport: &mut T,
    output: &mut SendBuffer,
    deadline: &Deadline,
) -> bool {
    matches!(write_until(transport, output, until(deadline)), Ok(true))
        && transport.shutdown_write().is_ok()
}

/// Writes the waiting bytes until `until`, but tries at least once; `false` if some were not
/// written in time.
pub(super) fn write_until<T: Transport>(
    transport: &mut T,
    output: &mut SendBuffer,
    until: Instant,
) -> io::Result<bool> {
    while !output.is_empty() {
        let started = Instant::now();
        let timeout = time_until(until).min(STEP);
        transport.set_write_timeout(Some(timeout))?;
        match output.write_once(transport) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_would_block(&error) && was_our_timeout(started.elapsed(), timeout) => {
            }
            Err(error) => return Err(error),
        }
        if started >= until && !output.is_empty() {
            return Ok(false);
        }
    }
    transport.flush().map(|()| true)
}

/// Reads and discards until the peer has ended its side (then it returns `true`), the deadline
/// passes, or `most` bytes have arrived. If a transport is dropped while bytes of the peer are
/// unread, TCP sends a reset, and the peer may lose the response or the Close frame that was written
/// last.
pub(super) fn discard<T: Transport>(transport: &mut T, deadline: &Deadline, most: usize) -> bool {
    let until = until(deadline);
    let mut discarded: usize = 0;
    let mut bytes = [0; 4 << 10];
    while discarded < most && Instant::now() < until {
        if transport.set_read_timeout(Some(time_until(until))).is_err() {
            return false;
        }
        match transport.read(&mut bytes) {
            Ok(0) => return true,
            Ok(n) => discarded = discarded.saturating_add(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    false
}
