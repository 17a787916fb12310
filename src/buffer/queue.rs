//! The memory of both buffers.

use std::ops::Range;

/// A contiguous queue of bytes: they are appended at `end` and consumed at `start`. Consuming moves
/// the cursor, not the bytes.
///
/// Always `start <= end <= memory.len()`, and memory has at most `isize::MAX` bytes. So no sum or
/// difference of the cursors wraps, and the range between them can be sliced. No other code indexes
/// the memory of a buffer.
#[derive(Debug, Default)]
pub(super) struct ByteQueue {
    /// Always initialised: its length is a high-water mark, so no byte is zeroed twice and a
    /// foreign `Read` never sees uninitialised memory.
    memory: Vec<u8>,
    /// Position of the first waiting byte.
    start: usize,
    /// One past the last waiting byte.
    end: usize,
}

impl ByteQueue {
    pub(super) const fn new() -> Self {
        Self { memory: Vec::new(), start: 0, end: 0 }
    }

    /// Position of the first waiting byte. It is valid until the bytes move.
    #[inline]
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// Position after the last waiting byte.
    #[inline]
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Size of the memory in bytes, including the parts before and after the waiting bytes.
    #[inline]
    pub(super) const fn room(&self) -> usize {
        self.memory.len()
    }

    /// Number of bytes that are allocated.
    #[inline]
    pub(super) const fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// Drops the waiting bytes; the next bytes are put at `position`.
    #[inline]
    pub(super) fn restart(&mut self, position: usize) {
        debug_assert!(position <= self.memory.len());
        (self.start, self.end) = (position, position);
    }

    /// Consumes all waiting bytes.
    #[inline]
    pub(super) fn consume_all(&mut self) {
        self.start = self.end;
    }

    /// Takes the memory out, cut to its first `n` bytes.
    pub(super) fn take(&mut self, n: usize) -> Vec<u8> {
        let mut memory = std::mem::take(self).memory;
        memory.truncate(n);
        memory
    }

    /// Grows the memory to `room` bytes, if it is smaller.
    pub(super) fn grow(&mut self, room: usize) {
        if self.memory.capacity() == 0 {
            // New memory often comes zeroed from the system; `resize` would write it.
            self.memory = vec![0; room];
        } else if self.memory.len() < room {
            self.memory.resize(room, 0);
        }
    }

    /// Grows the memory to `room` bytes and allocates no more than that, unlike
    /// [`grow`](Self::grow).
    pub(super) fn grow_exact(&mut self, room: usize) {
        self.memory.reserve_exact(room.saturating_sub(self.memory.len()));
        self.grow(room);
    }
}

impl ByteQueue {
    /// Frees the memory after the waiting bytes.
    pub(super) fn shrink(&mut self) {
        self.memory.truncate(self.end);
        self.memory.shrink_to_fit();
    }
}

/// Methods that calculate with the cursors.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "start <= end <= memory.len(), and the callers' lengths and positions are within them"
)]
impl ByteQueue {
    /// Number of waiting bytes.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// The waiting bytes.
    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.end]
    }

    /// A part of the waiting bytes, counted from the first one.
    #[inline]
    pub(super) fn part(&self, part: Range<usize>) -> &[u8] {
        debug_assert!(part.end <= self.len());
        &self.memory[self.start + part.start..self.start + part.end]
    }

    /// The first `n` waiting bytes.
    #[inline]
    pub(super) fn first_mut(&mut self, n: usize) -> &mut [u8] {
        debug_assert!(n <= self.len());
        &mut self.memory[self.start..self.start + n]
    }

    /// Positions of the first `n` waiting bytes.
    #[inline]
    pub(super) fn positions(&self, n: usize) -> Range<usize> {
        debug_assert!(n <= self.len());
        self.start..self.start + n
    }

    /// The bytes at these positions, consumed or not.
    #[inline]
    pub(super) fn at(&self, positions: Range<usize>) -> &[u8] {
        debug_assert!(positions.end <= self.end);
        &self.memory[positions]
    }

    /// Consumes the first `n` bytes.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        self.start += n;
    }

    /// Number of bytes that can be appended without growing.
    #[inline]
    pub(super) const fn spare(&self) -> usize {
        self.memory.len() - self.end
    }

    /// The memory after the waiting bytes. Bytes put there count once [`filled`](Self::filled) is
    /// called.
    #[inline]
    pub(super) fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.end..]
    }

    /// The first `n` bytes of [`spare_mut`](Self::spare_mut), or all if it has fewer.
    #[inline]
    pub(super) fn spare_up_to(&mut self, n: usize) -> &mut [u8] {
        let end = self.end + n.min(self.spare());
        &mut self.memory[self.end..end]
    }

    /// `n` bytes to fill; grows the memory if necessary.
    #[inline]
    pub(super) fn spare_of(&mut self, n: usize) -> &mut [u8] {
        self.grow(self.end + n);
        &mut self.memory[self.end..self.end + n]
    }

    /// As many bytes to fill as the allocation has left, up to `most`. With less than `least` left,
    /// it doubles at least.
    pub(super) fn spare_allocated(&mut self, least: usize, most: usize) -> &mut [u8] {
        if self.memory.capacity() - self.end < least {
            self.memory.reserve(self.end + least - self.memory.len());
        }
        self.spare_of(most.min(self.memory.capacity() - self.end))
    }

    /// Records that the first `n` bytes of [`spare_mut`](Self::spare_mut) were filled.
    #[inline]
    pub(super) fn filled(&mut self, n: usize) {
        debug_assert!(n <= self.spare());
        self.end += n;
    }

    /// Keeps the first `n` waiting bytes and returns how many were dropped. The dropped bytes stay
    /// unchanged in the spare memory.
    pub(super) fn truncate(&mut self, n: usize) -> usize {
        let dropped = self.len() - n;
        self.end -= dropped;
        dropped
    }

    /// Puts bytes before the waiting ones, over consumed bytes. If there are too few of these, the
    /// waiting bytes move.
    pub(super) fn push_front(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            self.grow(bytes.len() + self.len());
            self.move_to(bytes.len());
        }
        let end = self.start;
        self.start -= bytes.len();
        self.memory[self.start..end].copy_from_slice(bytes);
    }

    /// Moves the waiting bytes to `position`.
    pub(super) fn move_to(&mut self, position: usize) {
        self.memory.copy_within(self.start..self.end, position);
        (self.start, self.end) = (position, position + self.len());
    }
}
