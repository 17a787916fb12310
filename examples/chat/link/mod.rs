//! Rooms in Redis, so that any number of processes serve them.
//!
//! Messages go through a Stream per room. The [`writer`] thread sends what visitors of this process
//! do, and the [`reader`] thread gets what all processes have stored, in the Stream's order. No
//! visitor's thread waits for Redis: it leaves a [`Command`] in a bounded queue, and the answer comes
//! to the visitor as a message. Either thread reports when Redis is gone, and tries to reach it again.

mod entries;
mod reader;
mod scripts;
mod writer;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use redis::{
    Cmd, Connection, FromRedisValue, RedisError, RedisResult, Value, from_redis_value, pipe,
};
use sansock::handshake::random_nonce;

use crate::place::Client;
use crate::protocol::Refusal;
use crate::room::Room;
use crate::rooms::Rooms;

/// How many commands may wait for Redis. What comes then is refused.
const QUEUE: usize = 1024;
/// How long a command may take, with its time in the queue. After that it is refused.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(1);
/// The time between two attempts to connect.
const RETRY: Duration = Duration::from_millis(250);

/// The way to Redis.
pub(crate) struct Link {
    client: redis::Client,
    /// What this process calls itself in Redis.
    process: String,
    queue: SyncSender<Queued>,
    health: Mutex<Health>,
    changed: Condvar,
    /// How often the reader has asked for what is new.
    rounds: AtomicU64,
    /// How much of what visitors wanted was not done.
    refused: AtomicU64,
    /// How long keys of messages are remembered.
    keep: Duration,
}

/// What a visitor does. `visitor` is its id in the room.
pub(crate) enum Command {
    SignIn {
        room: Arc<Room>,
        visitor: u64,
        client: Client,
        wish: String,
    },
    Say {
        room: Arc<Room>,
        visitor: u64,
        client: Client,
        text: String,
        key: Option<String>,
    },
    Leave {
        room: Arc<Room>,
        visitor: u64,
    },
    /// Gets the list of users.
    List {
        room: Arc<Room>,
    },
    /// Has the reader look for rooms that are new.
    Follow,
    /// Has the writer look whether its connection still works.
    Check,
    /// Says that all commands before are done.
    Finish(SyncSender<()>),
}

/// Sends commands at once, and returns the answer to each, or an error if they are not all there in
/// time. (`Pipeline::query` has that limit for each answer.)
fn ask(
    connection: &mut Connection,
    commands: &[Cmd],
    timeout: Duration,
) -> RedisResult<Vec<RedisResult<Value>>> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let end = Instant::now() + timeout;
    let mut all = pipe();
    for command in commands {
        all.add_command(command.clone());
    }
    connection.send_packed_command(&all.get_packed_pipeline())?;
    let answers = commands.iter().map(|_| {
        // A timeout of nothing would be none at all.
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        connection.set_read_timeout(Some(left))?;
        Ok(connection.recv_response()?.extract_error())
    });
    answers.collect()
}

/// Sends one command, and returns its answer.
fn ask_one<T: FromRedisValue>(
    connection: &mut Connection,
    command: Cmd,
    timeout: Duration,
) -> RedisResult<T> {
    let answers = ask(connection, &[command], timeout)?;
    let answer = answers.into_iter().next().unwrap_or(Ok(Value::Nil))?;
    parse(answer)
}

fn parse<T: FromRedisValue>(answer: Value) -> RedisResult<T> {
    from_redis_value(answer).map_err(RedisError::from)
}

impl Command {
    /// What the visitor is told if this is not done.
    fn refusal(&self, reason: &str) -> Refusal {
        let (what, key) = match self {
            Self::Say { key, .. } => ("your message is not stored", key.clone()),
            Self::SignIn { .. } => ("you are not signed in", None),
            _ => ("", None),
        };
        Refusal { text: format!("{reason}: {what}"), key, may_retry: true }
    }

    /// The room and the id of the visitor who waits for an answer, if one does.
    fn asker(&self) -> Option<(&Arc<Room>, u64)> {
        match self {
            Self::Say { room, visitor, .. } | Self::SignIn { room, visitor, .. } => {
                Some((room, *visitor))
            }
            _ => None,
        }
    }
}

struct Queued {
    command: Command,
    deadline: Instant,
}

/// Which of the two threads have a connection.
#[derive(Default)]
struct Health {
    reader: bool,
    writer: bool,
    /// What visitors and the operator know.
    told: Option<bool>,
    /// Why one of them has none.
    trouble: Option<String>,
}

impl Health {
    fn is_up(&self) -> bool {
        self.reader && self.writer
    }
}

#[derive(Clone, Copy)]
enum Side {
    Reader,
    Writer,
}

/// What the threads need, until they start.
pub(crate) struct Unstarted {
    queue: Receiver<Queued>,
}

impl Link {
    pub(crate) fn new(client: redis::Client, keep: Duration) -> (Arc<Self>, Unstarted) {
        let (sender, queue) = sync_channel(QUEUE);
        let process = u64::from_be_bytes(random_nonce().first_chunk().copied().unwrap_or_default());
        let link = Self {
            client,
            process: format!("{process:016x}"),
            queue: sender,
            health: Mutex::default(),
            changed: Condvar::new(),
            rounds: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            keep,
        };
        (Arc::new(link), Unstarted { queue })
    }

    /// Starts the threads, and waits a moment for the first connections.
    pub(crate) fn start(self: &Arc<Self>, parts: Unstarted, rooms: &Arc<Rooms>) -> io::Result<()> {
        let (link, of_reader) = (Arc::clone(self), Arc::clone(rooms));
        let reader = thread::Builder::new().name("redis-reader".into());
        reader.spawn(move || reader::run(&link, &of_reader))?;
        let (link, of_writer) = (Arc::clone(self), Arc::clone(rooms));
        let writer = thread::Builder::new().name("redis-writer".into());
        writer.spawn(move || writer::run(&link, &of_writer, &parts.queue))?;
        let health = self.lock();
        let _ = self.changed.wait_timeout_while(health, CONNECT, |health| !health.is_up());
        Ok(())
    }

    /// Whether both threads have a connection.
    pub(crate) fn is_up(&self) -> bool {
        self.lock().is_up()
    }

    /// How often the reader has asked for what is new.
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::SeqCst)
    }

    /// What a visitor of this process is called in Redis.
    pub(crate) fn user(&self, visitor: u64) -> String {
        format!("{}:{visitor}", self.process)
    }

    /// Leaves a command for the writer, or says at once that it will not be done.
    pub(crate) fn submit(&self, command: Command) -> Result<(), Refusal> {
        let has_asker = command.asker().is_some();
        self.try_submit(command).inspect_err(|_| self.count_refused(has_asker))
    }

    /// Tells the visitor who waits for it why a command is not done.
    fn refuse(&self, command: &Command, reason: &str) {
        let asker = command.asker();
        self.count_refused(asker.is_some());
        if let Some((room, visitor)) = asker {
            room.refuse(visitor, &command.refusal(reason));
        }
    }

    fn count_refused(&self, has_asker: bool) {
        self.refused.fetch_add(has_asker.into(), Ordering::Relaxed);
    }

    /// How often visitors were refused because Redis is gone or slow, or refuses.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn try_submit(&self, command: Command) -> Result<(), Refusal> {
        if !self.is_up() {
            return Err(command.refusal(&self.unavailable()));
        }
        let queued = Queued { command, deadline: Instant::now() + DEADLINE };
        self.queue.try_send(queued).map_err(|error| {
            let Queued { command, .. } = match error {
                std::sync::mpsc::TrySendError::Full(queued)
                | std::sync::mpsc::TrySendError::Disconnected(queued) => queued,
            };
            command
                .refusal(&format!("Redis at {} is slow, and {QUEUE} messages wait", self.address()))
        })
    }

    /// Has the reader follow rooms that are new at once. It finds them by itself too, a little later.
    pub(crate) fn follow(&self) {
        let _ = self.submit(Command::Follow);
    }

    /// Waits until what visitors did is done, for a moment at most.
    pub(crate) fn finish(&self) {
        let (done, finished) = sync_channel(1);
        if self.submit(Command::Finish(done)).is_ok() {
            let _ = finished.recv_timeout(CONNECT);
        }
    }

    /// Says to clients why nothing is stored.
    pub(crate) fn unavailable(&self) -> String {
        self.lock().trouble.clone().unwrap_or_else(|| self.unreachable())
    }

    fn unreachable(&self) -> String {
        format!("Redis at {} cannot be reached", self.address())
    }

    /// What clients are told of an error: of what Redis says only the code, because the rest can
    /// name what concerns the operator alone.
    fn trouble(&self, error: &RedisError) -> String {
        match error.code() {
            Some(code) => format!("Redis at {} refuses ({code})", self.address()),
            None => self.unreachable(),
        }
    }

    fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Connects, with a limit for each write from then on.
    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(CONNECT)?;
        connection.set_write_timeout(Some(CONNECT))?;
        Ok(connection)
    }

    /// Notes whether a thread has its connection, and tells visitors if that changes anything.
    fn report(&self, rooms: &Rooms, side: Side, state: Result<(), &RedisError>) {
        let trouble = state.err().map(|error| self.trouble(error));
        let mut health = self.lock();
        health.trouble = trouble.or(health.trouble.take());
        match side {
            Side::Reader => {
                health.reader = state.is_ok();
                // The writer's connection is most likely gone too, and it has not noticed.
                if state.is_err() && health.writer {
                    health.writer = false;
                    let deadline = Instant::now() + DEADLINE;
                    let _ = self.queue.try_send(Queued { command: Command::Check, deadline });
                }
            }
            Side::Writer => health.writer = state.is_ok(),
        }
        let is_up = health.is_up();
        // One thread that connects is no news as long as the other has not.
        if health.told == Some(is_up) || is_up != state.is_ok() {
            return;
        }
        health.told = Some(is_up);
        drop(health);
        match state {
            Ok(()) => eprintln!("Redis at {}: connected", self.address()),
            Err(error) if error.is_timeout() => {
                eprintln!("{}: no answer in time", self.trouble(error));
            }
            Err(error) => eprintln!("{}: {error}", self.trouble(error)),
        }
        self.changed.notify_all();
        for room in rooms.all() {
            room.show_status();
            if is_up {
                room.list_changed();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
