//! A room: its visitors, and the messages to all of them.
//!
//! Who has which name and what is stored is decided in this process ([`memory`]) or in Redis
//! ([`replica`]). In either case the room has the last messages at hand, so entering and resuming
//! need nothing else.

mod memory;
mod replica;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sansock::EncodedMessage;
use sansock::hub::{Subscriber, Topic};
use sansock::net::Writer;

pub(crate) use self::replica::{Change, Event, Person, Position, Stored};
use crate::crowd::{Crowd, tell};
use crate::link::{Command, Link};
use crate::log::{Entry, Id, Log};
use crate::metrics::PUBLISH;
use crate::options::RoomOptions;
use crate::place::{Client, Place, RoomName};
use crate::protocol::{self, Refusal};
use crate::rooms::Herald;

/// How many visitors this process has had. Each has its number as its id, in whichever room it is: a
/// room that was freed and is made again must not take a new visitor for one that it had before.
static VISITORS: AtomicU64 = AtomicU64::new(0);

/// The visitors of this process. Messages that a thread queues under the lock arrive everywhere in
/// the same order; no thread waits for the network while it holds the lock.
pub(crate) struct Room {
    name: RoomName,
    options: RoomOptions,
    state: Mutex<State>,
    herald: Arc<Herald>,
    /// `None` if the room is in this process alone.
    link: Option<Arc<Link>>,
}

struct State {
    visitors: BTreeMap<u64, Visitor>,
    /// Those of the visitors who get what is published.
    crowd: Crowd,
    log: Log,
    memory: memory::Memory,
    replica: replica::Replica,
    /// Whether the list of users has changed since it was sent.
    is_stale: bool,
    /// Whether the herald knows that.
    is_announced: bool,
    /// When the last visitor left, or the room was made.
    left: Instant,
}

struct Visitor {
    client: Client,
    /// Whether it knows what is beyond the protocol of MDN.
    is_told: bool,
    /// `None` until the visitor has signed in.
    name: Option<String>,
    inbox: Subscriber,
    /// What it waits for before it gets anything of the room; `None` once it does.
    entering: Option<Entering>,
}

#[derive(Clone, Copy)]
struct Entering {
    /// The last message that the visitor has.
    after: Option<Id>,
    /// How often the reader of Redis had asked for what is new by then.
    round: u64,
}

impl Room {
    pub(crate) fn new(
        name: RoomName,
        options: RoomOptions,
        herald: Arc<Herald>,
        topic: Topic,
        link: Option<Arc<Link>>,
    ) -> Self {
        let state = State {
            visitors: BTreeMap::new(),
            crowd: Crowd::new(topic),
            log: Log::new(options.log),
            memory: memory::Memory::new(options.keep),
            replica: replica::Replica::default(),
            is_stale: false,
            is_announced: false,
            left: Instant::now(),
        };
        Self { name, options, state: Mutex::new(state), herald, link }
    }

    pub(crate) fn name(&self) -> &RoomName {
        &self.name
    }

    fn add(&self, state: &mut State, place: Place, inbox: Subscriber) -> u64 {
        let id = VISITORS.fetch_add(1, Ordering::Relaxed) + 1;
        let is_told = place.client.is_some() || place.after.is_some();
        let client = place.client.unwrap_or_else(|| match &self.link {
            None => Client::unnamed(&id.to_string()),
            Some(link) => Client::unnamed(&link.user(id)),
        });
        let round = self.link.as_ref().map_or(0, |link| link.rounds());
        let entering = Some(Entering { after: place.after, round });
        state.visitors.insert(id, Visitor { client, is_told, name: None, inbox, entering });
        state.tell(id, &protocol::id(id));
        match &self.link {
            None => state.welcome(&self.name, id),
            Some(_) => self.replicate(state, id),
        }
        id
    }

    /// Sends the list of users.
    pub(crate) fn send_list(self: &Arc<Self>) {
        self.with(|state| {
            state.is_announced = false;
            state.is_stale = false;
            if let Some(link) = &self.link {
                // It comes to `show_list`. If Redis is gone, it comes when that is back.
                let is_refused = link.submit(Command::List { room: Arc::clone(self) }).is_err();
                state.is_stale = is_refused && link.is_up();
                return;
            }
            let names = state.visitors.values().filter_map(|visitor| visitor.name.as_deref());
            let list = protocol::user_list(&names.collect::<Vec<_>>());
            state.publish(&list);
        });
    }

    /// When the last visitor left.
    pub(crate) fn left(&self) -> Instant {
        self.lock().left
    }

    /// Tells a visitor why its message was ignored.
    pub(crate) fn refuse(self: &Arc<Self>, visitor: u64, refusal: &Refusal) {
        self.with(|state| state.tell(visitor, &protocol::error(refusal)));
    }

    /// Runs `act` on the state, and triggers the list if that has changed it. All that sends
    /// anything goes through this, because it may remove visitors that read too slowly.
    fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = act(&mut state);
        if state.is_stale && !state.is_announced {
            state.is_announced = true;
            self.herald.wake(Arc::clone(self));
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way into a room, which stays in the list of rooms as long as a visitor has this or a seat.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) room: Arc<Room>,
    pub(crate) in_use: Arc<()>,
}

impl Entrance {
    /// Adds a visitor; dropping the seat removes the visitor.
    pub(crate) fn enter(self, place: Place, writer: &Writer) -> Seat {
        let Self { room, in_use } = self;
        let inbox = writer.subscriber(room.options.budget);
        let id = room.with(|state| room.add(state, place, inbox));
        Seat { room, id, _in_use: in_use }
    }
}

/// One visitor's place in the room. A visitor that was closed for reading too slowly keeps it, but
/// its messages are ignored.
pub(crate) struct Seat {
    room: Arc<Room>,
    id: u64,
    _in_use: Arc<()>,
}

impl Seat {
    /// Signs in, or changes the name. A name that is taken is replaced by a similar one, unless an
    /// older connection of the same client has it.
    pub(crate) fn sign_in(&self, wish: String) -> Result<(), Refusal> {
        let Some(link) = &self.room.link else {
            self.room.with(|state| state.sign_in(self.id, &wish));
            return Ok(());
        };
        let Some(client) = self.client() else { return Ok(()) };
        let room = Arc::clone(&self.room);
        link.submit(Command::SignIn { room, visitor: self.id, client, wish })
    }

    /// Stores a text and sends it to all, or returns what the visitor must do first. With a key, it
    /// is acknowledged, and stored once however often it comes.
    pub(crate) fn say(&self, text: String, key: Option<String>) -> Result<(), Refusal> {
        let Some(link) = &self.room.link else {
            return self.room.with(|state| state.say(self.id, &text, key));
        };
        let Some(client) = self.client() else { return Ok(()) };
        let room = Arc::clone(&self.room);
        link.submit(Command::Say { room, visitor: self.id, client, text, key })
    }

    /// Tells this visitor why its message was ignored.
    pub(crate) fn refuse(&self, refusal: &Refusal) {
        self.room.refuse(self.id, refusal);
    }

    fn client(&self) -> Option<Client> {
        self.room.lock().visitors.get(&self.id).map(|visitor| visitor.client.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.with(|state| {
            state.remove(self.id);
            state.left = Instant::now();
        });
        if let Some(link) = &self.room.link {
            // If it is not done, the user's lease ends.
            let room = Arc::clone(&self.room);
            let _ = link.submit(Command::Leave { room, visitor: self.id });
        }
    }
}

impl State {
    /// Sends a visitor what was said before, and whatever is published from now on. Nothing is
    /// published meanwhile, so no message is missed and none comes twice.
    fn welcome(&mut self, room: &RoomName, id: u64) {
        let Some(visitor) = self.visitors.get_mut(&id) else { return };
        let Some(Entering { after, .. }) = visitor.entering.take() else { return };
        let replay = after.map_or_else(|| self.log.history(), |id| self.log.after(id));
        let place = protocol::room(room, self.log.last(), replay.entries.len());
        let gap = after.filter(|_| replay.is_gap).map(protocol::gap);
        let told = visitor.is_told.then_some(place).into_iter().chain(gap);
        let before = replay.entries.map(|entry| entry.frame.clone());
        if told.chain(before).all(|message| tell(&visitor.inbox, &message)) {
            self.crowd.join(id, &visitor.inbox);
        } else {
            self.remove(id);
        }
    }

    /// Adds a message to the log, and sends it to all.
    fn store(&mut self, entry: Entry) {
        PUBLISH.time(|| self.publish(&entry.frame));
        self.log.push(entry);
    }

    /// Queues a message for one visitor, and removes it if it reads too slowly.
    fn tell(&mut self, id: u64, message: &EncodedMessage) {
        if self.visitors.get(&id).is_some_and(|visitor| !tell(&visitor.inbox, message)) {
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
            self.memory.free(&name);
            self.is_stale = true;
        }
    }
}

/// What a visitor is told that writes before it has a name.
fn sign_in_first(key: Option<String>) -> Refusal {
    Refusal::of("sign in first, with \"username\"").with_key(key)
}

/// What a visitor is told whose name went to a newer connection of its client.
fn signed_out() -> EncodedMessage {
    let text = "you have signed in on another connection, and are signed out here";
    protocol::error(&Refusal::of(text))
}
