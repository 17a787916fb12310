//! The connections of a server, and how they are ended.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sansock::CloseCode;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::slot::Slot;
use crate::Stream;

/// Stops a [`Server`](crate::Server).
#[derive(Clone, Debug)]
pub struct ServerHandle {
    pub(super) registry: Arc<Registry>,
}

#[derive(Debug)]
pub(super) struct Registry {
    address: SocketAddr,
    connections: Mutex<Connections>,
    /// Notified when a connection ends and when the server shuts down.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Connections {
    all: BTreeMap<u64, Entry>,
    /// Those in their handshake, each with its start, the oldest first.
    pending: VecDeque<(Instant, u64)>,
    next: u64,
    /// The code with which the server shuts down.
    shutdown: Option<CloseCode>,
}

#[derive(Debug)]
struct Entry {
    slot: Arc<Slot<Stream>>,
    task: Option<AbortHandle>,
}

/// How long a handshake keeps its place when another client needs it.
const UNDISTURBED: Duration = Duration::from_secs(1);
/// How long to wait when the operating system has run out of a resource, or a place is about to
/// become free.
pub(super) const RETRY: Duration = Duration::from_millis(20);

impl ServerHandle {
    /// Stops accepting clients, closes each connection with 1001 after its accepted messages, and
    /// lets [`Server::run`](crate::Server::run) return when all have ended. Returns at once.
    ///
    /// A connection that waits for its client is closed at once; another one at its next wait or
    /// flush. One that does neither within [`Timeouts::closing`](sansock::Timeouts::closing) and a
    /// second is cut off.
    pub fn shutdown(&self) {
        self.shutdown_with(CloseCode::GOING_AWAY);
    }

    /// [`shutdown`](Self::shutdown) with another code, such as 1012 for a restart.
    pub fn shutdown_with(&self, code: CloseCode) {
        let slots: Vec<_> = {
            let mut connections = self.registry.lock();
            connections.shutdown = Some(code);
            connections.all.values().map(|entry| Arc::clone(&entry.slot)).collect()
        };
        for slot in slots {
            slot.close(code);
        }
        self.registry.changed.notify_waiters();
    }

    /// Returns how many connections there are, those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.lock().all.len()
    }

    /// Returns the address that the server listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.registry.address
    }
}

impl Registry {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, connections: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Is done when the server shuts down.
    pub(super) async fn shut_down(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().shutdown.is_some() {
                return;
            }
            changed.await;
        }
    }

    /// Gives a connection its place; `None` if the server shuts down.
    pub(super) fn register(self: &Arc<Self>, slot: &Arc<Slot<Stream>>) -> Option<Guard> {
        let mut connections = self.lock();
        if connections.shutdown.is_some() {
            return None;
        }
        let number = connections.next;
        connections.next = number.wrapping_add(1);
        connections.all.insert(number, Entry { slot: Arc::clone(slot), task: None });
        connections.pending.push_back((Instant::now(), number));
        Some(Guard { registry: Arc::clone(self), number })
    }

    /// Sets the task that serves the connection.
    pub(super) fn set_task(&self, number: u64, task: AbortHandle) {
        if let Some(entry) = self.lock().all.get_mut(&number) {
            entry.task = Some(task);
        }
    }

    /// Waits for the connections to end, until then at most; then cuts them off.
    pub(super) async fn close_all(&self, until: Instant) {
        let ended = async {
            loop {
                let changed = self.changed.notified();
                if self.lock().all.is_empty() {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout_at(until, ended).await.is_err() {
            let entries = std::mem::take(&mut self.lock().all);
            entries.into_values().filter_map(|entry| entry.task).for_each(|task| task.abort());
        }
    }
}

impl Connections {
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

/// A connection's place, which is free when this is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    registry: Arc<Registry>,
    pub(super) number: u64,
}

impl Guard {
    /// Records that the client's request has arrived. `false` if the server shuts down.
    pub(super) fn opened(&self) -> bool {
        let mut connections = self.registry.lock();
        connections.pending.retain(|&(_, number)| number != self.number);
        let goes_on = connections.shutdown.is_none();
        drop(connections);
        self.registry.changed.notify_waiters();
        goes_on
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut connections = self.registry.lock();
        connections.all.remove(&self.number);
        connections.pending.retain(|&(_, number)| number != self.number);
        drop(connections);
        self.registry.changed.notify_waiters();
    }
}
