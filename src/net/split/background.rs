//! The background thread: it writes what the reader has queued, checks the timers, and ends the
//! transport.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::shared::{Locked, Shared};
use crate::net::Transport;

/// Runs until the transport has ended, or the last half was dropped.
pub(super) fn run(shared: &Shared) {
    let mut outbox = shared.lock();
    loop {
        let now = Instant::now();
        let next = outbox.check_timers(now, shared.reads.load(Ordering::Acquire));
        if outbox.is_over(now) {
            return end(shared, outbox);
        }
        // The server writes the bytes that the halves have left unwritten.
        if outbox.handles == 0 && shared.slot.is_some() {
            return;
        }
        if outbox.wants_half_close() {
            outbox.half_closed = true;
            // A broken stream cannot be ended.
            let _ = shared.stream.clone().shutdown_write();
        }
        outbox = if outbox.has_work() {
            shared.write_or_wait(outbox, next)
        } else {
            outbox.wakes_at = next;
            outbox = shared.wait(outbox, next);
            outbox.wakes_at = Some(now);
            outbox
        };
    }
}

/// Drops the transport, after one attempt to write the waiting bytes, such as a Close frame that
/// says what took too long.
fn end<'a>(shared: &'a Shared, mut outbox: Locked<'a>) {
    outbox.write_wanted = true;
    if outbox.has_work() {
        outbox = shared.write_or_wait(outbox, None);
    }
    outbox.dropped = true;
    outbox.mailbox.end();
    // The reader wakes at the end of its stream, and a writer at an error.
    let mut stream = shared.stream.clone();
    let _ = stream.shutdown_write();
    let _ = stream.abort();
    if let Some(slot) = &shared.slot {
        slot.settle_as(outbox.sender.outcome(), outbox.sender.close_sent());
    }
    shared.notify();
}
