//! The connections of a server, and what ends them.

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
    /// Whether the server's thread may wait for a client.
    accepting: bool,
    shutting_down: bool,
}

/// How long to wait when the operating system has run out of something.
pub(super) const RETRY: Duration = Duration::from_millis(20);
/// For how long to try to end the wait of `accept`.
const WAKE_TIME: Duration = Duration::from_secs(2);

impl ServerHandle {
    /// Accepts no more, closes each connection with 1001, behind what was accepted for sending on
    /// it, and lets [`Server::run`](super::Server::run) return when they have ended. A client whose
    /// request has not arrived as a whole is not served. It does not wait for any of that.
    ///
    /// What the handlers send afterwards is refused with
    /// [`SendError::Closed`](crate::SendError::Closed). What was accepted before and cannot be
    /// written, because a client does not read, each handler finds when its connection is over:
    /// [`WebSocket::buffered_amount`](crate::net::WebSocket::buffered_amount),
    /// [`Writer::buffered_amount`](crate::net::Writer::buffered_amount).
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
        self.shared.wake_accept();
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

    /// `false` if the server shuts down.
    pub(super) fn wait_for_room(&self, connections: usize) -> bool {
        let mut registry = self.lock();
        while registry.slots.len() >= connections && !registry.shutting_down {
            registry = wait(&self.changed, registry, None);
        }
        registry.accepting = !registry.shutting_down;
        registry.accepting
    }

    pub(super) fn pause(&self, time: Duration) {
        drop(self.changed.wait_timeout(self.lock(), time));
    }

    /// `None` if the server shuts down.
    pub(super) fn register(self: &Arc<Self>, stream: Stream) -> Option<Guard> {
        let slot = Arc::new(Slot::new(stream));
        let mut registry = self.lock();
        if registry.shutting_down {
            return None;
        }
        registry.slots.push(Arc::clone(&slot));
        Some(Guard { shared: Arc::clone(self), slot })
    }

    /// Ends the wait of `accept` with a connection.
    fn wake_accept(&self) {
        let until = Instant::now().checked_add(WAKE_TIME);
        while TcpStream::connect_timeout(&reachable(self.address), WAKE_TIME).is_err() {
            // No descriptors, for one: the connections that end now give some back.
            if until.is_none_or(|until| Instant::now() >= until) || !self.lock().accepting {
                return;
            }
            thread::sleep(RETRY);
        }
    }

    /// Waits for the connections to end: the peers have the time of the closing handshake, and then
    /// their transports are ended.
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

/// Frees the connection's place, however its thread ends.
#[derive(Debug)]
pub(super) struct Guard {
    shared: Arc<Shared>,
    pub(super) slot: Arc<Slot>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.lock().slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        self.shared.changed.notify_all();
    }
}

/// Where the listener can be reached from this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
