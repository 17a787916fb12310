//! The buffers that idle connections do not hold: a pool for each thread, so without a lock.

use std::cell::RefCell;

use sansock::buffer::{BufferPool, Buffers};

/// How many pairs of buffers a thread keeps.
const KEPT: usize = 64;

thread_local! {
    static POOL: RefCell<BufferPool> = const { RefCell::new(BufferPool::new(KEPT)) };
}

/// Returns empty buffers.
pub(crate) fn take() -> Box<Buffers> {
    POOL.with_borrow_mut(BufferPool::take)
}

/// Takes idle buffers back; others are returned.
pub(crate) fn put_back(buffers: Box<Buffers>) -> Option<Box<Buffers>> {
    POOL.with_borrow_mut(|pool| pool.put_back(buffers))
}
