//! Who is here, and what all of them hear.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sansock::net::{Error, Writer};
use sansock::{CloseCode, EncodedMessage, SendError};

use crate::protocol::{self, MAX_NAME};

/// The list of users goes out at most so often: when a thousand sign in at once, each would else get
/// it a thousand times.
const LIST_INTERVAL: Duration = Duration::from_millis(50);

/// All visitors. What one thread says under the lock arrives everywhere in the same order; nobody
/// waits for the network under it.
pub(crate) struct Room {
    visitors: Mutex<Visitors>,
    /// Notified when the list of users has changed.
    changed: Condvar,
}

#[derive(Default)]
struct Visitors {
    by_id: BTreeMap<u64, Visitor>,
    last_id: u64,
    /// Whether the list of users has changed since it was sent.
    is_stale: bool,
}

struct Visitor {
    /// `None` until they have signed in.
    name: Option<String>,
    writer: Writer,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { visitors: Mutex::default(), changed: Condvar::new() }
    }

    /// Lets a visitor in, and out again when the seat is dropped.
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

    /// Sends the list of users whenever it has changed. For a thread of its own.
    pub(crate) fn tell_who_is_here(&self) {
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

    /// Does something with the visitors, and has the list sent if that has changed it.
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

/// One visitor's place in the room. Those who were let go because they read too slowly keep it, but
/// nothing comes of what they say.
pub(crate) struct Seat<'r> {
    room: &'r Room,
    id: u64,
}

impl Seat<'_> {
    /// Signs in, or changes the name; one that is taken is replaced.
    pub(crate) fn sign_in(&self, wish: &str) {
        self.room.with(|visitors| {
            let name = visitors.free_name(wish, self.id);
            let Some(visitor) = visitors.by_id.get_mut(&self.id) else { return };
            visitor.name = Some(name.clone());
            visitors.is_stale = true;
            if name != wish {
                visitors.tell(self.id, &protocol::reject_username(self.id, &name));
            }
            visitors.tell_all(&protocol::signed_in(&name));
        });
    }

    /// Says something to all, or fails with what the visitor has to do before.
    pub(crate) fn say(&self, text: &str) -> Result<(), &'static str> {
        self.room.with(|visitors| {
            let Some(visitor) = visitors.by_id.get(&self.id) else { return Ok(()) };
            let name = visitor.name.as_ref().ok_or("sign in first, with \"username\"")?;
            let message = protocol::said(name, text);
            visitors.tell_all(&message);
            Ok(())
        })
    }

    /// Tells this visitor what is wrong.
    pub(crate) fn complain(&self, text: &str) {
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

    /// The name, or one like it that nobody else has. `Anna` and `anna` are the same to a reader.
    fn free_name(&self, wish: &str, id: u64) -> String {
        let others = || self.by_id.iter().filter(|(other, _)| **other != id);
        let taken: Vec<String> = others()
            .filter_map(|(_, visitor)| visitor.name.as_ref())
            .map(|n| n.to_lowercase())
            .collect();
        let mut name = wish.to_owned();
        let mut number = 2_u64;
        while taken.contains(&name.to_lowercase()) {
            let suffix = number.to_string();
            name = wish.chars().take(MAX_NAME - suffix.len()).collect();
            name += &suffix;
            number += 1;
        }
        name
    }

    fn tell(&mut self, id: u64, message: &EncodedMessage) {
        if self.by_id.get(&id).is_some_and(|visitor| !visitor.tell(message)) {
            self.remove(id);
        }
    }

    /// Queues a message for everyone, and lets go of those who cannot take it.
    fn tell_all(&mut self, message: &EncodedMessage) {
        let is_stale = &mut self.is_stale;
        self.by_id.retain(|_, visitor| {
            let stays = visitor.tell(message);
            *is_stale |= !stays && visitor.name.is_some();
            stays
        });
    }

    fn remove(&mut self, id: u64) {
        let visitor = self.by_id.remove(&id);
        self.is_stale |= visitor.is_some_and(|visitor| visitor.name.is_some());
    }
}

impl Visitor {
    /// Queues a message, which another thread writes. `false` if the visitor is to be let go.
    fn tell(&self, message: &EncodedMessage) -> bool {
        let result = self.writer.queue_encoded(message);
        if matches!(result, Err(Error::Send(SendError::BufferFull { .. }))) {
            // Those who come back to reading learn why they were let go.
            let _ = self.writer.queue_close(CloseCode::TRY_AGAIN_LATER, "you read too slowly");
        }
        result.is_ok()
    }
}
