//! Positions of messages in the stream of sent bytes, for `bufferedAmount` of the browsers' object.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::Writer;
use crate::Message;
use crate::net::Error;

impl Writer {
    /// Queues a message, and returns its begin and end in the stream of sent bytes, to compare with
    /// [`written`](Self::written). Does not wake the background thread ([`wake`](Self::wake)).
    pub(crate) fn queue_at(&self, message: Message<'_>) -> Result<Range<u64>, Error> {
        let mut outbox = self.handle.lock();
        let start = outbox.queue.position();
        outbox.queue(|sender, buffer| sender.send(message, buffer))?;
        Ok(start..outbox.queue.position())
    }

    /// Wakes the background thread to write the queue.
    pub(crate) fn wake(&self) {
        self.handle.update(|outbox| outbox.write_wanted = true);
    }

    /// How many bytes the network has taken, or `None` if it has taken everything. A Pong that was
    /// replaced shifts positions, by at most 125 bytes.
    pub(crate) fn written(&self) -> Option<u64> {
        let outbox = self.handle.lock();
        let written = self.handle.written.load(Ordering::Acquire);
        (!outbox.queue.is_empty()).then_some(written)
    }
}
