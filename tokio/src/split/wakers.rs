//! One waker for all tasks that hold a half of a connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

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

    /// Wakes all tasks that wait.
    pub(super) fn wake_all(&self) {
        let mut wakers = self.lock();
        // Usually there is one, and its memory stays for the next time.
        while let Some(waker) = wakers.pop() {
            if wakers.is_empty() {
                drop(wakers);
                return waker.wake();
            }
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
