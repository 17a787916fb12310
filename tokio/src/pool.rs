//! The buffers that idle connections do not hold: a pool for each thread, so without a lock.

use std::cell::RefCell;

use sansock::buffer::{BufferPool, Buffers};
use sansock::{Config, ReceiveBuffer};

/// How many pairs of buffers a thread keeps.
const KEPT: usize = 64;

thread_local! {
    static POOL: RefCell<BufferPool> = const { RefCell::new(BufferPool::new(KEPT)) };
}

/// Returns empty buffers.
pub(crate) fn take() -> Box<Buffers> {
    POOL.with_borrow_mut(BufferPool::take)
}

/// Returns empty buffers with this [`Config::read_size`].
pub(crate) fn take_with(read_size: usize) -> Box<Buffers> {
    if read_size == Config::READ_SIZE {
        return take();
    }
    let input = ReceiveBuffer::with_read_size(read_size);
    Box::new(Buffers { input, ..Buffers::default() })
}

/// Takes idle buffers back; others are returned, and so are those with a read size of their own: the
/// connection would get another one from the pool.
pub(crate) fn put_back(buffers: Box<Buffers>) -> Option<Box<Buffers>> {
    if buffers.input.read_size() != Config::READ_SIZE {
        return Some(buffers);
    }
    if buffers.is_idle() && buffers.input.capacity() == 0 && buffers.output.capacity() == 0 {
        return None;
    }
    POOL.with_borrow_mut(|pool| pool.put_back(buffers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_out_has_memory_if_any_was_put_back() {
        let mut used = take();
        used.input.spare_mut();
        let memory = used.input.capacity();
        assert!(memory > 0 && put_back(used).is_none());
        for without_memory in [take_with(4 << 10), Box::default()] {
            let is_kept = without_memory.input.read_size() != Config::READ_SIZE;
            assert_eq!(put_back(without_memory).is_some(), is_kept);
        }
        assert_eq!(take_with(Config::READ_SIZE).input.capacity(), memory);
        assert_eq!(take().input.capacity(), 0, "there was one");
    }
}
