//! The locks and counters of the halves. With `--cfg sansock_schedules` they are shuttle's, which decides
//! which task goes on at each of them: `tests/schedules/halves.rs`.

#[cfg(sansock_schedules)]
pub(crate) use shuttle::sync::atomic::{AtomicUsize, Ordering};
#[cfg(sansock_schedules)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(not(sansock_schedules))]
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(sansock_schedules))]
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
