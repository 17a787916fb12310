//! Gets what all processes have stored, in the order of the Streams.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Cmd, Connection, RedisResult, cmd};

use super::entries::{Row, change, stored};
use super::{Link, RETRY, Side, ask_one, scripts};
use crate::log::Id;
use crate::place::RoomName;
use crate::room::{Position, Room};
use crate::rooms::Rooms;

/// How long Redis waits for something new before it answers that there is nothing.
const BLOCK: Duration = Duration::from_secs(1);
/// After this time without an answer the connection is given up.
const STUCK: Duration = Duration::from_secs(3);
/// How many entries of a Stream come at once.
const COUNT: usize = 500;

/// The entries that are new, by the Stream's key.
type News = Vec<(String, Vec<Row>)>;

/// The reader's thread.
pub(super) fn run(link: &Link, rooms: &Rooms) {
    loop {
        let Err(error) = follow(link, rooms);
        link.report(rooms, Side::Reader, Err(&error));
        thread::sleep(RETRY);
    }
}

/// Follows the rooms on one connection, until that fails.
fn follow(link: &Link, rooms: &Rooms) -> RedisResult<std::convert::Infallible> {
    let mut connection = link.connect()?;
    let mut wake = "0-0".to_owned();
    let mut followed = Followed::default();
    // The first answer comes at once: only then this connection is one.
    let mut wait = None;
    loop {
        let round = link.rounds.fetch_add(1, Ordering::SeqCst) + 1;
        let all = followed.update(&mut connection, rooms)?;
        let request = request(link, &wake, &all, wait);
        // Rooms can be freed while this waits.
        drop(all);
        let answer = ask_one::<Option<News>>(&mut connection, request, STUCK);
        if wait.is_some() && answer.as_ref().is_err_and(|error| error.code().is_some()) {
            // One of the rooms cannot be read any more. The next question leaves it out.
            followed.rooms.clear();
            wait = None;
            continue;
        }
        let answer = answer?;
        link.report(rooms, Side::Reader, Ok(()));
        wait = Some(BLOCK);
        let mut news: BTreeMap<_, _> = answer.unwrap_or_default().into_iter().collect();
        if let Some((id, _)) = news.get(&scripts::wake_key(&link.process)).and_then(|it| it.last())
        {
            wake.clone_from(id);
        }
        for room in followed.rooms.values().filter_map(Weak::upgrade) {
            let mut take = |what| news.remove(&scripts::key(room.name(), what)).unwrap_or_default();
            let (entries, changes) = (take("log"), take("events"));
            // Only if these are all that there were.
            let round = if entries.len() < COUNT { round } else { 0 };
            room.deliver(entries.into_iter().filter_map(stored), round);
            room.note(&link.process, changes.into_iter().map(change));
        }
    }
}

/// The rooms that are read.
#[derive(Default)]
struct Followed {
    /// Those that have what was stored before this connection.
    rooms: BTreeMap<*const Room, Weak<Room>>,
    /// Those that Redis refuses to read, for example because a key is of another type. The others do
    /// not suffer from it.
    refused: BTreeSet<RoomName>,
    /// When to try those again.
    next_attempt: Option<Instant>,
}

impl Followed {
    /// Adds the rooms that are new, and returns all that can be read.
    fn update(
        &mut self,
        connection: &mut Connection,
        rooms: &Rooms,
    ) -> RedisResult<Vec<Arc<Room>>> {
        let now = Instant::now();
        let is_time = self.next_attempt.is_none_or(|next| next <= now);
        if is_time {
            self.next_attempt = Some(now + BLOCK);
        }
        let mut all = rooms.all();
        let mut refused = BTreeSet::new();
        for room in &all {
            if self.rooms.contains_key(&Arc::as_ptr(room)) {
                continue;
            }
            let was_refused = self.refused.contains(room.name());
            if was_refused && !is_time {
                refused.insert(room.name().clone());
            } else if let Err(error) = catch_up(connection, room) {
                // That is an answer, so it concerns this room alone.
                if error.code().is_none() {
                    return Err(error);
                }
                if !was_refused {
                    eprintln!("room {} cannot be read: {error}", room.name());
                }
                refused.insert(room.name().clone());
            }
        }
        all.retain(|room| !refused.contains(room.name()));
        self.refused = refused;
        self.rooms = all.iter().map(|room| (Arc::as_ptr(room), Arc::downgrade(room))).collect();
        Ok(all)
    }
}

/// Asks for what is new in all rooms.
fn request(link: &Link, wake: &str, rooms: &[Arc<Room>], wait: Option<Duration>) -> Cmd {
    let mut keys = vec![scripts::wake_key(&link.process)];
    let mut ids = vec![wake.to_owned()];
    for room in rooms {
        let Position { read, events, .. } = room.position().unwrap_or_default();
        keys.extend(["log", "events"].map(|what| scripts::key(room.name(), what)));
        ids.extend([read.to_string(), events]);
    }
    let mut request = cmd("XREAD");
    request.arg("COUNT").arg(COUNT);
    if let Some(wait) = wait {
        request.arg("BLOCK").arg(wait.as_millis().to_string());
    }
    request.arg("STREAMS").arg(keys).arg(ids);
    request
}

/// Brings a room to what is stored now. One that had messages already goes on behind the last of
/// them, if Redis still has that.
fn catch_up(connection: &mut Connection, room: &Arc<Room>) -> RedisResult<()> {
    let (log, events) = (scripts::key(room.name(), "log"), scripts::key(room.name(), "events"));
    let event = newest(connection, &events, 1)?;
    if let Some(Position { last, .. }) = room.position() {
        let mut behind = cmd("XRANGE");
        behind.arg(&log).arg(last.to_string()).arg("+").arg("COUNT").arg(COUNT);
        let found: Vec<Row> = ask_one(connection, behind, STUCK)?;
        let is_there = found.first().is_some_and(|(id, _)| id.parse() == Ok(last));
        if is_there || last == Id::default() {
            room.deliver(found.into_iter().filter_map(stored), 0);
            return Ok(());
        }
    }
    let newest = newest(connection, &log, room.entries() + 1)?;
    let event = event.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id);
    room.load(newest.into_iter().rev().filter_map(stored), event);
    Ok(())
}

/// The last entries of a Stream, the newest first.
fn newest(connection: &mut Connection, stream: &str, count: usize) -> RedisResult<Vec<Row>> {
    let mut newest = cmd("XREVRANGE");
    newest.arg(stream).arg("+").arg("-").arg("COUNT").arg(count);
    ask_one(connection, newest, STUCK)
}
