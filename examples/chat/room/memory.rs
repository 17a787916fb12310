//! A room in this process alone.

use std::time::{Duration, Instant};

use super::{State, sign_in_first, signed_out};
use crate::log::Entry;
use crate::names::Names;
use crate::protocol::{self, Refusal};
use crate::seen::Seen;

/// Who has which name, and what was stored.
pub(super) struct Memory {
    in_use: Names,
    seen: Seen,
}

impl Memory {
    pub(super) fn new(keep: Duration) -> Self {
        Self { in_use: Names::default(), seen: Seen::new(keep) }
    }

    pub(super) fn free(&mut self, name: &str) {
        self.in_use.free(name);
    }
}

impl State {
    pub(super) fn sign_in(&mut self, id: u64, wish: &str) {
        let Self { visitors, memory: Memory { in_use, .. }, .. } = self;
        let Some(visitor) = visitors.get_mut(&id) else { return };
        let client = visitor.client.clone();
        if let Some(before) = visitor.name.take() {
            in_use.free(&before);
        }
        let holder = in_use.holder(wish);
        let older = holder.and_then(|id| visitors.get_mut(&id).map(|it| (id, it)));
        let older = older.filter(|(_, older)| older.client == client).map(|(id, older)| {
            older.name = None;
            in_use.free(wish);
            id
        });
        let name = in_use.take(wish, id);
        if let Some(visitor) = visitors.get_mut(&id) {
            visitor.name = Some(name.clone());
        }
        self.is_stale = true;
        if let Some(older) = older {
            self.tell(older, &signed_out());
        }
        if name != wish {
            self.tell(id, &protocol::reject_username(id, &name));
        }
        self.publish(&protocol::signed_in(&name));
    }

    pub(super) fn say(&mut self, id: u64, text: &str, key: Option<String>) -> Result<(), Refusal> {
        let Some(visitor) = self.visitors.get(&id) else { return Ok(()) };
        let (client, now) = (visitor.client.clone(), Instant::now());
        let seen = key.as_ref().and_then(|key| self.memory.seen.find(&client, key, now));
        let message = match (seen, &visitor.name) {
            (Some(message), _) => message,
            (None, Some(name)) => {
                let message = self.log.last().next(protocol::now());
                let frame = protocol::said(message, name, text);
                self.store(Entry { id: message, number: self.log.number() + 1, frame });
                message
            }
            (None, None) => return Err(sign_in_first(key)),
        };
        if let Some(key) = key {
            self.tell(id, &protocol::ack(&key, message));
            if seen.is_none() {
                self.memory.seen.insert(&client, key, message, now);
            }
        }
        Ok(())
    }
}
