//! A queue that is filled under a lock and written outside it.

use super::SendBuffer;

/// The waiting bytes of a connection whose sender is shared. Frames are encoded under the program's
/// lock. One thread or task at a time writes them outside the lock, in order, so no other thread
/// waits for the network while the lock is held.
///
/// The bytes of a batch that is taken count against [`Limits::buffered`](crate::Limits::buffered) as
/// the queued ones do.
///
/// A writer [takes](Self::take) the batch, and with it the right to write, releases the lock,
/// writes, and [puts it back](Self::put_back), with its rest if the transport did not take all. A
/// [ticket](Self::ticket) says later whether what was queued before it is written.
///
/// ```
/// use sansock::Config;
/// use sansock::split::{SendQueue, Sender};
///
/// // Both are behind one lock.
/// let (mut sender, mut queue) = (Sender::server(&Config::new()), SendQueue::new());
/// sender.send("Hello", queue.queued())?;
/// let ticket = queue.ticket();
/// let mut batch = queue.take().expect("no other thread writes");
/// // The lock is released here, and other threads may queue.
/// sender.send("world", queue.queued())?;
/// assert_eq!(batch.as_slice(), b"\x81\x05Hello");
/// batch.consume(7);
/// // The lock is taken again.
/// queue.put_back(batch);
/// assert!(queue.is_done(ticket));
/// assert_eq!((queue.written(), queue.buffered_amount()), (7, 7));
/// # Ok::<(), sansock::SendError>(())
/// ```
#[derive(Debug, Default)]
pub struct SendQueue {
    queued: SendBuffer,
    /// The rest of an incomplete write, or otherwise the memory for the next batch. Taken out while
    /// a thread writes.
    batch: SendBuffer,
    /// Number of bytes of the batch, and of a payload written without a copy, that may not be
    /// written yet.
    in_flight: usize,
    written: u64,
    writing: bool,
    /// Number of batches that were taken; `done` counts those that were written.
    taken: u64,
    done: u64,
}

impl SendQueue {
    /// Creates an empty queue; it allocates when something is queued.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queued: SendBuffer::new(),
            batch: SendBuffer::new(),
            in_flight: 0,
            written: 0,
            writing: false,
            taken: 0,
            done: 0,
        }
    }

    /// Returns the buffer into which frames are encoded.
    pub fn queued(&mut self) -> &mut SendBuffer {
        // Both together must not take much more memory than what waits.
        self.batch.shrink();
        &mut self.queued
    }

    /// Returns how many bytes may not be written yet.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.in_flight.saturating_add(self.queued.buffered_amount())
    }

    /// Returns how many bytes have been written in total.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Returns the position of the end of the queue in the stream of sent bytes. The queue is
    /// written when [`written`](Self::written) reaches it.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.written.saturating_add(self.buffered_amount() as u64)
    }

    /// Returns whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_rest() && self.queued.is_empty()
    }

    /// Returns whether a batch is taken.
    #[must_use]
    pub const fn is_writing(&self) -> bool {
        self.writing
    }

    /// Returns whether the last batch is still taken, or was put back with a rest.
    #[must_use]
    pub const fn has_rest(&self) -> bool {
        self.done < self.taken
    }

    /// Returns a ticket for the bytes that are queued now, for [`is_done`](Self::is_done).
    #[must_use]
    pub fn ticket(&self) -> u64 {
        self.taken.saturating_add(u64::from(!self.queued.is_empty()))
    }

    /// Returns whether all that was queued when the ticket was taken is written.
    #[must_use]
    pub const fn is_done(&self, ticket: u64) -> bool {
        self.done >= ticket
    }

    /// Takes the right to write and the batch to write: the rest of the last batch, or the queued
    /// bytes (possibly none). `None` if a batch is already taken.
    ///
    /// Append to the batch only if [`has_rest`](Self::has_rest) was `false`: otherwise the queued
    /// bytes belong before what is appended.
    pub fn take(&mut self) -> Option<SendBuffer> {
        if self.writing {
            return None;
        }
        self.writing = true;
        if !self.has_rest() {
            self.batch.swap_bytes(&mut self.queued);
            self.taken = self.taken.saturating_add(1);
            self.set_in_flight(self.batch.buffered_amount());
        }
        Some(std::mem::take(&mut self.batch))
    }

    /// Sets the number of bytes of the taken batch. Needed for a batch with a payload that is
    /// written without a copy ([`Unwritten::remaining`](crate::buffer::Unwritten::remaining)).
    pub fn set_in_flight(&mut self, bytes: usize) {
        self.in_flight = bytes;
        self.queued.set_ahead(0, bytes);
    }

    /// Records that `rest` bytes of the taken batch are left, while the rest is still being written.
    /// Returns how many bytes were written since then.
    pub fn progress(&mut self, rest: usize) -> usize {
        let before = std::mem::replace(&mut self.in_flight, rest);
        let written = before.saturating_sub(rest);
        self.written = self.written.saturating_add(written as u64);
        // The timers look at the queued buffer.
        self.queued.set_ahead(written, rest);
        written
    }

    /// Gives back the right to write, and the batch with its unwritten rest. Returns how many bytes
    /// were written.
    pub fn put_back(&mut self, batch: SendBuffer) -> usize {
        let rest = batch.buffered_amount();
        let written = self.progress(rest);
        self.writing = false;
        self.batch = batch;
        if rest == 0 || !self.queued.is_empty() {
            self.batch.shrink();
        }
        if rest == 0 {
            self.done = self.taken;
        }
        written
    }

    /// Frees the memory that is not in use.
    pub fn release(&mut self) {
        if !self.writing {
            self.batch.release();
        }
        self.queued.release();
    }

    /// Returns all waiting bytes in one buffer.
    #[must_use]
    pub fn into_buffer(mut self) -> SendBuffer {
        if self.batch.is_empty() {
            return self.queued;
        }
        while !self.queued.is_empty() {
            let bytes = self.queued.as_slice();
            let n = bytes.len();
            self.batch.extend_from_slice(bytes);
            self.queued.consume(n);
        }
        self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_is_cut_short_goes_on_before_what_was_queued_later() {
        let mut queue = SendQueue::new();
        queue.queued().extend_from_slice(b"first");
        let first = queue.ticket();
        let mut batch = queue.take().unwrap();
        assert!(queue.is_writing());
        assert!(queue.take().is_none(), "one writes at a time");
        queue.queued().extend_from_slice(b"second");
        let second = queue.ticket();
        assert_eq!((queue.buffered_amount(), queue.position()), (11, 11));
        batch.consume(2);
        assert_eq!(queue.put_back(batch), 2);
        assert!(queue.has_rest() && !queue.is_done(first));
        assert_eq!((queue.written(), queue.buffered_amount(), queue.position()), (2, 9, 11));

        let mut batch = queue.take().unwrap();
        assert_eq!(batch.as_slice(), b"rst");
        batch.consume(3);
        queue.put_back(batch);
        assert!(queue.is_done(first) && !queue.is_done(second) && !queue.is_empty());

        let mut batch = queue.take().unwrap();
        assert_eq!(batch.as_slice(), b"second");
        batch.consume(6);
        queue.put_back(batch);
        assert!(queue.is_done(second) && queue.is_empty() && !queue.is_writing());
    }

    #[test]
    fn a_payload_written_from_where_it_lies_counts() {
        let mut queue = SendQueue::new();
        let mut batch = queue.take().unwrap();
        queue.set_in_flight(100);
        assert_eq!(queue.buffered_amount(), 100);
        // Sixty bytes were written, and the rest was copied.
        batch.extend_from_slice(&[0; 40]);
        assert_eq!(queue.put_back(batch), 60);
        assert_eq!((queue.written(), queue.buffered_amount()), (60, 40));
    }

    /// A program may say anything.
    #[test]
    fn more_in_flight_than_any_memory_holds_leaves_no_room() {
        let mut queue = SendQueue::new();
        queue.set_in_flight(usize::MAX);
        queue.queued().extend_from_slice(b"ab");
        assert!(queue.queued().waiting() >= isize::MAX.unsigned_abs());
        assert_eq!(queue.buffered_amount(), usize::MAX);
    }

    #[test]
    fn memory_is_given_back_when_nothing_waits() {
        let mut queue = SendQueue::new();
        queue.queued().extend_from_slice(&[0; 1_000]);
        let mut batch = queue.take().unwrap();
        queue.release();
        assert!(batch.capacity() >= 1_000, "what is in hand is not touched");
        batch.consume(1_000);
        queue.put_back(batch);
        assert!(queue.batch.capacity() >= 1_000);
        queue.release();
        assert_eq!((queue.batch.capacity(), queue.queued.capacity()), (0, 0));
    }

    /// A large batch keeps its memory while nothing else is queued: its rest is written next.
    #[test]
    fn a_large_batch_gives_memory_back_when_it_is_written_or_more_is_queued() {
        const LARGE: usize = 2 * SendBuffer::LARGE;

        for (rest, queued, left) in
            [(0, false, 0), (0, true, 0), (100, false, LARGE + LARGE / 8), (100, true, 100)]
        {
            let mut queue = SendQueue::new();
            queue.queued().extend_from_slice(&vec![0; LARGE]);
            let mut batch = queue.take().unwrap();
            if queued {
                queue.queued().extend_from_slice(b"more");
            }
            batch.consume(LARGE - rest);
            queue.put_back(batch);
            assert_eq!(queue.batch.capacity(), left, "{rest} left, more is queued: {queued}");
            queue.queued();
            assert_eq!(queue.batch.capacity(), rest, "more is about to be queued");
        }
    }

    #[test]
    fn what_is_left_at_the_end_is_in_order() {
        let mut queue = SendQueue::new();
        queue.queued().extend_from_slice(b"rest ");
        let batch = queue.take().unwrap();
        queue.put_back(batch);
        queue.queued().extend_from_slice(b"and more");
        assert_eq!(queue.into_buffer().as_slice(), b"rest and more");
    }
}
