//! The visitors, and the messages to all of them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sansock::net::{Error, Writer};
use sansock::{CloseCode, EncodedMessage, SendError};

use crate::names::Names;
use crate::protocol;

/// The shortest time between two lists of users. When a thousand users sign in at once, each would
/// otherwise get the list a thousand times.
const LIST_INTERVAL: Duration = Duration::from_millis(50);

/// All visitors. Messages that a thread queues under the lock arrive everywhere in the same order;
/// no thread waits for the network while it holds the lock.
pub(crate) struct Room {
    visitors: Mutex<Visitors>,
    /// Notified when the list of users has changed.
    changed: Condvar,
}

#[derive(Default)]
struct Visitors {
    by_id: BTreeMap<u64, Visitor>,
    last_id: u64,
    in_use: Names,
    /// Whether the list of users has changed since it was sent.
    is_stale: bool,
}

struct Visitor {
    /// `None` until the visitor has signed in.
    name: Option<String>,
    writer: Writer,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { visitors: Mutex::default(), changed: Condvar::new() }
    }

    /// Adds a visitor; dropping the seat removes the visitor.
    pub(crate) fn enter(&self, writer: Writer) -> Seat<'_> {
        let mut visitors = self.lock();
        visitors.last_id += 1;
        let id = visitors.last_id;
        let visitor = Visitor { name: None, writer };
        if visitor.tell(&protocol::id(id)) {
            visitors.by_id.insert(id, visitor);
        }
        Seat { room: self, id }
    }

    /// Sends the list of users whenever it has changed. Runs on a thread of its own.
    pub(crate) fn send_lists(&self) {
        loop {
            let mut visitors = self.lock();
            while !std::mem::take(&mut visitors.is_stale) {
                visitors = self.changed.wait(visitors).unwrap_or_else(PoisonError::into_inner);
            }
            let list = protocol::user_list(&visitors.names().collect::<Vec<_>>());
            visitors.tell_all(&list);
            drop(visitors);
            thread::sleep(LIST_INTERVAL);
        }
    }

    /// Runs `act` on the visitors, and triggers the list if that has changed it.
    fn with<T>(&self, act: impl FnOnce(&mut Visitors) -> T) -> T {
        let mut visitors = self.lock();
        let result = act(&mut visitors);
        if visitors.is_stale {
            self.changed.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Visitors> {
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One visitor's place in the room. A visitor that was closed for reading too slowly keeps it, but
/// its messages are ignored.
pub(crate) struct Seat<'r> {
    room: &'r Room,
    id: u64,
}

impl Seat<'_> {
    /// Signs in, or changes the name. A name that is taken is replaced by a similar one.
    pub(crate) fn sign_in(&self, wish: &str) {
        self.room.with(|visitors| {
            let Visitors { by_id, in_use, .. } = visitors;
            let Some(visitor) = by_id.get_mut(&self.id) else { return };
            if let Some(before) = visitor.name.take() {
                in_use.free(&before);
            }
            let name = in_use.take(wish);
            visitor.name = Some(name.clone());
            visitors.is_stale = true;
            if name != wish {
                visitors.tell(self.id, &protocol::reject_username(self.id, &name));
            }
            visitors.tell_all(&protocol::signed_in(&name));
        });
    }

    /// Sends a text to all, or returns what the visitor must do first.
    pub(crate) fn say(&self, text: &str) -> Result<(), &'static str> {
        self.room.with(|visitors| {
            let Some(visitor) = visitors.by_id.get(&self.id) else { return Ok(()) };
            let name = visitor.name.as_ref().ok_or("sign in first, with \"username\"")?;
            let message = protocol::said(name, text);
            visitors.tell_all(&message);
            Ok(())
        })
    }

    /// Sends this visitor an error text.
    pub(crate) fn send_error(&self, text: &str) {
        self.room.with(|visitors| visitors.tell(self.id, &protocol::error(text)));
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.room.with(|visitors| visitors.remove(self.id));
    }
}

impl Visitors {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.by_id.values().filter_map(|visitor| visitor.name.as_deref())
    }

    fn tell(&mut self, id: u64, message: &EncodedMessage) {
        if self.by_id.get(&id).is_some_and(|visitor| !visitor.tell(message)) {
            self.remove(id);
        }
    }

    /// Queues a message for all visitors, and closes those whose buffer is full.
    fn tell_all(&mut self, message: &EncodedMessage) {
        let Self { by_id, in_use, is_stale, .. } = self;
        by_id.retain(|_, visitor| {
            let stays = visitor.tell(message);
            if let Some(name) = visitor.name.as_ref().filter(|_| !stays) {
                in_use.free(name);
                *is_stale = true;
            }
            stays
        });
    }

    fn remove(&mut self, id: u64) {
        if let Some(name) = self.by_id.remove(&id).and_then(|visitor| visitor.name) {
            self.in_use.free(&name);
            self.is_stale = true;
        }
    }
}

impl Visitor {
    /// Queues a message, which another thread writes. `false` if the visitor must be closed.
    fn tell(&self, message: &EncodedMessage) -> bool {
        let result = self.writer.queue_encoded(message);
        if matches!(result, Err(Error::Send(SendError::BufferFull { .. }))) {
            // A visitor that reads again learns why it was closed.
            let _ = self.writer.queue_close(CloseCode::TRY_AGAIN_LATER, "you read too slowly");
        }
        result.is_ok()
    }
}
