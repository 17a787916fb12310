//! The state that the object, its threads and its [`Events`](super::Events) share.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::state::{Runner, State};
use super::wake::Wake;
use crate::net::CancelConnect;
use crate::net::lock::{lock, wait};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) url: String,
    /// How long dropping the object may block.
    pub(super) drop_timeout: Duration,
    /// Tells the program's event loop that a task waits, if the program has one.
    pub(super) wake: Option<Wake>,
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
        wake: Option<Wake>,
    ) -> Self {
        let state = State::new(
            backlog,
            cancel,
            if wake.is_some() { Runner::Program } else { Runner::Background },
        );
        Self {
            url,
            drop_timeout,
            wake,
            state: Mutex::new(state),
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
