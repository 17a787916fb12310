//! The places of connections that end together.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sansock::CloseCode;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::slot::Closing;

#[derive(Default)]
pub(super) struct Registry {
    places: Mutex<Places>,
    /// Notified when a connection begins or ends, and at the shutdown.
    changed: Notify,
}

#[derive(Default)]
struct Places {
    all: BTreeMap<u64, Entry>,
    /// Those in their handshake, each with its start, the oldest first.
    pending: VecDeque<(Instant, u64)>,
    next: u64,
    /// The code of the shutdown.
    shutdown: Option<CloseCode>,
}

struct Entry {
    slot: Arc<dyn Closing>,
    task: Option<AbortHandle>,
}

/// How long a handshake keeps its place when another client needs it.
const UNDISTURBED: Duration = Duration::from_secs(1);
/// How long to wait when the operating system has run out of a resource, or a place is about to
/// become free.
pub(super) const RETRY: Duration = Duration::from_millis(20);

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks every connection to close, those too that begin later.
    pub(super) fn shutdown(&self, code: CloseCode) {
        let slots: Vec<_> = {
            let mut places = self.lock();
            places.shutdown = Some(code);
            places.all.values().map(|entry| Arc::clone(&entry.slot)).collect()
        };
        for slot in slots {
            slot.close(code);
        }
        self.changed.notify_waiters();
    }

    /// How many connections there are.
    pub(super) fn count(&self) -> usize {
        self.lock().all.len()
    }

    /// Waits for a free place; `false` if the server shuts down. If there is none, the oldest
    /// handshake gives its place once it has had a second: otherwise clients that never finish it
    /// could keep all others out.
    pub(super) async fn wait_for_room(&self, connections: usize, handshakes: usize) -> bool {
        loop {
            let changed = self.changed.notified();
            let again = {
                let mut all = self.lock();
                if all.shutdown.is_some() {
                    return false;
                }
                if all.all.len() < connections && all.pending.len() < handshakes {
                    return true;
                }
                all.displace(Instant::now())
            };
            match again {
                None => changed.await,
                Some(at) => drop(tokio::time::timeout_at(at, changed).await),
            }
        }
    }

    /// Is done when the connections are to close.
    pub(super) async fn shutdown_started(&self) {
        self.wait_until(|places| places.shutdown.is_some()).await;
    }

    /// Is done when there is a connection.
    pub(super) async fn opened(&self) {
        self.wait_until(|places| !places.all.is_empty()).await;
    }

    /// Is done when there is none.
    pub(super) async fn closed(&self) {
        self.wait_until(|places| places.all.is_empty()).await;
    }

    async fn wait_until(&self, condition: impl Fn(&Places) -> bool) {
        loop {
            let changed = self.changed.notified();
            if condition(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Gives a connection its place. After the shutdown it is asked to close at once.
    pub(super) fn register(self: &Arc<Self>, slot: Arc<dyn Closing>) -> Guard {
        let number = {
            let mut places = self.lock();
            if let Some(code) = places.shutdown {
                slot.close(code);
            }
            places.insert(slot)
        };
        self.changed.notify_waiters();
        Guard { registry: Arc::clone(self), number }
    }

    /// Gives a connection its place, in which it begins its handshake; `None` after the shutdown.
    pub(super) fn register_handshake(self: &Arc<Self>, slot: Arc<dyn Closing>) -> Option<Guard> {
        let mut places = self.lock();
        if places.shutdown.is_some() {
            return None;
        }
        let number = places.insert(slot);
        places.pending.push_back((Instant::now(), number));
        Some(Guard { registry: Arc::clone(self), number })
    }

    /// Sets the task that serves the connection.
    pub(super) fn set_task(&self, number: u64, task: AbortHandle) {
        match self.lock().all.get_mut(&number) {
            Some(entry) => entry.task = Some(task),
            // It has ended, or was to be cut off before it was known.
            None => task.abort(),
        }
    }

    /// Waits for the connections to end, until then at most; then cuts them off.
    pub(super) async fn close_all(&self, until: Instant) {
        if tokio::time::timeout_at(until, self.closed()).await.is_err() {
            let entries = std::mem::take(&mut self.lock().all);
            entries.into_values().filter_map(|entry| entry.task).for_each(|task| task.abort());
            self.changed.notify_waiters();
        }
    }
}

impl Places {
    fn insert(&mut self, slot: Arc<dyn Closing>) -> u64 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.all.insert(number, Entry { slot, task: None });
        number
    }

    /// Ends the oldest pending connection if it has had its time. Returns when to look again.
    fn displace(&mut self, now: Instant) -> Option<Instant> {
        let ends = self.pending.front()?.0 + UNDISTURBED;
        if ends > now {
            return Some(ends);
        }
        let (_, number) = self.pending.pop_front()?;
        if let Some(task) = self.all.get(&number).and_then(|entry| entry.task.as_ref()) {
            task.abort();
        }
        Some(now + RETRY)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// A connection's place, which is free when this is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    registry: Arc<Registry>,
    pub(super) number: u64,
}

impl Guard {
    /// Records that the client's request has arrived. `false` if the server shuts down.
    pub(super) fn opened(&self) -> bool {
        let mut places = self.registry.lock();
        places.pending.retain(|&(_, number)| number != self.number);
        let goes_on = places.shutdown.is_none();
        drop(places);
        self.registry.changed.notify_waiters();
        goes_on
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut places = self.registry.lock();
        places.all.remove(&self.number);
        places.pending.retain(|&(_, number)| number != self.number);
        drop(places);
        self.registry.changed.notify_waiters();
    }
}
