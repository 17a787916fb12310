//! The locks of a hub. With `--cfg sansock_schedules` they are shuttle's, which decides which thread goes on at
//! each of them: `tests/schedules/hubs.rs`.

#[cfg(sansock_schedules)]
use shuttle::sync::PoisonError;
#[cfg(sansock_schedules)]
pub(super) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(sansock_schedules))]
use std::sync::PoisonError;
#[cfg(not(sansock_schedules))]
pub(super) use std::sync::{Mutex, MutexGuard};

/// Locks the mutex, poisoned or not: what it guards is consistent whenever code that can panic runs.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
