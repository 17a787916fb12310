//! The rooms: found by name, bounded in number, and freed when they are empty.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sansock::hub::{Hub, HubCounts};

use crate::link::Link;
use crate::options::RoomOptions;
use crate::place::{Refused, RoomName};
use crate::room::{Entrance, Room};

/// The shortest time between two lists of users. When a thousand users sign in at once, each would
/// otherwise get the list a thousand times.
const LIST_INTERVAL: Duration = Duration::from_millis(50);
/// How often the rooms are searched for those that are empty for long.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How long an empty room is followed that is in Redis.
const REPLICA_KEPT: Duration = Duration::from_secs(10);

/// A room, and the entrance to it: each visitor has a copy. (The room itself is in more hands.)
struct Kept(Entrance);

impl Kept {
    /// Whether it has no visitors. None can come while the list of rooms is locked.
    fn is_empty(&self) -> bool {
        Arc::strong_count(&self.0.in_use) == 1
    }
}

pub(crate) struct Rooms {
    options: RoomOptions,
    by_name: Mutex<BTreeMap<RoomName, Kept>>,
    herald: Arc<Herald>,
    hub: Hub,
    /// How many rooms were made.
    made: AtomicU64,
    /// `None` if the rooms are in this process alone.
    link: Option<Arc<Link>>,
}

impl Rooms {
    /// There are no rooms until visitors come. Starts the thread that looks after them.
    pub(crate) fn start(
        options: RoomOptions,
        redis: Option<redis::Client>,
    ) -> io::Result<Arc<Self>> {
        let (link, unstarted) = redis.map(|client| Link::new(client, options.keep)).unzip();
        let herald = Arc::default();
        let rooms = Arc::new(Self {
            options,
            by_name: Mutex::default(),
            herald,
            hub: Hub::new(),
            made: AtomicU64::new(0),
            link,
        });
        if let (Some(link), Some(unstarted)) = (&rooms.link, unstarted) {
            link.start(unstarted, &rooms)?;
        }
        let herald = Arc::clone(&rooms);
        thread::Builder::new().name("herald".into()).spawn(move || herald.look_after())?;
        Ok(rooms)
    }

    /// Returns the room of this name, which is made if there is none. It stays while the caller has
    /// it.
    pub(crate) fn open(&self, name: &RoomName) -> Result<Entrance, Refused> {
        let mut by_name = self.lock();
        if let Some(Kept(entrance)) = by_name.get(name) {
            return Ok(entrance.clone());
        }
        if by_name.len() >= self.options.limit {
            let empty = by_name.iter().filter(|(_, kept)| kept.is_empty());
            let oldest =
                empty.min_by_key(|(_, kept)| kept.0.room.left()).map(|(name, _)| name.clone());
            by_name.remove(&oldest.ok_or(Refused::Rooms(self.options.limit))?);
        }
        let (herald, link) = (Arc::clone(&self.herald), self.link.clone());
        // Not that of a room of the same name that was freed, and which other threads still have.
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let topic = self.hub.topic(&format!("{name} {number}"));
        let room = Arc::new(Room::new(name.clone(), self.options, herald, topic, link));
        let entrance = Entrance { room, in_use: Arc::default() };
        by_name.insert(name.clone(), Kept(entrance.clone()));
        if let Some(link) = &self.link {
            link.follow();
        }
        Ok(entrance)
    }

    /// What was sent to all visitors of a room, and what waits for them.
    pub(crate) fn counts(&self) -> HubCounts {
        self.hub.counts()
    }

    /// Whether messages can be stored, and how much that visitors did was refused because they
    /// could not.
    pub(crate) fn storage(&self) -> (bool, u64) {
        self.link.as_ref().map_or((true, 0), |link| (link.is_up(), link.refused()))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Room>> {
        self.lock().values().map(|kept| Arc::clone(&kept.0.room)).collect()
    }

    /// Waits until what visitors did last is stored, for a moment at most.
    pub(crate) fn finish(&self) {
        if let Some(link) = &self.link {
            link.finish();
        }
    }

    /// Sends the lists of users that have changed, and frees rooms.
    fn look_after(&self) {
        // What is in Redis is not lost here.
        let keep = if self.link.is_some() { REPLICA_KEPT } else { self.options.keep };
        let mut next_sweep = Instant::now() + SWEEP_INTERVAL;
        loop {
            for room in self.herald.wait_until(next_sweep) {
                room.send_list();
            }
            thread::sleep(LIST_INTERVAL);
            let now = Instant::now();
            if now >= next_sweep {
                next_sweep = now + SWEEP_INTERVAL;
                let is_old = |room: &Room| now.duration_since(room.left()) >= keep;
                self.lock().retain(|_, kept| !(kept.is_empty() && is_old(&kept.0.room)));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomName, Kept>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rooms whose list of users has changed since it was sent.
#[derive(Default)]
pub(crate) struct Herald {
    stale: Mutex<Vec<Arc<Room>>>,
    changed: Condvar,
}

impl Herald {
    /// Has the room's list sent soon.
    pub(crate) fn wake(&self, room: Arc<Room>) {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner).push(room);
        self.changed.notify_one();
    }

    /// Waits until a list has changed, or the time has come.
    fn wait_until(&self, end: Instant) -> Vec<Arc<Room>> {
        let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        let left = end.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(stale, left, |stale| stale.is_empty());
        let (mut stale, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut stale)
    }
}
