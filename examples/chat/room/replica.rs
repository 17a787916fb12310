//! A room in Redis: what its threads tell the visitors of this process.

use std::sync::Arc;

use super::{Entering, Room, State, sign_in_first, signed_out};
use crate::log::{Entry, Id};
use crate::place::Client;
use crate::protocol;

/// How much of the room is known here.
#[derive(Default)]
pub(super) struct Replica {
    /// The last entry of the log, which need not be a message.
    read: Id,
    /// The last event, once the room was loaded.
    events: Option<String>,
}

/// Up to where a room is known.
#[derive(Default)]
pub(crate) struct Position {
    /// The last message.
    pub(crate) last: Id,
    /// The last entry of the log.
    pub(crate) read: Id,
    /// The last event.
    pub(crate) events: String,
}

/// A message as Redis has it.
pub(crate) struct Stored {
    pub(crate) id: Id,
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) text: String,
}

impl From<Stored> for Entry {
    fn from(Stored { id, number, name, text }: Stored) -> Self {
        Self { id, number, frame: protocol::said(id, &name, &text) }
    }
}

/// An entry of the Stream of events.
pub(crate) struct Event {
    pub(crate) id: String,
    /// `None` if no chat has made it.
    pub(crate) change: Option<Change>,
}

/// What has changed among the users of all processes.
pub(crate) struct Change {
    pub(crate) kind: String,
    pub(crate) user: String,
    pub(crate) name: String,
}

/// A visitor with a name.
pub(crate) struct Person {
    pub(crate) visitor: u64,
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Room {
    /// Has a visitor enter as soon as this process has what the visitor has.
    pub(super) fn replicate(&self, state: &mut State, id: u64) {
        if self.link.as_ref().is_some_and(|link| !link.is_up()) {
            self.tell_status(state, id);
        }
        self.admit(state, 0);
    }

    /// How many messages the room has at hand.
    pub(crate) fn entries(&self) -> usize {
        self.options.log.entries()
    }

    /// Up to where the room is known; `None` if nothing is.
    pub(crate) fn position(&self) -> Option<Position> {
        let state = self.lock();
        let events = state.replica.events.clone()?;
        Some(Position { last: state.log.last(), read: state.replica.read, events })
    }

    /// Takes the last messages from Redis. If others were known, those are not in Redis any more,
    /// and visitors learn that messages may be missing.
    pub(crate) fn load(
        self: &Arc<Self>,
        entries: impl Iterator<Item = (Id, Option<Stored>)>,
        events: String,
    ) {
        self.with(|state| {
            let known = state.replica.events.replace(events).map(|_| state.log.last());
            if let Some(last) = known {
                state.publish(&protocol::gap(last));
            }
            state.log.clear();
            state.replica.read = Id::default();
            for (id, message) in entries {
                let Some(entry) = state.replica.see(id, message) else { continue };
                if known.is_some_and(|last| entry.id > last) {
                    state.publish(&entry.frame);
                }
                state.log.push(entry);
            }
            state.is_stale = true;
            self.admit(state, 0);
        });
    }

    /// Takes the messages that follow, as they came to the reader's question of this round.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        entries: impl Iterator<Item = (Id, Option<Stored>)>,
        round: u64,
    ) {
        self.with(|state| {
            for (id, message) in entries {
                let Some(entry) = state.replica.see(id, message) else { continue };
                if entry.id <= state.log.last() {
                    continue;
                }
                if Some(entry.number) != state.log.number().checked_add(1) {
                    let last = state.log.last();
                    state.log.clear();
                    state.publish(&protocol::gap(last));
                }
                state.store(entry);
            }
            self.admit(state, round);
        });
    }

    /// Takes what has changed among the users. What visitors here have done they know already.
    pub(crate) fn note(self: &Arc<Self>, process: &str, events: impl Iterator<Item = Event>) {
        self.with(|state| {
            for Event { id, change } in events {
                state.replica.events = Some(id);
                let Some(change) = change else { continue };
                state.is_stale = true;
                let own = change.user.split_once(':').filter(|(of, _)| *of == process);
                match (&*change.kind, own) {
                    ("username", None) => state.publish(&protocol::signed_in(&change.name)),
                    ("replaced", Some((_, id))) => {
                        if let Ok(id) = id.parse() {
                            state.sign_out(id);
                        }
                    }
                    _ => {}
                }
            }
        });
    }

    /// Has the list of users sent soon.
    pub(crate) fn list_changed(self: &Arc<Self>) {
        self.with(|state| state.is_stale = true);
    }

    pub(crate) fn show_list(self: &Arc<Self>, names: &[&str]) {
        self.with(|state| state.publish(&protocol::user_list(names)));
    }

    /// Tells all visitors whether messages can be stored.
    pub(crate) fn show_status(self: &Arc<Self>) {
        self.with(|state| {
            let all: Vec<u64> = state.visitors.keys().copied().collect();
            for id in all {
                self.tell_status(state, id);
            }
        });
    }

    /// The visitors with names.
    pub(crate) fn people(&self) -> Vec<Person> {
        let state = self.lock();
        let people = state.visitors.iter().filter_map(|(id, visitor)| {
            let name = visitor.name.clone()?;
            Some(Person { visitor: *id, client: visitor.client.clone(), name })
        });
        people.collect()
    }

    /// Whether the visitor has a name, as far as it is known here.
    pub(crate) fn has_name(&self, visitor: u64) -> bool {
        self.lock().visitors.get(&visitor).is_some_and(|visitor| visitor.name.is_some())
    }

    /// A visitor has got a name.
    pub(crate) fn signed_in(self: &Arc<Self>, visitor: u64, wish: &str, name: &str) {
        self.with(|state| {
            let Some(it) = state.visitors.get_mut(&visitor) else { return };
            it.name = Some(name.to_owned());
            let is_entering = it.entering.is_some();
            if name != wish {
                state.tell(visitor, &protocol::reject_username(visitor, name));
            }
            let signed_in = protocol::signed_in(name);
            state.publish(&signed_in);
            if is_entering {
                state.tell(visitor, &signed_in);
            }
        });
    }

    /// A visitor was removed and is there again, with this name, or with none because a newer
    /// connection of its client has it.
    pub(crate) fn renamed(self: &Arc<Self>, visitor: u64, before: &str, name: &str) {
        if name.is_empty() {
            self.with(|state| state.sign_out(visitor));
        } else if name != before {
            self.signed_in(visitor, before, name);
        }
    }

    /// A message is stored.
    pub(crate) fn stored(self: &Arc<Self>, visitor: u64, key: Option<&str>, id: Id) {
        if let Some(key) = key {
            self.with(|state| state.tell(visitor, &protocol::ack(key, id)));
        }
    }

    /// A message is not stored, because its sender has no name.
    pub(crate) fn sign_in_first(self: &Arc<Self>, visitor: u64, key: Option<String>) {
        self.refuse(visitor, &sign_in_first(key));
    }

    fn tell_status(&self, state: &mut State, visitor: u64) {
        if let Some(link) = &self.link {
            let trouble = (!link.is_up()).then(|| link.unavailable());
            state.tell(visitor, &protocol::status(trouble.as_deref()));
        }
    }

    /// Has those enter whose last message is here, or is known not to be in Redis: the reader has
    /// asked after they came.
    fn admit(&self, state: &mut State, round: u64) {
        if state.replica.events.is_none() {
            return;
        }
        let last = state.log.last();
        let is_ready = |entering: Entering| {
            entering.after.is_none_or(|after| after <= last) || entering.round < round
        };
        let ready = state.visitors.iter().filter(|(_, it)| it.entering.is_some_and(is_ready));
        for id in ready.map(|(id, _)| *id).collect::<Vec<_>>() {
            state.welcome(&self.name, id);
        }
    }
}

impl Replica {
    /// Notes that an entry was read, and returns its message, encoded.
    fn see(&mut self, id: Id, message: Option<Stored>) -> Option<Entry> {
        self.read = id;
        message.map(Entry::from)
    }
}

impl State {
    /// Takes the name from a visitor whose client has it on a newer connection.
    fn sign_out(&mut self, visitor: u64) {
        if let Some(it) = self.visitors.get_mut(&visitor)
            && it.name.take().is_some()
        {
            self.tell(visitor, &signed_out());
        }
    }
}
