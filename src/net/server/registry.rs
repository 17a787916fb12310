//! The connections of a server, and how they are ended.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::options::Options;
use crate::CloseCode;
use crate::net::Stream;
use crate::net::linger::until;
use crate::net::lock::{lock, wait};
use crate::net::slot::Slot;

/// Stops a [`Server`](super::Server) from another thread.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: SocketAddr,
    state: Mutex<Registry>,
    /// Notified when a connection ends and when the server shuts down.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Registry {
    slots: Vec<Arc<Slot>>,
    /// Connections in their handshake and of refused clients, each with its start, the oldest
    /// first.
    pending: VecDeque<(Instant, Arc<Slot>)>,
    /// Whether the server's thread may wait for a client.
    accepting: bool,
    shutting_down: bool,
}

/// How long to wait when the operating system has run out of a resource.
pub(super) const RETRY: Duration = Duration::from_millis(20);
/// How long to try to interrupt `accept`.
const WAKE_TIME: Duration = Duration::from_secs(2);
/// How long a handshake keeps its place when another client needs it.
const UNDISTURBED: Duration = Duration::from_secs(1);

impl ServerHandle {
    /// Stops accepting clients, closes each connection with 1001 after its accepted messages, and
    /// lets [`Server::run`](super::Server::run) return when all have ended. A client whose request
    /// has not completely arrived is not served. This method returns at once.
    ///
    /// A split connection, and one that waits for its client, is closed at once. Another one learns
    /// of it at its next wait, or after its next send; then what it sends is refused with
    /// [`SendError::Closed`](crate::SendError::Closed). A handler that does neither within
    /// [`Timeouts::closing`](crate::Timeouts::closing) and a second is cut off, and its client sees
    /// 1006. If messages accepted before cannot be written, because a client does not read,
    /// [`WebSocket::buffered_amount`](crate::net::WebSocket::buffered_amount) and
    /// [`Writer::buffered_amount`](crate::net::Writer::buffered_amount) show it after the end of
    /// the connection.
    pub fn shutdown(&self) {
        let slots = {
            let mut registry = self.shared.lock();
            registry.shutting_down = true;
            registry.slots.clone()
        };
        self.shared.changed.notify_all();
        for slot in slots {
            slot.close(CloseCode::GOING_AWAY);
        }
        let shared = Arc::clone(&self.shared);
        // Connecting may take a while, for example if the backlog is full.
        let wake = thread::Builder::new().name("sansock-shutdown".into());
        if wake.spawn(move || shared.wake_accept()).is_err() {
            self.shared.wake_accept();
        }
    }

    /// Returns how many connections there are, those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().slots.len()
    }

    /// Returns the address that the server listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }
}

impl Shared {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
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
    pub(super) fn register(self: &Arc<Self>, stream: Stream) -> Option<Guard> {
        let slot = Arc::new(Slot::new(stream));
        let mut registry = self.lock();
        registry.accepting = false;
        if registry.shutting_down {
            return None;
        }
        registry.slots.push(Arc::clone(&slot));
        registry.pending.push_back((Instant::now(), Arc::clone(&slot)));
        Some(Guard { shared: Arc::clone(self), slot })
    }

    /// Interrupts `accept` by connecting to the listener.
    fn wake_accept(&self) {
        let until = Instant::now().checked_add(WAKE_TIME);
        while self.lock().accepting && until.is_some_and(|until| Instant::now() < until) {
            if TcpStream::connect_timeout(&reachable(self.address), WAKE_TIME).is_ok() {
                return;
            }
            // For example no descriptors: connections that end now free some.
            thread::sleep(RETRY);
        }
    }

    /// Waits for the connections to end. The peers have the time of the closing handshake; then the
    /// transports are aborted.
    pub(super) fn close_all(&self, options: &Options) {
        self.lock().accepting = false;
        self.wait_until_empty(until(&options.ending()));
        for slot in &self.lock().slots {
            let _ = slot.stream().get_ref().shutdown(Shutdown::Both);
        }
        let a_second = Instant::now().checked_add(Duration::from_secs(1));
        self.wait_until_empty(a_second.unwrap_or_else(Instant::now));
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
