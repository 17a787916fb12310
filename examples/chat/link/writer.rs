//! Sends what visitors of this process do, and says again and again that they are here.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redis::{Cmd, Connection, ErrorKind, RedisError, RedisResult, Value, cmd};

use super::scripts::{self, LEASE, Message, Scripts};
use super::{Command, DEADLINE, Link, Queued, RETRY, Side, ask, parse};
use crate::names::candidates;
use crate::room::{Person, Room};
use crate::rooms::Rooms;

/// How many commands are sent before the answer to the first is read.
const BATCH: usize = 64;
/// The time between two renewals of the leases: two may fail.
const REFRESH: Duration = Duration::from_secs(LEASE.as_secs() / 3);
/// How many users are renewed in one step, for which Redis does nothing else.
const USERS: usize = 500;

/// The writer's thread.
pub(super) fn run(link: &Link, rooms: &Rooms, queue: &Receiver<Queued>) {
    let now = Instant::now();
    let mut writer =
        Writer { link, rooms, queue, session: None, next_attempt: now, next_refresh: now };
    loop {
        writer.maintain();
        match queue.recv_timeout(writer.time_left()) {
            Ok(first) => {
                let more = queue.try_iter().take(BATCH - 1);
                writer.send([first].into_iter().chain(more).collect());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

struct Writer<'w> {
    link: &'w Link,
    rooms: &'w Rooms,
    queue: &'w Receiver<Queued>,
    session: Option<Session>,
    next_attempt: Instant,
    next_refresh: Instant,
}

/// A connection, and the scripts that Redis knows on it.
struct Session {
    connection: Connection,
    scripts: Scripts,
}

impl Writer<'_> {
    fn time_left(&self) -> Duration {
        let next = if self.session.is_some() { self.next_refresh } else { self.next_attempt };
        next.saturating_duration_since(Instant::now())
    }

    /// Connects if it is time to, and renews the leases if it is time for that. Only a connection on
    /// which that works is one.
    fn maintain(&mut self) {
        if self.session.is_none() && Instant::now() >= self.next_attempt {
            match self.open() {
                Ok(session) => {
                    self.session = Some(session);
                    self.next_refresh = Instant::now();
                }
                Err(error) => self.fail(&error),
            }
        }
        if self.session.is_some() && Instant::now() >= self.next_refresh {
            self.next_refresh = Instant::now() + REFRESH;
            match self.refresh() {
                Ok(()) => self.link.report(self.rooms, Side::Writer, Ok(())),
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Has the leases renewed soon.
    fn refresh_soon(&mut self) {
        self.next_refresh = self.next_refresh.min(Instant::now() + RETRY);
    }

    fn open(&self) -> RedisResult<Session> {
        let mut connection = self.link.connect()?;
        let scripts = Scripts::load(&mut connection)?;
        Ok(Session { connection, scripts })
    }

    /// Gives the connection up.
    fn fail(&mut self, error: &RedisError) {
        self.session = None;
        self.next_attempt = Instant::now() + RETRY;
        self.link.report(self.rooms, Side::Writer, Err(error));
        // Nothing is added any more, and what waits does not wait for the attempts to connect.
        let reason = self.link.unavailable();
        for Queued { command, .. } in self.queue.try_iter() {
            self.link.refuse(&command, &reason);
        }
    }

    /// Does what visitors want, in their order: sends commands at once, and then reads the answers.
    fn send(&mut self, mut run: Vec<Queued>) {
        let now = Instant::now();
        run.retain(|Queued { command, deadline }| {
            if *deadline <= now {
                self.link.refuse(command, &format!("Redis at {} is slow", self.link.address()));
            }
            *deadline > now
        });
        let Some(Session { connection, scripts }) = &mut self.session else {
            let reason = self.link.unavailable();
            return run.iter().for_each(|it| self.link.refuse(&it.command, &reason));
        };
        let Some(deadline) = run.iter().map(|it| it.deadline).min() else { return };
        let all: Vec<_> = run.iter().map(|it| encode(self.link, scripts, &it.command)).collect();
        match ask(connection, &all, deadline.saturating_duration_since(now)) {
            Ok(answers) => self.take(&run, answers),
            Err(error) => {
                self.fail(&error);
                let reason = if error.is_timeout() {
                    format!("Redis at {} is slow, send it again", self.link.address())
                } else {
                    self.link.unavailable()
                };
                for Queued { command, .. } in &run {
                    self.link.refuse(command, &reason);
                }
            }
        }
    }

    /// Tells visitors what has become of what they wanted.
    fn take(&mut self, run: &[Queued], answers: Vec<RedisResult<Value>>) {
        for (Queued { command, .. }, answer) in run.iter().zip(answers) {
            let Err(error) = answer.and_then(|answer| self.apply(command, answer)) else {
                continue;
            };
            self.link.refuse(command, &self.link.trouble(&error));
            if is_forgotten(&error) {
                self.session = None;
                self.next_attempt = Instant::now();
            } else {
                // It may be that Redis stores nothing any more.
                self.refresh_soon();
            }
        }
    }

    /// Tells the visitor, or all, what has come of a command.
    fn apply(&mut self, command: &Command, answer: Value) -> RedisResult<()> {
        match command {
            Command::SignIn { room, visitor, wish, .. } => {
                let name: String = parse(answer)?;
                room.signed_in(*visitor, wish, &name);
            }
            Command::Say { room, visitor, key, .. } => {
                let id: String = parse(answer)?;
                match id.parse() {
                    Ok(id) => room.stored(*visitor, key.as_deref(), id),
                    Err(_) if room.has_name(*visitor) => {
                        self.link.refuse(command, "you are being signed in again");
                        self.next_refresh = Instant::now();
                    }
                    Err(_) => room.sign_in_first(*visitor, key.clone()),
                }
            }
            Command::List { room } => {
                let users: Vec<String> = parse(answer)?;
                let mut names: Vec<_> =
                    users.iter().filter_map(|user| user.split('\t').nth(2)).collect();
                names.sort_unstable();
                room.show_list(&names);
            }
            Command::Finish(done) => {
                let _ = done.try_send(());
            }
            Command::Check => self.next_refresh = Instant::now(),
            Command::Leave { .. } | Command::Follow => {}
        }
        Ok(())
    }

    /// Renews the leases of all users here, and signs those in again that were removed because this
    /// process was stopped or Redis has forgotten them. All at once: commands wait meanwhile.
    fn refresh(&mut self) -> RedisResult<()> {
        let Some(Session { connection, scripts }) = &mut self.session else { return Ok(()) };
        let rooms = self.rooms.all();
        let people: Vec<_> = rooms.iter().map(|room| (room, room.people())).collect();
        let parts: Vec<_> = people
            .iter()
            .flat_map(|(room, people)| {
                // Where all are guests, users of other processes may have gone nevertheless.
                let none = people.is_empty().then_some(people.as_slice());
                people.chunks(USERS).chain(none).map(move |people| (*room, people))
            })
            .collect();
        let renewals = parts.iter().map(|(room, people)| {
            let users: Vec<_> = people.iter().map(|it| self.link.user(it.visitor)).collect();
            scripts.refresh(room.name(), &users)
        });
        // Whether Redis stores anything at all shows with a key that is this process's alone.
        let all: Vec<_> = [scripts::mark(&self.link.process)].into_iter().chain(renewals).collect();
        let mut answers = ask(connection, &all, DEADLINE)?.into_iter();
        answers.next().transpose()?;
        let mut lost = Vec::new();
        for ((room, people), answer) in parts.into_iter().zip(answers) {
            match answer.and_then(parse::<Vec<String>>) {
                Ok(users) => {
                    let is_lost = |it: &&Person| users.contains(&self.link.user(it.visitor));
                    lost.extend(people.iter().filter(is_lost).map(|person| (room, person)));
                }
                Err(error) if is_forgotten(&error) => return Err(error),
                Err(error) => eprintln!("room {}, its users: {error}", room.name()),
            }
        }
        self.sign_in_again(&lost)
    }

    /// Signs visitors in that have lost their names; some of them later, if they are many.
    fn sign_in_again(&mut self, lost: &[(&Arc<Room>, &Person)]) -> RedisResult<()> {
        let Some(Session { connection, scripts }) = &mut self.session else { return Ok(()) };
        if lost.is_empty() {
            return Ok(());
        }
        let (lost, later) = lost.split_at(lost.len().min(USERS));
        let all = lost.iter().map(|(room, person)| {
            let user = self.link.user(person.visitor);
            scripts.take(room.name(), &user, &person.client, true, &candidates(&person.name))
        });
        let answers = ask(connection, &all.collect::<Vec<_>>(), DEADLINE)?;
        for ((room, person), answer) in lost.iter().zip(answers) {
            match answer.and_then(parse::<String>) {
                Ok(name) => room.renamed(person.visitor, &person.name, &name),
                Err(error) => eprintln!("room {}, a name: {error}", room.name()),
            }
        }
        if !later.is_empty() {
            self.refresh_soon();
        }
        Ok(())
    }
}

/// Whether Redis does not know the scripts any more. It gets them on the next connection.
fn is_forgotten(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(redis::ServerErrorKind::NoScript)
}

fn encode(link: &Link, scripts: &Scripts, command: &Command) -> Cmd {
    match command {
        Command::SignIn { room, visitor, client, wish } => {
            scripts.take(room.name(), &link.user(*visitor), client, false, &candidates(wish))
        }
        Command::Say { room, visitor, client, text, key } => scripts.say(&Message {
            room: room.name(),
            client,
            user: &link.user(*visitor),
            text,
            key: key.as_deref().unwrap_or_default(),
            keep: link.keep.as_secs(),
        }),
        Command::Leave { room, visitor } => scripts.leave(room.name(), &link.user(*visitor)),
        Command::List { room } => cmd("HVALS").arg(scripts::key(room.name(), "users")).take(),
        Command::Follow => scripts::wake(&link.process),
        Command::Check | Command::Finish(_) => cmd("PING"),
    }
}
