//! One waker for all tasks that hold a half of a connection.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::sync::{Mutex, MutexGuard, PoisonError};

/// The tasks that wait for the connection. A transport and a timer keep one waker each, so both are
/// polled with one that wakes all. The list has a lock of its own, because a runtime may wake from
/// inside a poll.
#[derive(Debug, Default)]
pub(super) struct Wakers(Mutex<Vec<Waker>>);

impl Wakers {
    /// Adds the task of `cx`, until the next wake.
    pub(super) fn register(&self, cx: &Context<'_>) {
        let mut wakers = self.lock();
        if !wakers.iter().any(|it| it.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
    }

    /// Wakes all tasks that wait now. One that is woken may run and wait again before the next is
    /// woken, so they are taken from the front, and no more than there were.
    pub(super) fn wake_all(&self) {
        let mut wakers = self.lock();
        for _ in 0..wakers.len() {
            if wakers.is_empty() {
                return;
            }
            let waker = wakers.remove(0);
            drop(wakers);
            waker.wake();
            wakers = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
