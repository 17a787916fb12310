//! Gets what all processes have stored, in the order of the Streams.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use redis::{Cmd, Connection, RedisResult, cmd};

use super::{Link, RETRY, Side, ask_one, scripts};
use crate::log::Id;
use crate::room::{Change, Position, Room, Stored};
use crate::rooms::Rooms;

/// How long Redis waits for something new before it answers that there is nothing.
const BLOCK: Duration = Duration::from_secs(1);
/// After this time without an answer the connection is given up.
const STUCK: Duration = Duration::from_secs(3);
/// How many entries of a Stream come at once.
const COUNT: usize = 500;

/// An id and the fields with their values.
type Row = (String, Vec<String>);

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
    // The rooms that have what was stored before this connection.
    let mut followed: BTreeMap<*const Room, Weak<Room>> = BTreeMap::new();
    loop {
        let round = link.rounds.fetch_add(1, Ordering::SeqCst) + 1;
        let all = rooms.all();
        for room in &all {
            if !followed.contains_key(&Arc::as_ptr(room)) {
                catch_up(&mut connection, room)?;
            }
        }
        followed = all.iter().map(|room| (Arc::as_ptr(room), Arc::downgrade(room))).collect();
        link.report(rooms, Side::Reader, Ok(()));
        let request = request(link, &wake, &all);
        // Rooms can be freed while this waits.
        drop(all);
        let answer: Option<Vec<(String, Vec<Row>)>> = ask_one(&mut connection, request, STUCK)?;
        let mut news: BTreeMap<_, _> = answer.unwrap_or_default().into_iter().collect();
        if let Some((id, _)) = news.get(&scripts::wake_key(&link.process)).and_then(|it| it.last())
        {
            wake.clone_from(id);
        }
        for room in followed.values().filter_map(Weak::upgrade) {
            let mut take = |what| news.remove(&scripts::key(room.name(), what)).unwrap_or_default();
            let (entries, changes) = (take("log"), take("events"));
            // Only if these are all that there were.
            let round = if entries.len() < COUNT { round } else { 0 };
            room.deliver(entries.into_iter().filter_map(stored), round);
            room.note(&link.process, changes.into_iter().filter_map(change));
        }
    }
}

/// Asks for what is new in all rooms.
fn request(link: &Link, wake: &str, rooms: &[Arc<Room>]) -> Cmd {
    let mut keys = vec![scripts::wake_key(&link.process)];
    let mut ids = vec![wake.to_owned()];
    for room in rooms {
        let Position { log, events } = room.position().unwrap_or_default();
        keys.extend(["log", "events"].map(|what| scripts::key(room.name(), what)));
        ids.extend([log.to_string(), events]);
    }
    let mut request = cmd("XREAD");
    request.arg("COUNT").arg(COUNT).arg("BLOCK").arg(BLOCK.as_millis().to_string());
    request.arg("STREAMS").arg(keys).arg(ids);
    request
}

/// Brings a room to what is stored now. One that had messages already goes on behind the last of
/// them, if Redis still has that.
fn catch_up(connection: &mut Connection, room: &Arc<Room>) -> RedisResult<()> {
    let (log, events) = (scripts::key(room.name(), "log"), scripts::key(room.name(), "events"));
    if let Some(Position { log: last, .. }) = room.position() {
        if last == Id::default() {
            return Ok(());
        }
        let mut behind = cmd("XRANGE");
        behind.arg(&log).arg(last.to_string()).arg("+").arg("COUNT").arg(COUNT);
        let found: Vec<Row> = ask_one(connection, behind, STUCK)?;
        if found.first().is_some_and(|(id, _)| id.parse() == Ok(last)) {
            room.deliver(found.into_iter().filter_map(stored), 0);
            return Ok(());
        }
    }
    let mut newest = |stream: &str, count: usize| -> RedisResult<Vec<Row>> {
        let mut newest = cmd("XREVRANGE");
        newest.arg(stream).arg("+").arg("-").arg("COUNT").arg(count);
        ask_one(connection, newest, STUCK)
    };
    let (event, newest) = (newest(&events, 1)?, newest(&log, room.entries() + 1)?);
    let event = event.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id);
    room.load(newest.into_iter().rev().filter_map(stored), event);
    Ok(())
}

/// Parses an entry of a log.
fn stored((id, fields): Row) -> Option<Stored> {
    let id = id.parse().ok()?;
    let [_, number, _, name, _, text] = <[String; 6]>::try_from(fields).ok()?;
    Some(Stored { id, number: number.parse().ok()?, name, text })
}

/// Parses an event.
fn change((id, fields): Row) -> Option<Change> {
    let [_, kind, _, user, _, name] = <[String; 6]>::try_from(fields).ok()?;
    Some(Change { id, kind, user, name })
}
