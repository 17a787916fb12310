//! One connection on several threads: one reads, others write.
//!
//! Frames are encoded under a lock and written outside of it: a thread that waits for the network
//! never keeps another from queueing, and in particular the reader never waits for a write. If it
//! did, two peers that both send at full speed and ping each other would come to a halt: neither
//! reads because each waits to write its Pong. A thread of its own writes what the reader queued and
//! keeps the timers; it sleeps otherwise.

use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::linger::{LINGER_TIME, linger};
use super::outgoing::{WORTH_VECTORED, write_frame};
use super::stream::{Socket, Tcp};
use super::{Error, WebSocket};
use crate::buffer::{ReceiveBuffer, SendBuffer, What};
use crate::close::CloseCode;
use crate::connection::Outcome;
use crate::event::{Event, Message};
use crate::receiver::Receiver;
use crate::sender::{EncodedMessage, Sender};
use crate::timer::{Due, Observed, Timeout, Timers};

impl WebSocket<Tcp> {
    /// The two halves, for two threads; [`Writer`] can be cloned for more. Answers to Pings and Close
    /// frames and the timers are taken care of by a thread that ends with the connection.
    ///
    /// # Errors
    ///
    /// What was queued could not be written, or the thread could not be started; the connection is
    /// dropped.
    pub fn split(mut self) -> Result<(Reader, Writer), Error> {
        self.flush()?;
        let slot = self.take_slot();
        let (stream, connection, input, buffer) = self.into_parts();
        stream.set_read_timeout(None)?;
        let (receiver, sender, timers) = connection.into_halves();
        let shared = Arc::new(Shared {
            stream: stream.clone(),
            changed: Condvar::new(),
            outbox: Mutex::new(Outbox::new(sender, timers, buffer)),
        });
        let housekeeper = Arc::clone(&shared);
        thread::Builder::new()
            .name("sansock-split".into())
            .spawn(move || housekeeper.keep_house())?;
        if let Some(slot) = slot {
            let shared = Arc::downgrade(&shared);
            slot.set_leave(move || {
                if let Some(shared) = shared.upgrade() {
                    shared.go_away();
                }
            });
        }
        let handle = Handle(shared);
        let writer = Writer { handle: handle.clone() };
        Ok((Reader { stream, receiver, input, handle, finished: false }, writer))
    }
}

/// The receiving half of a [`WebSocket`] after [`split`](WebSocket::split).
#[derive(Debug)]
pub struct Reader {
    stream: Tcp,
    receiver: Receiver,
    input: ReceiveBuffer,
    handle: Handle,
    finished: bool,
}

/// The sending half of a [`WebSocket`] after [`split`](WebSocket::split). Clones send on the same
/// connection, message by message.
#[derive(Clone, Debug)]
pub struct Writer {
    handle: Handle,
}

impl Reader {
    /// Waits for the next event; `None` when the connection is over after a closing handshake. What
    /// the writers queued is written, by another thread, before it waits.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next_event`].
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(if self.wait()? { self.input.event() } else { None })
    }

    fn wait(&mut self) -> Result<bool, Error> {
        loop {
            match self.receiver.advance(&mut self.input) {
                Ok(true) => {
                    if !matches!(self.input.what(), Some(What::Message(_) | What::Chunk { .. })) {
                        self.respond();
                    }
                    return Ok(true);
                }
                Ok(false) => {}
                Err(error) => {
                    let mut outbox = self.handle.outbox();
                    let Outbox { sender, buffer, outcome, .. } = &mut *outbox;
                    sender.fail(error, buffer);
                    let outcome = *outcome.get_or_insert(Outcome::Failed(error));
                    drop(outbox);
                    return self.finish(outcome);
                }
            }
            if let Some(outcome) = self.before_waiting() {
                return self.finish(outcome);
            }
            match self.input.read_from(&mut self.stream) {
                Ok(0) => self.handle.0.end(Outcome::Abnormal),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if self.handle.outbox().outcome.is_none() {
                        self.handle.0.end(Outcome::Abnormal);
                        return Err(error.into());
                    }
                }
            }
        }
    }

    /// Queues the answer to a control frame.
    #[cold]
    fn respond(&mut self) {
        let Some(event) = self.input.event() else { return };
        let mut outbox = self.handle.outbox();
        let Outbox { sender, buffer, .. } = &mut *outbox;
        sender.respond(&event, buffer);
        if let Event::Close(close) = event {
            outbox.outcome.get_or_insert(Outcome::Clean(close.code));
        }
        outbox.wanted = true;
        self.handle.0.changed.notify_all();
    }

    /// Tells the timers what has arrived and has what is queued written, unless all is over.
    fn before_waiting(&mut self) -> Option<Outcome> {
        let mut outbox = self.handle.outbox();
        if outbox.outcome.is_some() {
            return outbox.outcome;
        }
        outbox.observed.heard |= self.input.take_fresh();
        let message = self.receiver.is_in_message().then(|| self.receiver.begun());
        let begins = outbox.observed.message != message;
        outbox.observed.used |= begins;
        outbox.observed.message = message;
        let queued = !outbox.buffer.is_empty() && !outbox.writing;
        if queued || begins {
            outbox.wanted |= queued;
            self.handle.0.changed.notify_all();
        }
        None
    }

    /// The end: our last words, and the peer's end of the stream.
    fn finish(&mut self, outcome: Outcome) -> Result<bool, Error> {
        if !std::mem::replace(&mut self.finished, true) && outcome != Outcome::Abnormal {
            let until = Instant::now()
                + self.handle.outbox().timers.timeouts().closing.unwrap_or(LINGER_TIME);
            if self.handle.0.drain(until) {
                // A client waits for the server to close first (7.1.1).
                let clean_client = matches!(outcome, Outcome::Clean(_))
                    && self.handle.outbox().sender.role() == crate::config::Role::Client;
                if clean_client || self.stream.shutdown_write().is_ok() {
                    linger(&mut self.stream, until);
                }
            }
            // Whoever still waits to write gives up.
            let _ = self.stream.get_ref().shutdown(Shutdown::Both);
        }
        match outcome {
            Outcome::Clean(_) => Ok(false),
            Outcome::Abnormal => Err(Error::Abnormal),
            Outcome::Failed(error) => Err(error.into()),
            Outcome::TimedOut(timeout) => Err(timeout.into()),
        }
    }

    /// How the connection ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.handle.outbox().outcome
    }
}

impl Writer {
    /// Sends a message and all that was queued before; returns when the network has taken it. A large
    /// payload is not copied.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: nothing was sent. [`Error::Io`]: the connection is broken, and
    /// [`buffered_amount`](Self::buffered_amount) tells how much was not written.
    pub fn send<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        let message = message.into();
        if message.len() >= WORTH_VECTORED {
            return self.handle.0.send_large(message);
        }
        let mut outbox = self.handle.outbox();
        outbox.queue(|sender, buffer| sender.send(message, buffer))?;
        self.handle.0.flush(outbox)
    }

    /// Queues a message: it leaves with the next [`send`](Self::send) or [`flush`](Self::flush), or
    /// before the reader waits.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]; nothing was queued.
    pub fn queue<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.handle.outbox().queue(|sender, buffer| sender.send(message, buffer))
    }

    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]; nothing was queued.
    pub fn queue_encoded(&self, message: &EncodedMessage) -> Result<(), Error> {
        self.handle.outbox().queue(|sender, buffer| sender.send_encoded(message, buffer))
    }

    /// Sends a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_encoded(&self, message: &EncodedMessage) -> Result<(), Error> {
        let mut outbox = self.handle.outbox();
        outbox.queue(|sender, buffer| sender.send_encoded(message, buffer))?;
        self.handle.0.flush(outbox)
    }

    /// Sends the next fragment of a message; `fin` marks the last. Fragments of a message must come
    /// from one writer: another's messages are refused meanwhile
    /// ([`SendError::MessageInProgress`](crate::SendError::MessageInProgress)).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_fragment<'m>(
        &self,
        fragment: impl Into<Message<'m>>,
        fin: bool,
    ) -> Result<(), Error> {
        let mut outbox = self.handle.outbox();
        outbox.queue(|sender, buffer| sender.send_fragment(fragment, fin, buffer))?;
        self.handle.0.flush(outbox)
    }

    /// Sends a Ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        let mut outbox = self.handle.outbox();
        outbox.queue(|sender, buffer| sender.ping(payload, buffer))?;
        self.handle.0.flush(outbox)
    }

    /// Starts the closing handshake; the reader sees its end. A reason needs a code.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn close(&self, code: impl Into<Option<CloseCode>>, reason: &str) -> Result<(), Error> {
        let mut outbox = self.handle.outbox();
        outbox.queue(|sender, buffer| sender.close(code, reason, buffer))?;
        // The housekeeper learns that the closing handshake is timed from now on.
        self.handle.0.changed.notify_all();
        self.handle.0.flush(outbox)
    }

    /// Writes what was queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], as [`send`](Self::send).
    pub fn flush(&self) -> Result<(), Error> {
        self.handle.0.flush(self.handle.outbox())
    }

    /// Bytes that were accepted for sending and of which it is not known that the network has taken
    /// them.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        let outbox = self.handle.outbox();
        outbox.buffer.buffered_amount() + outbox.in_flight
    }
}

/// What both halves and the housekeeper share.
#[derive(Debug)]
struct Shared {
    stream: Tcp,
    /// Notified when anything in the outbox changes that somebody may wait for.
    changed: Condvar,
    outbox: Mutex<Outbox>,
}

#[derive(Debug)]
struct Outbox {
    sender: Sender,
    timers: Timers,
    observed: Observed,
    /// What is queued.
    buffer: SendBuffer,
    /// The buffer that was written last, kept for its memory.
    spare: SendBuffer,
    /// Whether a thread is writing: it alone may.
    writing: bool,
    /// How many times a thread took what was queued in order to write it, and how many of these are
    /// done: what is queued now is written when `done` has passed today's `taken`.
    taken: u64,
    done: u64,
    /// Bytes that the writing thread took and, after a failure, those that it could not write.
    in_flight: usize,
    /// Whether the housekeeper shall write.
    wanted: bool,
    /// Why nothing can be written any more.
    failed: Option<io::ErrorKind>,
    outcome: Option<Outcome>,
    /// Readers and writers that exist.
    handles: usize,
}

impl Outbox {
    fn new(sender: Sender, timers: Timers, buffer: SendBuffer) -> Self {
        Self {
            sender,
            timers,
            observed: Observed::default(),
            buffer,
            spare: SendBuffer::new(),
            writing: false,
            taken: 0,
            done: 0,
            in_flight: 0,
            wanted: false,
            failed: None,
            outcome: None,
            handles: 1,
        }
    }

    fn queue<E>(
        &mut self,
        encode: impl FnOnce(&mut Sender, &mut SendBuffer) -> Result<(), E>,
    ) -> Result<(), Error>
    where
        Error: From<E>,
    {
        self.check()?;
        encode(&mut self.sender, &mut self.buffer)?;
        self.observed.used = true;
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        match self.failed {
            Some(kind) => Err(io::Error::from(kind).into()),
            None => Ok(()),
        }
    }

    /// What there is to write, for the one thread that may.
    fn take(&mut self) -> SendBuffer {
        self.writing = true;
        self.wanted = false;
        self.taken += 1;
        let spare = std::mem::take(&mut self.spare);
        let batch = std::mem::replace(&mut self.buffer, spare);
        self.in_flight = batch.buffered_amount();
        batch
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when all that is queued now was written, by whichever thread.
    fn flush<'a>(&'a self, mut outbox: MutexGuard<'a, Outbox>) -> Result<(), Error> {
        if outbox.buffer.is_empty() && !outbox.writing {
            return outbox.check();
        }
        let mine = if outbox.buffer.is_empty() { outbox.taken } else { outbox.taken + 1 };
        while outbox.done < mine {
            outbox.check()?;
            outbox = if outbox.writing { self.wait(outbox) } else { self.write(outbox) };
        }
        outbox.check()
    }

    fn wait<'a>(&self, outbox: MutexGuard<'a, Outbox>) -> MutexGuard<'a, Outbox> {
        self.changed.wait(outbox).unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is queued. Nobody else may be writing.
    fn write<'a>(&'a self, mut outbox: MutexGuard<'a, Outbox>) -> MutexGuard<'a, Outbox> {
        let mut batch = outbox.take();
        drop(outbox);
        let result = batch.write_to(&mut self.stream.clone());
        self.written(batch, result)
    }

    fn written(&self, batch: SendBuffer, result: io::Result<()>) -> MutexGuard<'_, Outbox> {
        let mut outbox = self.lock();
        outbox.writing = false;
        outbox.done = outbox.taken;
        outbox.in_flight = batch.buffered_amount();
        match result {
            Ok(()) => outbox.spare = batch,
            Err(error) => {
                outbox.failed = Some(error.kind());
                outbox.sender.shut();
                // The reader learns it from the end of its stream.
                let _ = self.stream.get_ref().shutdown(Shutdown::Both);
            }
        }
        self.changed.notify_all();
        outbox
    }

    /// Sends a payload that is not worth a copy: with the right to write in hand, the frame's header
    /// joins what is queued, and header and payload are written outside the lock.
    fn send_large(&self, message: Message<'_>) -> Result<(), Error> {
        let mut outbox = self.lock();
        while outbox.writing {
            outbox = self.wait(outbox);
        }
        outbox.check()?;
        outbox.sender.check_whole()?;
        let header = outbox.sender.begin(message.kind(), true, message.len() as u64)?;
        outbox.observed.used = true;
        let mut batch = outbox.take();
        outbox.in_flight += message.len();
        drop(outbox);
        let result = write_frame(&mut self.stream.clone(), &mut batch, &header, message.as_bytes());
        self.written(batch, result).check()
    }

    /// The server that accepted the connection shuts down.
    fn go_away(&self) {
        let mut outbox = self.lock();
        let Outbox { sender, buffer, .. } = &mut *outbox;
        sender.last_words(CloseCode::GOING_AWAY, buffer);
        outbox.wanted = true;
        self.changed.notify_all();
    }

    fn end(&self, outcome: Outcome) {
        let mut outbox = self.lock();
        outbox.outcome.get_or_insert(outcome);
        outbox.sender.shut();
        self.changed.notify_all();
    }

    /// Waits until all that was queued is written; `false` if it cannot be, or not in time.
    fn drain(&self, until: Instant) -> bool {
        let mut outbox = self.lock();
        loop {
            if outbox.failed.is_some() {
                return false;
            }
            if outbox.buffer.is_empty() && !outbox.writing {
                return true;
            }
            outbox.wanted = true;
            self.changed.notify_all();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            outbox =
                self.changed.wait_timeout(outbox, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The housekeeper: writes what the reader has queued and looks at the time.
    fn keep_house(&self) {
        let mut outbox = self.lock();
        loop {
            let can_write = !outbox.writing && outbox.failed.is_none() && !outbox.buffer.is_empty();
            if can_write && (outbox.wanted || outbox.handles == 0) {
                outbox = self.write(outbox);
                continue;
            }
            if outbox.handles == 0 {
                return;
            }
            outbox = match outbox.look_at_the_time() {
                Ok(None) => self.wait(outbox),
                Ok(Some(next)) => {
                    let left = next.saturating_duration_since(Instant::now());
                    self.changed
                        .wait_timeout(outbox, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                Err(timeout) => {
                    outbox.outcome.get_or_insert(Outcome::TimedOut(timeout));
                    if can_write {
                        outbox = self.write(outbox);
                    }
                    // The reader wakes at the end of its stream.
                    let _ = self.stream.get_ref().shutdown(Shutdown::Both);
                    outbox
                }
            };
        }
    }
}

impl Outbox {
    /// Does what is due; when to look next, or what took too long.
    fn look_at_the_time(&mut self) -> Result<Option<Instant>, Timeout> {
        if self.outcome.is_some() {
            return Ok(None);
        }
        self.observed.closing = self.sender.is_closed();
        let due = self.timers.handle(Instant::now(), &self.observed);
        (self.observed.heard, self.observed.used) = (false, false);
        match due {
            None => {}
            Some(Due::Ping(payload)) => {
                // As in `Connection::handle_timeout`: a Ping that finds no room times out.
                let _ = self.sender.ping(&payload, &mut self.buffer);
                self.wanted = true;
                return Ok(Some(Instant::now()));
            }
            Some(Due::Idle) => {
                self.sender.last_words(CloseCode::GOING_AWAY, &mut self.buffer);
                self.wanted = true;
                return Ok(Some(Instant::now()));
            }
            Some(Due::Expired(timeout)) => return Err(timeout),
        }
        Ok(self.timers.poll(&self.observed))
    }
}

/// Counts the readers and writers, so that the housekeeper ends with the last of them.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Handle {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.0.lock()
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        self.outbox().handles += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut outbox = self.outbox();
        outbox.handles -= 1;
        if outbox.handles == 0 {
            if outbox.writing {
                // The housekeeper waits for a peer that does not read, and nobody is left to care.
                let _ = self.0.stream.get_ref().shutdown(Shutdown::Both);
            }
            self.0.changed.notify_all();
        }
    }
}
