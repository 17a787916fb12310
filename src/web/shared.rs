//! The state that the object, its threads and its [`Events`](super::Events) share.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::state::State;
use crate::net::CancelConnect;
use crate::net::lock::{lock, wait};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) url: String,
    /// How long dropping the object may block.
    pub(super) drop_timeout: Duration,
    state: Mutex<State>,
    threads: Mutex<Threads>,
    /// Notified when anything in the state changes that a thread may wait for.
    changed: Condvar,
}

/// The two threads of the object. The split has one of its own, which ends with its halves.
#[derive(Debug, Default)]
pub(super) struct Threads {
    /// Connects and reads.
    pub(super) network: Option<JoinHandle<()>>,
    /// Runs handlers. A handler that is set after the end of this thread starts another one.
    pub(super) dispatcher: Option<JoinHandle<()>>,
}

pub(super) type Locked<'a> = MutexGuard<'a, State>;

impl Shared {
    pub(super) fn new(
        url: String,
        drop_timeout: Duration,
        backlog: usize,
        cancel: CancelConnect,
    ) -> Self {
        Self {
            url,
            drop_timeout,
            state: Mutex::new(State::new(backlog, cancel)),
            threads: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        lock(&self.state)
    }

    pub(super) fn threads(&self) -> MutexGuard<'_, Threads> {
        lock(&self.threads)
    }

    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits for a change, until `until` at most.
    pub(super) fn wait<'a>(&self, state: Locked<'a>, until: Option<Instant>) -> Locked<'a> {
        wait(&self.changed, state, until)
    }
}
