//! The locks of a hub. With `--cfg shuttle` they are shuttle's, which decides which thread goes on at
//! each of them: `tests/schedules/hubs.rs`.

#[cfg(shuttle)]
use shuttle::sync::PoisonError;
#[cfg(shuttle)]
pub(super) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
use std::sync::PoisonError;
#[cfg(not(shuttle))]
pub(super) use std::sync::{Mutex, MutexGuard};

/// Locks the mutex, poisoned or not: what it guards is consistent whenever code that can panic runs.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
