//! A pool of buffers that idle connections do not need.

use super::{ReceiveBuffer, SendBuffer};

/// The two buffers of a connection.
#[derive(Debug, Default)]
pub struct Buffers {
    /// Bytes that have arrived.
    pub input: ReceiveBuffer,
    /// Bytes that wait to be sent.
    pub output: SendBuffer,
}

impl Buffers {
    /// Returns whether both buffers are empty. Then they can serve another connection.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.input.is_idle() && self.output.is_empty()
    }
}

/// Buffers for many connections of which few are busy at a time. An idle connection holds no memory
/// for buffers.
///
/// ```
/// use sansock::buffer::{BufferPool, Buffers};
///
/// let mut pool = BufferPool::new(100);
/// // A connection becomes busy ...
/// let mut buffers: Box<Buffers> = pool.take();
/// buffers.input.extend_from_slice(b"\x81");
/// // ... and keeps its buffers, because a part of a frame is in them.
/// let kept: Option<Box<Buffers>> = pool.put_back(buffers);
/// assert!(kept.is_some());
/// ```
#[derive(Debug)]
pub struct BufferPool {
    #[expect(clippy::vec_box, reason = "the boxes go to connections and come back")]
    free: Vec<Box<Buffers>>,
    /// The largest number of pairs that are kept.
    most: usize,
    /// The memory of the kept buffers that are larger than [`KEPT`](Self::KEPT), in bytes.
    large: usize,
    read_size: Option<usize>,
}

impl BufferPool {
    /// The largest capacity that each buffer in the pool keeps, in bytes: that of one through which
    /// messages of 64 KiB go.
    const KEPT: usize = 128 << 10;
    /// How much memory larger buffers keep, all together, in bytes. The system needs longer to give
    /// fresh memory for a message of 1 MiB than to copy it. What is more is freed.
    const LARGE: usize = 8 << 20;

    /// Creates an empty pool that keeps up to `most` pairs of buffers: each buffer with 128 KiB at most,
    /// and larger ones with 8 MiB all together.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { free: Vec::new(), most, large: 0, read_size: None }
    }

    /// Sets the largest number of bytes that one read asks for ([`ReceiveBuffer::with_read_size`]).
    #[must_use]
    pub const fn read_size(mut self, bytes: usize) -> Self {
        self.read_size = Some(bytes);
        self
    }

    /// Returns empty buffers: the pair that was put back last, or a new one.
    pub fn take(&mut self) -> Box<Buffers> {
        if let Some(buffers) = self.free.pop() {
            let Buffers { input, output } = &*buffers;
            for capacity in [input.capacity(), output.capacity()] {
                self.large = self.large.saturating_sub(Self::beyond_kept(capacity));
            }
            return buffers;
        }
        let input = self.read_size.map_or_else(ReceiveBuffer::new, ReceiveBuffer::with_read_size);
        Box::new(Buffers { input, output: SendBuffer::new() })
    }

    /// Takes the buffers back and returns `None` if they are idle; otherwise returns them, because
    /// the connection still needs them. Ends the loan of an event.
    pub fn put_back(&mut self, mut buffers: Box<Buffers>) -> Option<Box<Buffers>> {
        buffers.input.reclaim();
        if !buffers.is_idle() {
            return Some(buffers);
        }
        if self.free.len() < self.most {
            buffers.input.hand_over();
            if !self.keeps(buffers.input.capacity()) {
                buffers.input.release();
            }
            if !self.keeps(buffers.output.capacity()) {
                buffers.output.release();
            }
            self.free.push(buffers);
        }
        None
    }

    /// Whether a buffer of this capacity is kept, which is then counted.
    fn keeps(&mut self, capacity: usize) -> bool {
        let large = self.large.saturating_add(Self::beyond_kept(capacity));
        let keeps = large <= Self::LARGE;
        if keeps {
            self.large = large;
        }
        keeps
    }

    /// What a buffer of this capacity counts against [`LARGE`](Self::LARGE).
    const fn beyond_kept(capacity: usize) -> usize {
        if capacity > Self::KEPT { capacity } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_buffers_are_used_again_and_busy_ones_stay() {
        let mut pool = BufferPool::new(1).read_size(8 << 10);
        let mut buffers = pool.take();
        assert_eq!(buffers.input.read_size(), 8 << 10);
        buffers.input.extend_from_slice(b"half");
        let mut buffers = pool.put_back(buffers).expect("bytes have arrived");
        buffers.input.consume(4);
        buffers.output.extend_from_slice(b"answer");
        let mut buffers = pool.put_back(buffers).expect("bytes wait");
        buffers.output.consume(6);
        let memory = buffers.input.capacity();
        assert!(pool.put_back(buffers).is_none());
        let buffers = [pool.take(), pool.take()];
        assert_eq!(buffers[0].input.capacity(), memory);
        assert_eq!(buffers[1].input.capacity(), 0);
        let [first, second] = buffers;
        assert!(pool.put_back(first).is_none() && pool.put_back(second).is_none());
        assert_eq!(pool.free.len(), 1, "no more than the limit");
    }

    #[test]
    fn memory_up_to_the_limit_is_kept() {
        let mut pool = BufferPool::new(1).read_size(BufferPool::KEPT);
        let mut buffers = pool.take();
        buffers.output.extend_from_slice(&vec![0; BufferPool::KEPT]);
        buffers.output.consume(BufferPool::KEPT);
        while buffers.input.capacity() < BufferPool::KEPT {
            let n = buffers.input.spare_mut().len();
            buffers.input.filled(n);
        }
        let n = buffers.input.as_slice().len();
        buffers.input.consume(n);
        let before = (buffers.input.capacity(), buffers.output.capacity());
        assert_eq!(before, (BufferPool::KEPT, BufferPool::KEPT));
        assert!(pool.put_back(buffers).is_none());
        let buffers = pool.take();
        assert_eq!((buffers.input.capacity(), buffers.output.capacity()), before);
        assert_eq!(before.0, 128 << 10);
    }

    /// However many there are: only larger ones are limited all together.
    #[test]
    fn buffers_up_to_128_kib_are_not_counted() {
        let mut pool = BufferPool::new(100);
        let busy: Vec<_> = (0..100).map(|_| used(&mut pool, 128 << 10)).collect();
        for buffers in busy {
            assert!(pool.put_back(buffers).is_none());
        }
        assert!(pool.free.iter().all(|it| it.output.capacity() == 128 << 10));
    }

    /// Buffers through which a message of this length has gone both ways.
    fn used(pool: &mut BufferPool, length: usize) -> Box<Buffers> {
        let mut buffers = pool.take();
        buffers.output.extend_from_slice(&vec![0; length]);
        buffers.output.consume(length);
        buffers.input.extend_from_slice(&vec![0; length]);
        buffers.input.consume(length);
        buffers
    }

    #[test]
    fn large_memory_is_kept_for_a_few_and_freed_for_others() {
        const MESSAGE: usize = 1 << 20;
        let mut pool = BufferPool::new(100);
        for round in 0..3 {
            let busy: Vec<_> = (0..20).map(|_| used(&mut pool, MESSAGE)).collect();
            assert_eq!(pool.large, 0, "they are in use: round {round}");
            for buffers in busy {
                assert!(pool.put_back(buffers).is_none());
            }
            let capacities = |it: &Buffers| it.input.capacity() + it.output.capacity();
            let kept: usize = pool.free.iter().map(|it| capacities(it)).sum();
            assert_eq!(kept, pool.large);
            assert!((BufferPool::LARGE / 2..=BufferPool::LARGE).contains(&kept), "{kept}");
        }
    }

    #[test]
    fn the_memory_of_a_very_large_message_is_freed() {
        let mut pool = BufferPool::new(1);
        let buffers = used(&mut pool, BufferPool::LARGE + 1);
        assert!(pool.put_back(buffers).is_none());
        let buffers = pool.take();
        assert_eq!((buffers.input.capacity(), buffers.output.capacity()), (0, 0));
    }
}
