//! Locks that ignore poisoning.
//!
//! A thread that panics while it holds a mutex poisons it. The data behind this crate's locks are
//! consistent whenever code that can panic runs, so they are used as they are.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Locks the mutex, poisoned or not.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notification, at most until `until`. It may return earlier without one, as
/// [`Condvar`] does.
pub(crate) fn wait<'m, T>(
    changed: &Condvar,
    guard: MutexGuard<'m, T>,
    until: Option<Instant>,
) -> MutexGuard<'m, T> {
    match until {
        None => changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(until) => {
            let left = until.saturating_duration_since(Instant::now());
            changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_poisoned_mutex_is_used_as_it_is() {
        let mutex = Arc::new(Mutex::new(1));
        let shared = Arc::clone(&mutex);
        let thread = thread::spawn(move || {
            let mut number = shared.lock().unwrap();
            *number = 2;
            panic!("while it is held");
        });
        assert!(thread.join().is_err() && mutex.is_poisoned());
        assert_eq!(*lock(&mutex), 2);
        let now = Instant::now();
        let until = now + Duration::from_millis(20);
        assert_eq!(*wait(&Condvar::new(), lock(&mutex), Some(now)), 2);
        assert_eq!(*wait(&Condvar::new(), lock(&mutex), Some(until)), 2);
    }
}
