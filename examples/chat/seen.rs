//! Which messages were stored already, so that one that is sent again is not stored twice.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::log::Id;
use crate::place::Client;

/// How many keys of a client are remembered.
pub(crate) const MAX_KEYS: usize = 64;
/// How many clients of a room are remembered. With more, the one that was silent for longest is
/// forgotten.
const MAX_CLIENTS: usize = 10_000;

/// The keys of the messages that a room's clients have stored.
pub(crate) struct Seen {
    clients: BTreeMap<Client, Keys>,
    /// How long after its last message a client is remembered.
    keep: Duration,
    /// When to look for clients that may be forgotten.
    next_sweep: Instant,
}

struct Keys {
    newest: VecDeque<(String, Id)>,
    stored: Instant,
}

impl Seen {
    pub(crate) fn new(keep: Duration) -> Self {
        Self { clients: BTreeMap::new(), keep, next_sweep: Instant::now() }
    }

    /// Returns the id of the message that this client has stored with this key.
    pub(crate) fn find(&self, client: &Client, key: &str, now: Instant) -> Option<Id> {
        let keys = self.clients.get(client).filter(|keys| keys.stored + self.keep > now)?;
        keys.newest.iter().find(|(seen, _)| seen == key).map(|(_, id)| *id)
    }

    pub(crate) fn insert(&mut self, client: &Client, key: String, id: Id, now: Instant) {
        self.sweep(now);
        let keys = self
            .clients
            .entry(client.clone())
            .or_insert_with(|| Keys { newest: VecDeque::new(), stored: now });
        keys.stored = now;
        keys.newest.push_back((key, id));
        if keys.newest.len() > MAX_KEYS {
            keys.newest.pop_front();
        }
        if self.clients.len() > MAX_CLIENTS {
            let silent = self.clients.iter().min_by_key(|(_, keys)| keys.stored);
            if let Some(client) = silent.map(|(client, _)| client.clone()) {
                self.clients.remove(&client);
            }
        }
    }

    fn sweep(&mut self, now: Instant) {
        if now >= self.next_sweep {
            self.next_sweep = now + self.keep / 8;
            self.clients.retain(|_, keys| keys.stored + self.keep > now);
        }
    }
}
