//! The connections of a server, and how they are ended.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::options::Options;
use crate::counts::{CountedClient, Counters};
use crate::drain::{Drain, DrainReport};
use crate::handshake::Rejection;
use crate::net::Stream;
use crate::net::linger::until;
use crate::net::lock::{lock, wait};
use crate::net::slot::Slot;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: SocketAddr,
    pub(super) counters: Arc<Counters>,
    state: Mutex<Registry>,
    /// Notified when a connection begins or ends, and when the server drains or shuts down.
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) slots: Vec<Arc<Slot>>,
    /// Connections in their handshake and of refused clients, each with its start, the oldest
    /// first.
    pending: VecDeque<(Instant, Arc<Slot>)>,
    /// Whether the server's thread may wait for a client.
    accepting: bool,
    /// Whether no more clients are accepted.
    pub(super) shutting_down: bool,
    /// Set at the start of a drain or a shutdown.
    pub(super) drain: Option<Draining>,
}

/// The end of a server, once it has begun.
#[derive(Debug)]
pub(super) struct Draining {
    pub(super) settings: Drain,
    pub(super) progress: Progress,
    pub(super) report: DrainReport,
}

/// How far the end of a server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Everything goes on; only the health check fails.
    Grace,
    /// Requests for WebSocket are refused, and connections are told to close.
    Closing,
    /// All were told, or a shutdown has taken over.
    Told,
    /// The deadline has passed, and what was open was cut off.
    CutOff,
}

/// How long to wait when the operating system has run out of a resource.
pub(super) const RETRY: Duration = Duration::from_millis(20);
/// How long one attempt to interrupt `accept` may take.
const WAKE_TIME: Duration = Duration::from_secs(2);
/// The longest time between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long a handshake keeps its place when another client needs it.
const UNDISTURBED: Duration = Duration::from_secs(1);

impl Shared {
    pub(super) fn new(address: SocketAddr) -> Self {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Self { address, counters: Arc::default(), state, changed }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Registry> {
        lock(&self.state)
    }

    /// Waits for a free place; `false` if the server shuts down. If there is none, the oldest
    /// handshake gives its place once it has had a second: otherwise clients that never finish it
    /// could keep all others out.
    pub(super) fn wait_for_room(&self, connections: usize, handshakes: usize) -> bool {
        let mut registry = self.lock();
        registry.accepting = false;
        while !registry.shutting_down {
            if registry.slots.len() < connections && registry.pending.len() < handshakes {
                registry.accepting = true;
                return true;
            }
            let until = registry.displace(Instant::now());
            registry = wait(&self.changed, registry, until);
        }
        false
    }

    pub(super) fn pause(&self, time: Duration) {
        drop(self.changed.wait_timeout(self.lock(), time));
    }

    /// `None` if the server shuts down.
    pub(super) fn register(self: &Arc<Self>, mut stream: Stream) -> Option<Guard> {
        let mut registry = self.lock();
        registry.accepting = false;
        if registry.shutting_down {
            return None;
        }
        stream.count(&self.counters);
        let slot = Arc::new(Slot::new(stream, CountedClient::new(&self.counters)));
        registry.slots.push(Arc::clone(&slot));
        registry.pending.push_back((Instant::now(), Arc::clone(&slot)));
        Some(Guard { shared: Arc::clone(self), slot })
    }

    /// Runs `work` on a thread of its own, or, if the system has none, on this one.
    pub(super) fn on_a_thread(
        self: &Arc<Self>,
        name: &str,
        work: impl Fn(&Arc<Self>) + Clone + Send + 'static,
    ) {
        let (shared, there) = (Arc::clone(self), work.clone());
        if thread::Builder::new().name(name.into()).spawn(move || there(&shared)).is_err() {
            work(self);
        }
    }

    /// Interrupts `accept`, on a thread of its own: connecting may take a while, for example if the
    /// backlog is full.
    pub(super) fn start_waking(self: &Arc<Self>) {
        self.on_a_thread("sansock-shutdown", |shared| shared.wake_accept());
    }

    /// Interrupts `accept` by connecting to the listener, until it has succeeded: with
    /// `SO_REUSEPORT` another program may get the connection.
    fn wake_accept(&self) {
        let mut pause = RETRY;
        while self.lock().accepting {
            // It may fail, for example without descriptors: connections that end now free some.
            drop(TcpStream::connect_timeout(&reachable(self.address), WAKE_TIME));
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Waits for the connections to end. The peers have the time of the closing handshake; then the
    /// transports are aborted.
    pub(super) fn close_all(&self, options: &Options) {
        self.lock().accepting = false;
        if self.wait_until_told() != Some(Progress::CutOff) {
            self.wait_until_empty(until(&options.ending()));
            self.lock().cut_off();
        }
        let a_second = Instant::now().checked_add(Duration::from_secs(1));
        self.wait_until_empty(a_second.unwrap_or_else(Instant::now));
    }

    /// Waits until a drain that has begun has told every connection to close.
    fn wait_until_told(&self) -> Option<Progress> {
        let mut registry = self.lock();
        loop {
            let progress = registry.drain.as_ref().map(|drain| drain.progress);
            if !matches!(progress, Some(Progress::Grace | Progress::Closing)) {
                return progress;
            }
            registry = wait(&self.changed, registry, None);
        }
    }

    fn wait_until_empty(&self, until: Instant) {
        let mut registry = self.lock();
        while !registry.slots.is_empty() {
            if Instant::now() >= until {
                return;
            }
            registry = wait(&self.changed, registry, Some(until));
        }
    }
}

impl Registry {
    /// The connections of clients that were accepted, and that were not cut off.
    pub(super) fn connections(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.slots.iter().filter(|slot| slot.is_connection())
    }

    /// Ends every transport at once.
    pub(super) fn cut_off(&mut self) {
        if let Some(drain) = &mut self.drain {
            let open = self.slots.iter().filter(|slot| slot.is_connection()).count();
            drain.report.forced = drain.report.forced.saturating_add(open);
        }
        for slot in &self.slots {
            slot.cut_off();
        }
    }

    /// Ends the oldest pending connection if it has had its time. Returns when to look again.
    fn displace(&mut self, now: Instant) -> Option<Instant> {
        let ends = self.pending.front()?.0.checked_add(UNDISTURBED)?;
        if ends > now {
            return Some(ends);
        }
        if let Some((_, slot)) = self.pending.pop_front() {
            slot.displace();
        }
        // Its thread frees the place in a moment.
        now.checked_add(RETRY)
    }

    fn is_pending(&self, slot: &Arc<Slot>) -> bool {
        self.pending.iter().any(|(_, pending)| Arc::ptr_eq(pending, slot))
    }

    fn remove_pending(&mut self, slot: &Arc<Slot>) {
        self.pending.retain(|(_, pending)| !Arc::ptr_eq(pending, slot));
    }
}

/// Frees the connection's place, even if its thread panics.
#[derive(Debug)]
pub(super) struct Guard {
    shared: Arc<Shared>,
    pub(super) slot: Arc<Slot>,
}

impl Guard {
    /// Records that the client's request has arrived; `false` if its place was given to another
    /// client.
    pub(super) fn opened(&self) -> bool {
        let mut registry = self.shared.lock();
        let has_place = registry.is_pending(&self.slot);
        registry.remove_pending(&self.slot);
        drop(registry);
        self.shared.changed.notify_all();
        has_place
    }

    /// Returns the response to a client that is not served, because the server drains or its slot
    /// was told to close (`goes_on`).
    pub(super) fn refusal(&self, goes_on: bool, is_websocket: bool) -> Option<Rejection> {
        let mut registry = self.shared.lock();
        let drain = registry.drain.as_mut()?;
        if goes_on && !(is_websocket && drain.progress != Progress::Grace) {
            return None;
        }
        drain.report.refused = drain.report.refused.saturating_add(usize::from(is_websocket));
        Some(drain.settings.rejection())
    }

    /// Whether the client's handshake has not yet given its place to another client.
    pub(super) fn has_place(&self) -> bool {
        self.shared.lock().is_pending(&self.slot)
    }

    /// Records that the client was refused and only its end is awaited.
    pub(super) fn refused(&self) {
        let mut registry = self.shared.lock();
        if !registry.is_pending(&self.slot) {
            registry.pending.push_back((Instant::now(), Arc::clone(&self.slot)));
            drop(registry);
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut registry = self.shared.lock();
        registry.slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        if self.slot.is_connection()
            && let Some(drain) = &mut registry.drain
        {
            drain.report.count(self.slot.was_told(), self.slot.was_clean());
        }
        self.slot.count_end();
        registry.remove_pending(&self.slot);
        drop(registry);
        self.shared.changed.notify_all();
    }
}

/// An address at which this machine can reach the listener.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
