//! One connection attempt at a time to a host and port.
//!
//! "If the client already has a WebSocket connection to the remote host (IP address) identified by
//! /host/ and port /port/ pair, even if the remote host is known by another name, the client MUST
//! wait until that connection has been established or for that connection to have failed. There
//! MUST be no more than one connection in a CONNECTING state." (RFC 6455, 4.1) "If the client cannot
//! determine the IP address of the remote host [...], then the client MUST assume for the purposes
//! of this step that each host name refers to a distinct remote host".

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex};

use crate::net::lock::{lock, wait};

type Key = (String, u16);

/// All attempts of the process.
#[derive(Default)]
struct Turns {
    /// Those for each host and port, in the order in which they came; the first one has its turn.
    waiting: BTreeMap<Key, VecDeque<u64>>,
    last: u64,
}

static TURNS: Mutex<Turns> = Mutex::new(Turns { waiting: BTreeMap::new(), last: 0 });
/// Notified when a turn ends, and when an attempt was cancelled.
static CHANGED: Condvar = Condvar::new();

/// The turn of one attempt, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    key: Key,
    number: u64,
}

impl Turn {
    /// Waits for the turn to connect to this host and port. `None` if the attempt was cancelled;
    /// the code that cancels it must then call [`wake`].
    pub(super) fn wait(host: &str, port: u16, is_cancelled: impl Fn() -> bool) -> Option<Self> {
        let key = (host.to_owned(), port);
        let mut turns = lock(&TURNS);
        turns.last = turns.last.wrapping_add(1);
        let number = turns.last;
        turns.waiting.entry(key.clone()).or_default().push_back(number);
        loop {
            if is_cancelled() {
                drop(turns);
                drop(Self { key, number });
                return None;
            }
            let first = turns.waiting.get(&key).and_then(VecDeque::front);
            if first == Some(&number) {
                return Some(Self { key, number });
            }
            turns = wait(&CHANGED, turns, None);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = lock(&TURNS);
        if let Some(waiting) = turns.waiting.get_mut(&self.key) {
            waiting.retain(|number| *number != self.number);
            if waiting.is_empty() {
                turns.waiting.remove(&self.key);
            }
        }
        drop(turns);
        CHANGED.notify_all();
    }
}

/// Wakes the attempts that wait, after one of them was cancelled.
pub(super) fn wake() {
    // Under the lock, or an attempt that has just looked would miss it.
    let _turns = lock(&TURNS);
    CHANGED.notify_all();
}
