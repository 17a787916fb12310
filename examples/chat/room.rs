//! A room: its visitors, and the messages to all of them.

use std::collections::BTreeMap;
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sansock::EncodedMessage;
use sansock::net::Writer;

use crate::crowd::{Crowd, tell};
use crate::log::{Entry, Log};
use crate::names::Names;
use crate::options::LogOptions;
use crate::protocol;
use crate::rooms::Herald;

/// The visitors. Messages that a thread queues under the lock arrive everywhere in the same order;
/// no thread waits for the network while it holds the lock.
pub(crate) struct Room {
    state: Mutex<State>,
    herald: Arc<Herald>,
}

struct State {
    visitors: BTreeMap<u64, Visitor>,
    crowd: Crowd,
    last_id: u64,
    log: Log,
    in_use: Names,
    /// Whether the list of users has changed since it was sent.
    is_stale: bool,
    /// When the last visitor left, or the room was made.
    left: Instant,
}

struct Visitor {
    /// `None` until the visitor has signed in.
    name: Option<String>,
    writer: Writer,
}

impl Room {
    pub(crate) fn new(limits: LogOptions, herald: Arc<Herald>) -> Self {
        let state = State {
            visitors: BTreeMap::new(),
            crowd: Crowd::default(),
            last_id: 0,
            log: Log::new(limits),
            in_use: Names::default(),
            is_stale: false,
            left: Instant::now(),
        };
        Self { state: Mutex::new(state), herald }
    }

    /// Adds a visitor; dropping the seat removes the visitor.
    pub(crate) fn enter(self: Arc<Self>, writer: Writer) -> Seat {
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        // Nothing is published meanwhile, so no message is missed and none comes twice.
        let history = state.log.history().map(|entry| &entry.frame);
        if iter::once(&protocol::id(id)).chain(history).all(|message| tell(&writer, message)) {
            state.crowd.join(id, writer.clone());
            state.visitors.insert(id, Visitor { name: None, writer });
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
    /// Signs in, or changes the name. A name that is taken is replaced by a similar one.
    pub(crate) fn sign_in(&self, wish: &str) {
        self.room.with(|state| {
            let State { visitors, in_use, .. } = state;
            let Some(visitor) = visitors.get_mut(&self.id) else { return };
            if let Some(before) = visitor.name.take() {
                in_use.free(&before);
            }
            let name = in_use.take(wish);
            visitor.name = Some(name.clone());
            state.is_stale = true;
            if name != wish {
                state.tell(self.id, &protocol::reject_username(self.id, &name));
            }
            state.publish(&protocol::signed_in(&name));
        });
    }

    /// Sends a text to all, or returns what the visitor must do first.
    pub(crate) fn say(&self, text: &str) -> Result<(), &'static str> {
        self.room.with(|state| {
            let Some(visitor) = state.visitors.get(&self.id) else { return Ok(()) };
            let name = visitor.name.as_ref().ok_or("sign in first, with \"username\"")?;
            let id = state.log.last().next(protocol::now());
            let frame = protocol::said(id, name, text);
            state.log.push(Entry { id, frame: frame.clone() });
            state.publish(&frame);
            Ok(())
        })
    }

    /// Sends this visitor an error text.
    pub(crate) fn send_error(&self, text: &str) {
        self.room.with(|state| state.tell(self.id, &protocol::error(text)));
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
