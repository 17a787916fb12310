//! The locks and counters of the halves. With `--cfg shuttle` they are shuttle's, which decides
//! which task goes on at each of them: `tests/schedules/halves.rs`.

#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicUsize, Ordering};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
