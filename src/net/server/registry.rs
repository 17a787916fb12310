//! The connections of a server, and how they are ended.

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

/// How long to wait when the operating system has run out of a resource.
pub(super) const RETRY: Duration = Duration::from_millis(20);
/// How long to try to interrupt `accept`.
const WAKE_TIME: Duration = Duration::from_secs(2);

impl ServerHandle {
    /// Stops accepting clients, closes each connection with 1001 after its accepted messages, and
    /// lets [`Server::run`](super::Server::run) return when all have ended. A client whose request
    /// has not completely arrived is not served. This method returns at once.
    ///
    /// Messages that the handlers send afterwards are refused with
    /// [`SendError::Closed`](crate::SendError::Closed). If messages accepted before cannot be
    /// written, because a client does not read,
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

    /// Interrupts `accept` by connecting to the listener.
    fn wake_accept(&self) {
        let until = Instant::now().checked_add(WAKE_TIME);
        while TcpStream::connect_timeout(&reachable(self.address), WAKE_TIME).is_err() {
            // For example no descriptors: connections that end now free some.
            if until.is_none_or(|until| Instant::now() >= until) || !self.lock().accepting {
                return;
            }
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

/// Frees the connection's place, even if its thread panics.
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

/// An address at which this machine can reach the listener.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
