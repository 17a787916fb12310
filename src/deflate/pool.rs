//! A pool of contexts that no connection needs at the moment.

use std::sync::{Mutex, PoisonError};

/// Contexts that all connections of the program share between messages. A connection without
/// context takeover takes one for a message and returns it afterwards.
pub(super) struct Pool<T>(Mutex<Vec<Box<T>>>);

impl<T> Pool<T> {
    /// The largest number of idle contexts: on most machines no more threads compress at the same
    /// time.
    const MOST: usize = 16;

    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Takes the most recently used context that is suitable: it may still be in the cache.
    pub(super) fn take(&self, will_do: impl Fn(&T) -> bool) -> Option<Box<T>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().rposition(|context| will_do(context))?;
        Some(idle.remove(at))
    }

    /// Puts back a context that was reset. Above [`MOST`](Self::MOST) the oldest is dropped.
    pub(super) fn give(&self, context: Box<T>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (idle.len() >= Self::MOST).then(|| idle.remove(0));
        let room = Self::MOST.saturating_sub(idle.len());
        idle.reserve_exact(room);
        idle.push(context);
        drop(idle);
        drop(oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_what_was_used_last_and_will_do() {
        let pool = Pool::new();
        assert_eq!(pool.take(|_| true), None);
        (1..5).for_each(|it| pool.give(Box::new(it)));
        assert_eq!(pool.take(|it| it % 2 == 1), Some(Box::new(3)));
        assert_eq!(pool.take(|_| true), Some(Box::new(4)));
        assert_eq!(pool.take(|it| it % 2 == 1), Some(Box::new(1)));
        assert_eq!(pool.take(|it| it % 2 == 1), None);
    }

    #[test]
    fn holds_so_many_and_forgets_the_oldest() {
        let pool = Pool::new();
        (0..100).for_each(|it| pool.give(Box::new(it)));
        for it in (100 - Pool::<i32>::MOST..100).rev() {
            assert_eq!(pool.take(|_| true).map(|it| usize::try_from(*it).unwrap()), Some(it));
        }
        assert_eq!(pool.take(|_| true), None);
    }
}
