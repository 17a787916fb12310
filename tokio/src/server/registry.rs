//! The places of connections that end together.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant as StdInstant};

use sansock::CloseCode;
use sansock::counts::{Counters, Refusal};
use sansock::drain::{Drain, DrainReport};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::entries::{Entries, Entry};
use super::slot::{Closing, Slot};
use super::timer::{Tick, Timed, Timer};
use super::timers::Timers;
use crate::clock::now;

pub(super) struct Registry {
    pub(super) counters: Arc<Counters>,
    /// From here the timers count.
    pub(super) base: StdInstant,
    places: Mutex<Places>,
    /// Notified when a connection begins or ends, and when the connections drain or shut down.
    pub(super) changed: Notify,
}

#[derive(Default)]
pub(super) struct Places {
    pub(super) all: Entries,
    /// Those in their handshake, each with its start, the oldest first.
    pending: VecDeque<(Instant, u32)>,
    pub(super) timers: Timers,
    /// The code of the shutdown.
    pub(super) shutdown: Option<CloseCode>,
    /// Set at the start of a drain or a shutdown.
    pub(super) drain: Option<Draining>,
}

/// The end of a server, once it has begun.
pub(super) struct Draining {
    pub(super) settings: Drain,
    pub(super) progress: Progress,
    pub(super) report: DrainReport,
}

/// How far the end of a server has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Everything goes on; only the health check fails.
    Grace,
    /// Requests for WebSocket are refused, and connections are told to close.
    Closing,
    /// All were told, or cut off.
    Told,
}

/// How long a handshake keeps its place when another client needs it.
const UNDISTURBED: Duration = Duration::from_secs(1);
/// How long to wait when the operating system has run out of a resource, or a place is about to
/// become free.
pub(super) const RETRY: Duration = Duration::from_millis(20);

impl Default for Registry {
    fn default() -> Self {
        let counters = Arc::default();
        Self { counters, base: now(), places: Mutex::default(), changed: Notify::new() }
    }
}

impl Registry {
    pub(super) fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks every connection to close, those too that begin later. Without a code it takes that of
    /// a drain, or 1001.
    pub(super) fn shutdown(&self, code: Option<CloseCode>) {
        let (slots, code) = {
            let mut places = self.lock();
            let drain = places.begin_drain(Drain::new());
            drain.progress = Progress::Told;
            let code = code.unwrap_or(drain.settings.code);
            places.shutdown = Some(code);
            let slots: Vec<_> = places.all.iter().map(|entry| Arc::clone(&entry.slot)).collect();
            (slots, code)
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
                if all.stops() {
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

    /// Is done when no more clients are to be accepted.
    pub(super) async fn shutdown_started(&self) {
        self.wait_until(Places::stops).await;
    }

    /// Is done when a drain that has begun has told every connection to close.
    pub(super) async fn told(&self) {
        let is_told = |drain: &Draining| drain.progress == Progress::Told;
        self.wait_until(|places| places.drain.as_ref().is_none_or(is_told)).await;
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
    pub(super) fn register<S>(self: &Arc<Self>) -> Guard<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let guard = {
            let mut places = self.lock();
            let guard = places.insert(self);
            if let Some(code) = places.shutdown {
                guard.close(code);
            }
            guard
        };
        self.changed.notify_waiters();
        guard
    }

    /// Gives a connection its place, in which it begins its handshake; `None` after the shutdown.
    pub(super) fn register_handshake<S>(self: &Arc<Self>) -> Option<Guard<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut places = self.lock();
        if places.stops() {
            return None;
        }
        let guard = places.insert(self);
        places.pending.push_back((Instant::now(), guard.number()));
        Some(guard)
    }

    /// Sets the task that serves the connection.
    pub(super) fn set_task(&self, slot: &dyn Closing, task: AbortHandle) {
        let mut places = self.lock();
        // It has ended, or was to be cut off before it was known.
        if slot.is_removed() {
            return task.abort();
        }
        if let Some(entry) = places.all.get_mut(slot.number()) {
            entry.task = Some(task);
        }
    }

    /// Sets the time at which the holder of a connection is to be woken; `false` if the connection
    /// needs a timer of its own.
    pub(super) fn set_timer(self: &Arc<Self>, timer: &Timer, number: u32, tick: Tick) -> bool {
        let is_to_be_moved = {
            let Places { timers, all, .. } = &mut *self.lock();
            timers.set(self, all, timer, number, tick)
        };
        if is_to_be_moved == Some(true) {
            self.wake_due();
        }
        is_to_be_moved.is_some()
    }

    /// Wakes the connections whose time has come.
    pub(super) fn wake_due(&self) {
        let due = {
            let Places { timers, all, .. } = &mut *self.lock();
            timers.advance(self.base, all)
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// Waits for the connections to end, for so long at most; then cuts them off.
    pub(super) async fn close_all(&self, limit: Duration) {
        // Unlike a sum, this takes a time beyond the clock.
        if tokio::time::timeout(limit, self.closed()).await.is_err() {
            let entries = self.lock().take_all();
            entries.into_iter().for_each(Entry::cut_off);
            self.changed.notify_waiters();
        }
    }
}

impl Places {
    /// Whether no more clients are accepted.
    fn stops(&self) -> bool {
        let closes = |drain: &Draining| {
            drain.progress == Progress::Closing && !drain.settings.keep_listening
        };
        self.shutdown.is_some() || self.drain.as_ref().is_some_and(closes)
    }

    /// Begins a drain, unless one has begun.
    pub(super) fn begin_drain(&mut self, settings: Drain) -> &mut Draining {
        let report = DrainReport::default();
        self.drain.get_or_insert(Draining { settings, progress: Progress::Grace, report })
    }

    /// The connections of clients that were accepted.
    pub(super) fn connections(&self) -> impl Iterator<Item = &Arc<dyn Closing>> {
        self.all.iter().map(|entry| &entry.slot).filter(|slot| slot.is_connection())
    }

    /// Takes out all that is to be cut off, and counts it.
    pub(super) fn take_all(&mut self) -> Vec<Entry> {
        let open = self.connections().count();
        if let Some(drain) = &mut self.drain {
            drain.report.forced = drain.report.forced.saturating_add(open);
        }
        let entries = self.all.take();
        self.pending.clear();
        for Entry { slot, .. } in &entries {
            slot.client().refuse(Refusal::Draining);
            slot.count_end();
            self.timers.forget(slot.timer(), Timed::Removed);
        }
        entries
    }

    /// Takes out a connection that has ended. If the program has it nevertheless, its task is to be
    /// woken: it needs a timer of its own now.
    fn remove(&mut self, ended: &dyn Closing) -> Option<Waker> {
        // Its number may be that of another by now.
        if ended.is_removed() {
            return None;
        }
        if let Some(drain) = self.drain.as_mut().filter(|_| ended.is_connection()) {
            drain.report.count(ended.was_told(), ended.was_clean());
        }
        ended.client().refuse(Refusal::Transport);
        self.set_opened(ended);
        ended.count_end();
        self.all.remove(ended.number());
        self.timers.forget(ended.timer(), Timed::Removed);
        ended.holder()
    }

    /// Records that the client's request has arrived.
    fn set_opened(&mut self, slot: &dyn Closing) {
        if !slot.is_removed() {
            self.pending.retain(|&(_, number)| number != slot.number());
        }
    }

    fn insert<S>(&mut self, registry: &Arc<Registry>) -> Guard<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let slot = Arc::new(Slot::new(Arc::clone(registry), self.all.take_number()));
        self.all.insert(Arc::<Slot<S>>::clone(&slot));
        Guard(slot)
    }

    /// Ends the oldest pending connection if it has had its time. Returns when to look again.
    fn displace(&mut self, now: Instant) -> Option<Instant> {
        let ends = self.pending.front()?.0 + UNDISTURBED;
        if ends > now {
            return Some(ends);
        }
        let (_, number) = self.pending.pop_front()?;
        if let Some(Entry { slot, task: Some(task) }) = self.all.get(number) {
            slot.client().refuse(Refusal::Displaced);
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
pub(super) struct Guard<S: AsyncRead + AsyncWrite + Unpin + Send>(pub(super) Arc<Slot<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Guard<S> {
    /// Records that the client's request has arrived.
    pub(super) fn opened(&self) {
        let registry = self.registry();
        registry.lock().set_opened(&*self.0);
        registry.changed.notify_waiters();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Deref for Guard<S> {
    type Target = Slot<S>;

    fn deref(&self) -> &Slot<S> {
        &self.0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Drop for Guard<S> {
    fn drop(&mut self) {
        let registry = self.registry();
        let holder = registry.lock().remove(&*self.0);
        holder.into_iter().for_each(Waker::wake);
        registry.changed.notify_waiters();
    }
}
