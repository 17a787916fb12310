//! The memory of both buffers.

use std::ops::Range;

/// Bytes in a row: they come in behind `end` and are consumed at `start`. That moves the cursors,
/// not the bytes.
///
/// Always `start <= end <= memory.len()`, and memory is at most `isize::MAX` long: so none of the
/// cursors' sums and differences wraps, and what lies between them can be sliced. No other code
/// indexes the memory of a buffer.
#[derive(Debug, Default)]
pub(super) struct ByteQueue {
    /// Initialised throughout: its length is a high-water mark, so that nothing is zeroed twice and
    /// a foreign `Read` never sees uninitialised memory.
    memory: Vec<u8>,
    /// The first byte that waits.
    start: usize,
    /// One past the last byte that waits.
    end: usize,
}

impl ByteQueue {
    pub(super) const fn new() -> Self {
        Self { memory: Vec::new(), start: 0, end: 0 }
    }

    /// Position of the first byte that waits. A position is good until the bytes move.
    #[inline]
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// Position behind the last byte that waits.
    #[inline]
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes there is memory for, those before and behind what waits included.
    #[inline]
    pub(super) const fn room(&self) -> usize {
        self.memory.len()
    }

    /// Bytes of memory that are allocated.
    #[inline]
    pub(super) const fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// Drops what waits; what comes next comes to `position`.
    #[inline]
    pub(super) fn restart(&mut self, position: usize) {
        debug_assert!(position <= self.memory.len());
        (self.start, self.end) = (position, position);
    }

    /// Consumes all that waits.
    #[inline]
    pub(super) fn consume_all(&mut self) {
        self.start = self.end;
    }

    /// Gives away the memory, with the first `n` bytes of it.
    pub(super) fn take(&mut self, n: usize) -> Vec<u8> {
        let mut memory = std::mem::take(self).memory;
        memory.truncate(n);
        memory
    }

    /// Grows to this much room, if there is less.
    pub(super) fn grow(&mut self, room: usize) {
        if self.memory.len() < room {
            self.memory.resize(room, 0);
        }
    }

    /// Grows to this much room and takes no more memory than that, as [`grow`](Self::grow) may.
    pub(super) fn grow_exact(&mut self, room: usize) {
        self.memory.reserve_exact(room.saturating_sub(self.memory.len()));
        self.grow(room);
    }
}

/// What the cursors allow.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "start <= end <= memory.len(), and the callers' lengths and positions are within them"
)]
impl ByteQueue {
    /// How many bytes wait.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// What waits.
    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.end]
    }

    /// A part of what waits, counted from its first byte.
    #[inline]
    pub(super) fn part(&self, part: Range<usize>) -> &[u8] {
        debug_assert!(part.end <= self.len());
        &self.memory[self.start + part.start..self.start + part.end]
    }

    #[inline]
    pub(super) fn part_mut(&mut self, part: Range<usize>) -> &mut [u8] {
        debug_assert!(part.end <= self.len());
        &mut self.memory[self.start + part.start..self.start + part.end]
    }

    /// Where the first `n` bytes that wait lie.
    #[inline]
    pub(super) fn positions(&self, n: usize) -> Range<usize> {
        debug_assert!(n <= self.len());
        self.start..self.start + n
    }

    /// What lies at these positions, consumed or not.
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

    /// How many bytes can come in.
    #[inline]
    pub(super) const fn spare(&self) -> usize {
        self.memory.len() - self.end
    }

    /// The memory behind what waits: what is put there waits once [`filled`](Self::filled) tells of
    /// it.
    #[inline]
    pub(super) fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.end..]
    }

    /// The first `n` bytes of [`spare_mut`](Self::spare_mut), or as many as there are.
    #[inline]
    pub(super) fn spare_up_to(&mut self, n: usize) -> &mut [u8] {
        let end = self.end + n.min(self.spare());
        &mut self.memory[self.end..end]
    }

    /// `n` bytes to be filled, for which memory is taken if need be.
    #[inline]
    pub(super) fn spare_of(&mut self, n: usize) -> &mut [u8] {
        self.grow(self.end + n);
        &mut self.memory[self.end..self.end + n]
    }

    /// Tells that the first `n` bytes of [`spare_mut`](Self::spare_mut) were filled.
    #[inline]
    pub(super) fn filled(&mut self, n: usize) {
        debug_assert!(n <= self.spare());
        self.end += n;
    }

    /// Keeps the first `n` bytes that wait; tells how many came behind them. These are spare again,
    /// and stay as they are.
    pub(super) fn truncate(&mut self, n: usize) -> usize {
        let dropped = self.len() - n;
        self.end -= dropped;
        dropped
    }

    /// Puts bytes before those that wait, over what was consumed; where that is too short, what
    /// waits moves.
    pub(super) fn push_front(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            self.grow(bytes.len() + self.len());
            self.move_to(bytes.len());
        }
        let end = self.start;
        self.start -= bytes.len();
        self.memory[self.start..end].copy_from_slice(bytes);
    }

    /// Moves what waits to `position`.
    pub(super) fn move_to(&mut self, position: usize) {
        self.memory.copy_within(self.start..self.end, position);
        (self.start, self.end) = (position, position + self.len());
    }
}
