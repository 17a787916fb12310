//! Which connections of an event loop have something to send.

use std::fmt;
use std::mem;
use std::sync::Arc;

use super::budget::Budget;
use super::subscriber::Subscriber;
use super::sync::{Mutex, lock};

/// The tokens of an event loop's connections that have something to send. Clones are the same list.
///
/// A token is listed once until the inbox of its subscriber was empty.
pub struct Ready<T>(Arc<List<T>>);

struct List<T> {
    tokens: Mutex<Vec<T>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl<T: Clone + Send + Sync + 'static> Ready<T> {
    /// Creates an empty list. `wake` is called when it gets its first token, on the thread that
    /// publishes: it wakes the loop, if that may be another thread.
    #[must_use]
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(List { tokens: Mutex::new(Vec::new()), wake: Box::new(wake) }))
    }

    /// Creates the inbox of the connection with this token.
    #[must_use]
    pub fn subscriber(&self, token: T, budget: Budget) -> Subscriber {
        let list = Arc::clone(&self.0);
        Subscriber::new(budget, move || {
            let mut tokens = lock(&list.tokens);
            let is_first = tokens.is_empty();
            tokens.push(token.clone());
            drop(tokens);
            if is_first {
                (list.wake)();
            }
        })
    }

    /// Takes the tokens out, in place of what `tokens` holds. A loop uses the same `Vec` each time,
    /// and then nothing is allocated.
    pub fn take(&self, tokens: &mut Vec<T>) {
        tokens.clear();
        mem::swap(tokens, &mut lock(&self.0.tokens));
    }
}

impl<T> Clone for Ready<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Ready<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("waiting", &lock(&self.0.tokens).len()).finish()
    }
}
