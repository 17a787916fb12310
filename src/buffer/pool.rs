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
    read_size: Option<usize>,
}

impl BufferPool {
    /// The largest capacity that a buffer in the pool keeps, in bytes: that of one through which
    /// messages of 64 KiB go. A larger one is freed.
    const KEPT: usize = 128 << 10;

    /// Creates an empty pool that keeps up to `most` pairs of buffers.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { free: Vec::new(), most, read_size: None }
    }

    /// Sets the largest number of bytes that one read asks for ([`ReceiveBuffer::with_read_size`]).
    #[must_use]
    pub const fn read_size(mut self, bytes: usize) -> Self {
        self.read_size = Some(bytes);
        self
    }

    /// Returns empty buffers: the pair that was put back last, or a new one.
    pub fn take(&mut self) -> Box<Buffers> {
        self.free.pop().unwrap_or_else(|| {
            let input =
                self.read_size.map_or_else(ReceiveBuffer::new, ReceiveBuffer::with_read_size);
            Box::new(Buffers { input, output: SendBuffer::new() })
        })
    }

    /// Takes the buffers back and returns `None` if they are idle; otherwise returns them, because
    /// the connection still needs them. Ends the loan of an event, and forgets what the buffers
    /// have learnt about the connection's messages.
    pub fn put_back(&mut self, mut buffers: Box<Buffers>) -> Option<Box<Buffers>> {
        buffers.input.reclaim();
        if !buffers.is_idle() {
            return Some(buffers);
        }
        if self.free.len() < self.most {
            buffers.input.forget();
            if buffers.input.capacity() > Self::KEPT {
                buffers.input.release();
            }
            if buffers.output.capacity() > Self::KEPT {
                buffers.output.release();
            }
            self.free.push(buffers);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_buffers_are_used_again_and_busy_ones_stay() {
        let mut pool = BufferPool::new(1).read_size(8 << 10);
        let mut buffers = pool.take();
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
    }

    #[test]
    fn the_memory_of_a_large_message_is_freed() {
        let mut pool = BufferPool::new(1);
        let mut buffers = pool.take();
        buffers.output.extend_from_slice(&vec![0; 200_000]);
        buffers.output.consume(200_000);
        buffers.input.extend_from_slice(&vec![0; 200_000]);
        buffers.input.consume(200_000);
        assert!(pool.put_back(buffers).is_none());
        let buffers = pool.take();
        assert_eq!((buffers.input.capacity(), buffers.output.capacity()), (0, 0));
    }
}
