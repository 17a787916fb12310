//! The keys of a room in Redis, and the scripts that change them, each atomically.

use std::time::Duration;

use redis::{Cmd, Connection, RedisResult, Value, cmd};

use super::{CONNECT, ask, parse};
use crate::place::{Client, RoomName};
use crate::seen::MAX_KEYS;

/// How long what belongs to a room stays in Redis after its last message, in seconds.
const ROOM_TTL: u32 = 7 * 24 * 60 * 60;

/// A key of a room. The braces put all keys of a room in one slot of a cluster.
pub(super) fn key(room: &RoomName, what: &str) -> String {
    format!("chat:{{{room}}}:{what}")
}

/// How many messages of a room stay in Redis, about: some more may.
const LOG_LENGTH: usize = 20_000;
/// A user is removed if its process does not say for this long that it is there.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// A message to be stored.
pub(super) struct Message<'m> {
    pub(super) room: &'m RoomName,
    pub(super) client: &'m Client,
    /// Who says it, under the name that Redis has for this user.
    pub(super) user: &'m str,
    pub(super) text: &'m str,
    /// Empty if it has none.
    pub(super) key: &'m str,
    /// How long the key is remembered, in seconds.
    pub(super) keep: u64,
}

/// The scripts' names in Redis, which are their digests.
pub(super) struct Scripts {
    say: String,
    take: String,
    leave: String,
    refresh: String,
}

/// The name and look of each candidate for a user's name.
pub(super) type Candidates = Vec<(String, String)>;

impl Scripts {
    /// Sends the scripts to Redis, which forgets them when it ends.
    pub(super) fn load(connection: &mut Connection) -> RedisResult<Self> {
        let presence = include_str!("presence.lua");
        let on_presence = |script: &str| format!("{presence}\n{script}");
        let load = |script: String| cmd("SCRIPT").arg("LOAD").arg(script).take();
        let commands = [
            load(include_str!("say.lua").into()),
            load(on_presence(include_str!("take.lua"))),
            load(on_presence(include_str!("leave.lua"))),
            load(on_presence(include_str!("refresh.lua"))),
        ];
        let mut answers = ask(connection, &commands, CONNECT)?.into_iter();
        let mut next = || parse(answers.next().unwrap_or(Ok(Value::Nil))?);
        Ok(Self { say: next()?, take: next()?, leave: next()?, refresh: next()? })
    }
}

impl Scripts {
    /// Stores a message, if it is not stored already. Returns its id, or an empty string if the user
    /// has no name.
    pub(super) fn say(&self, message: &Message<'_>) -> Cmd {
        let Message { room, client, user, text, key: message_key, keep } = message;
        let mut command = cmd("EVALSHA");
        command
            .arg(&self.say)
            .arg(3)
            .arg(key(room, "log"))
            .arg(key(room, &format!("seen:{client}")))
            .arg(key(room, "users"))
            .arg(&[*user, *text, *message_key])
            .arg(LOG_LENGTH)
            .arg(ROOM_TTL)
            .arg(MAX_KEYS)
            .arg(*keep);
        command
    }

    /// Gives a user one of the names; `again` if it had the first one before.
    pub(super) fn take(
        &self,
        room: &RoomName,
        user: &str,
        client: &Client,
        again: bool,
        names: &Candidates,
    ) -> Cmd {
        let mut command = on_presence(&self.take, room);
        command.arg(user).arg(client.to_string()).arg(if again { "again" } else { "new" });
        command.arg(milliseconds(LEASE)).arg(ROOM_TTL);
        for (name, look) in names {
            command.arg(name).arg(look);
        }
        command
    }

    pub(super) fn leave(&self, room: &RoomName, user: &str) -> Cmd {
        let mut command = on_presence(&self.leave, room);
        command.arg(user);
        command
    }

    /// Keeps users, and returns those that were removed meanwhile.
    pub(super) fn refresh(&self, room: &RoomName, users: &[String]) -> Cmd {
        let mut command = on_presence(&self.refresh, room);
        command.arg(milliseconds(LEASE)).arg(ROOM_TTL).arg(users);
        command
    }
}

fn on_presence(script: &str, room: &RoomName) -> Cmd {
    let mut command = cmd("EVALSHA");
    command.arg(script).arg(5);
    for what in ["leases", "users", "names", "events", "log"] {
        command.arg(key(room, what));
    }
    command
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Stores that a process is there.
pub(super) fn mark(process: &str) -> Cmd {
    let mut command = cmd("SET");
    command.arg(format!("chat:process:{process}")).arg(1).arg("EX").arg(LEASE.as_secs());
    command
}

/// The Stream that ends the reader's wait.
pub(super) fn wake_key(process: &str) -> String {
    format!("chat:wake:{process}")
}

/// Ends the reader's wait. The key is gone some time after the process.
pub(super) fn wake(process: &str) -> Cmd {
    let script = "redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'wake', 1) \
                  return redis.call('EXPIRE', KEYS[1], 60)";
    cmd("EVAL").arg(script).arg(1).arg(wake_key(process)).take()
}
