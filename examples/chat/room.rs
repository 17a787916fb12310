//! A room: its visitors, and the messages to all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sansock::EncodedMessage;
use sansock::net::Writer;

use crate::crowd::{Crowd, tell};
use crate::log::{Entry, Id, Log};
use crate::names::Names;
use crate::options::RoomOptions;
use crate::place::{Client, Place, RoomName};
use crate::protocol::{self, Refusal};
use crate::rooms::Herald;
use crate::seen::Seen;

/// What a visitor is told whose name went to a newer connection of its client.
const SIGNED_OUT: &str = "you have signed in on another connection, and are signed out here";

/// The visitors. Messages that a thread queues under the lock arrive everywhere in the same order;
/// no thread waits for the network while it holds the lock.
pub(crate) struct Room {
    name: RoomName,
    state: Mutex<State>,
    herald: Arc<Herald>,
}

struct State {
    visitors: BTreeMap<u64, Visitor>,
    crowd: Crowd,
    last_id: u64,
    log: Log,
    seen: Seen,
    in_use: Names,
    /// Whether the list of users has changed since it was sent.
    is_stale: bool,
    /// When the last visitor left, or the room was made.
    left: Instant,
}

struct Visitor {
    client: Client,
    /// `None` until the visitor has signed in.
    name: Option<String>,
    writer: Writer,
}

impl Room {
    pub(crate) fn new(name: RoomName, options: RoomOptions, herald: Arc<Herald>) -> Self {
        let state = State {
            visitors: BTreeMap::new(),
            crowd: Crowd::default(),
            last_id: 0,
            log: Log::new(options.log),
            seen: Seen::new(options.keep),
            in_use: Names::default(),
            is_stale: false,
            left: Instant::now(),
        };
        Self { name, state: Mutex::new(state), herald }
    }

    /// Adds a visitor; dropping the seat removes the visitor.
    pub(crate) fn enter(self: Arc<Self>, place: Place, writer: Writer) -> Seat {
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        let is_told = place.client.is_some() || place.after.is_some();
        let client = place.client.unwrap_or_else(|| Client::unnamed(id));
        state.visitors.insert(id, Visitor { name: None, client, writer });
        state.tell(id, &protocol::id(id));
        // Nothing is published meanwhile, so no message is missed and none comes twice.
        for message in state.welcome(&self.name, place.after, is_told) {
            state.tell(id, &message);
        }
        if let Some(visitor) = state.visitors.get(&id) {
            let writer = visitor.writer.clone();
            state.crowd.join(id, writer);
        }
        drop(state);
        Seat { room: self, id }
    }

    /// Sends the list of users.
    pub(crate) fn send_list(&self) {
        let mut state = self.lock();
        state.is_stale = false;
        let names = state.visitors.values().filter_map(|visitor| visitor.name.as_deref());
        let list = protocol::user_list(&names.collect::<Vec<_>>());
        state.publish(&list);
    }

    /// When the last visitor left.
    pub(crate) fn left(&self) -> Instant {
        self.lock().left
    }

    /// Runs `act` on the state, and triggers the list if that has changed it.
    fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let was_stale = state.is_stale;
        let result = act(&mut state);
        if state.is_stale && !was_stale {
            self.herald.wake(Arc::clone(self));
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One visitor's place in the room. A visitor that was closed for reading too slowly keeps it, but
/// its messages are ignored.
pub(crate) struct Seat {
    room: Arc<Room>,
    id: u64,
}

impl Seat {
    /// Signs in, or changes the name. A name that is taken is replaced by a similar one, unless an
    /// older connection of the same client has it.
    pub(crate) fn sign_in(&self, wish: &str) {
        self.room.with(|state| {
            let State { visitors, in_use, .. } = state;
            let Some(visitor) = visitors.get_mut(&self.id) else { return };
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
            let name = in_use.take(wish, self.id);
            if let Some(visitor) = visitors.get_mut(&self.id) {
                visitor.name = Some(name.clone());
            }
            state.is_stale = true;
            if let Some(older) = older {
                state.tell(older, &protocol::error(&Refusal::of(SIGNED_OUT)));
            }
            if name != wish {
                state.tell(self.id, &protocol::reject_username(self.id, &name));
            }
            state.publish(&protocol::signed_in(&name));
        });
    }

    /// Stores a text and sends it to all, or returns what the visitor must do first. With a key, it
    /// is acknowledged, and stored once however often it comes.
    pub(crate) fn say(&self, text: &str, key: Option<String>) -> Result<(), Refusal> {
        self.room.with(|state| {
            let Some(visitor) = state.visitors.get(&self.id) else { return Ok(()) };
            let (client, now) = (visitor.client.clone(), Instant::now());
            let seen = key.as_ref().and_then(|key| state.seen.find(&client, key, now));
            let id = match (seen, &visitor.name) {
                (Some(id), _) => id,
                (None, Some(name)) => {
                    let id = state.log.last().next(protocol::now());
                    state.store(id, &protocol::said(id, name, text));
                    id
                }
                (None, None) => {
                    return Err(Refusal::of("sign in first, with \"username\"").with_key(key));
                }
            };
            if let Some(key) = key {
                state.tell(self.id, &protocol::ack(&key, id));
                if seen.is_none() {
                    state.seen.insert(&client, key, id, now);
                }
            }
            Ok(())
        })
    }

    /// Tells this visitor why its message was ignored.
    pub(crate) fn refuse(&self, refusal: &Refusal) {
        self.room.with(|state| state.tell(self.id, &protocol::error(refusal)));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.with(|state| {
            state.remove(self.id);
            state.left = Instant::now();
        });
    }
}

impl State {
    /// What a visitor gets on entering. `is_told`: it knows what is beyond the protocol of MDN.
    fn welcome(&self, name: &RoomName, after: Option<Id>, is_told: bool) -> Vec<EncodedMessage> {
        let replay = after.map_or_else(|| self.log.history(), |id| self.log.after(id));
        let room = protocol::room(name, self.log.last(), replay.entries.len());
        let gap = after.filter(|_| replay.is_gap).map(protocol::gap);
        let told = is_told.then_some(room).into_iter().chain(gap);
        told.chain(replay.entries.map(|entry| entry.frame.clone())).collect()
    }

    /// Adds a message to the log, and sends it to all.
    fn store(&mut self, id: Id, frame: &EncodedMessage) {
        let number = self.log.number() + 1;
        self.log.push(Entry { id, number, frame: frame.clone() });
        self.publish(frame);
    }

    /// Queues a message for one visitor, and removes it if it reads too slowly.
    fn tell(&mut self, id: u64, message: &EncodedMessage) {
        if self.visitors.get(&id).is_some_and(|visitor| !tell(&visitor.writer, message)) {
            self.remove(id);
        }
    }

    /// Queues a message for all visitors, and removes those that read too slowly.
    fn publish(&mut self, message: &EncodedMessage) {
        for id in self.crowd.publish(message) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u64) {
        self.crowd.leave(id);
        if let Some(name) = self.visitors.remove(&id).and_then(|visitor| visitor.name) {
            self.in_use.free(&name);
            self.is_stale = true;
        }
    }
}
