//! The receiving half.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::super::linger::{linger, linger_until};
use super::super::stream::{Socket, Stream, is_would_block};
use super::super::websocket::{QUIET, WORTH_RELEASE};
use super::Handle;
use crate::buffer::{ReceiveBuffer, What};
use crate::config::Role;
use crate::connection::Outcome;
use crate::event::Event;
use crate::net::Error;
use crate::receiver::Receiver;

/// The receiving half of a [`WebSocket`](crate::net::WebSocket) after
/// [`split`](crate::net::WebSocket::split).
///
/// It must be read from: while nobody does, Pings and Close frames are not answered, and it is not
/// seen whether the peer is alive.
#[derive(Debug)]
pub struct Reader {
    stream: Stream,
    receiver: Receiver,
    input: ReceiveBuffer,
    handle: Handle,
    /// Whether a message has arrived since the housekeeper was told.
    used: bool,
    /// Whether reads end after [`QUIET`], to give memory back.
    armed: bool,
    finished: bool,
}

impl Reader {
    pub(super) fn new(receiver: Receiver, input: ReceiveBuffer, handle: Handle) -> Self {
        let stream = handle.stream.clone();
        Self { stream, receiver, input, handle, used: false, armed: false, finished: false }
    }

    /// Waits for the next event; `None` when the connection is over after a closing handshake. What
    /// the writers queued is written, by another thread, before it waits.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], [`Error::Timeout`], [`Error::Abnormal`] and [`Error::Io`]: the connection
    /// is over.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(if self.wait()? { self.input.event() } else { None })
    }

    /// How the connection ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.handle.lock().outcome
    }

    fn wait(&mut self) -> Result<bool, Error> {
        loop {
            match self.receiver.advance(&mut self.input) {
                Ok(true) => {
                    match self.input.what() {
                        Some(What::Message(_) | What::Chunk { .. }) => self.used = true,
                        _ => self.respond(),
                    }
                    return Ok(true);
                }
                Ok(false) => {}
                Err(error) => {
                    let mut outbox = self.handle.lock();
                    outbox.last_words(error.close_code());
                    let outcome = *outbox.outcome.get_or_insert(Outcome::Failed(error));
                    drop(outbox);
                    return self.finish(outcome);
                }
            }
            self.arm()?;
            if let Some(outcome) = self.before_waiting() {
                return self.finish(outcome);
            }
            let read = self.input.read_from(&mut self.stream);
            self.handle.listening.store(false, Ordering::Release);
            match read {
                Ok(0) => self.end(),
                Ok(_) => {}
                Err(error) => self.read_failed(error)?,
            }
        }
    }

    /// Queues the answer to a control frame.
    #[cold]
    fn respond(&mut self) {
        let Some(event) = self.input.event() else { return };
        let mut outbox = self.handle.lock();
        let outbox = &mut *outbox;
        outbox.sender.respond(&event, &mut outbox.queued);
        outbox.wanted = true;
        if let Event::Close(close) = event {
            outbox.outcome.get_or_insert(Outcome::Clean(close.code));
        }
        self.handle.notify();
    }

    /// Tells the timers what has arrived and has what is queued written, unless all is over.
    fn before_waiting(&mut self) -> Option<Outcome> {
        let mut outbox = self.handle.lock();
        if outbox.outcome.is_some() {
            return outbox.outcome;
        }
        outbox.observed.heard |= self.input.take_fresh();
        outbox.observed.used |= std::mem::take(&mut self.used);
        let message = self.receiver.is_in_message().then(|| self.receiver.begun());
        let begins = outbox.timers.timeouts().message.is_some()
            && message.is_some()
            && outbox.observed.message != message;
        outbox.observed.message = message;
        outbox.wanted |= !outbox.queued.is_empty();
        if begins || outbox.waits_for_housekeeper() {
            self.handle.notify();
        }
        self.handle.listening.store(true, Ordering::Release);
        None
    }

    /// Lets the next read end early if there is memory to give back.
    #[inline]
    fn arm(&mut self) -> io::Result<()> {
        let large = self.input.capacity() > WORTH_RELEASE && self.input.is_idle();
        if large != self.armed {
            self.stream.set_read_timeout(large.then_some(QUIET))?;
            self.armed = large;
        }
        Ok(())
    }

    #[cold]
    fn read_failed(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::Interrupted {
            return Ok(());
        }
        if is_would_block(&error) && self.armed {
            self.input.release();
            self.handle.lock().release();
            return Ok(());
        }
        let known = self.handle.lock().outcome.is_some();
        self.end();
        if known { Ok(()) } else { Err(error.into()) }
    }

    /// The transport has ended.
    fn end(&self) {
        let mut outbox = self.handle.lock();
        outbox.outcome.get_or_insert(Outcome::Abnormal);
        outbox.sender.shut();
        self.handle.notify();
    }

    fn finish(&mut self, outcome: Outcome) -> Result<bool, Error> {
        if !std::mem::replace(&mut self.finished, true) {
            if matches!(outcome, Outcome::Clean(_) | Outcome::Failed(_)) {
                self.wait_for_peer(outcome);
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

    /// The orderly end: our last words are written, and then the peer ends its side.
    fn wait_for_peer(&mut self, outcome: Outcome) {
        let mut outbox = self.handle.lock();
        let until = linger_until(outbox.timers.timeouts().closing);
        outbox.wanted = true;
        self.handle.notify();
        while !outbox.is_written() && !outbox.has_failed() && Instant::now() < until {
            outbox = self.handle.wait(outbox, Some(until));
        }
        // "in normal cases the TCP connection MUST be closed first by the server" (7.1.1)
        let waits = matches!(outcome, Outcome::Clean(_)) && outbox.sender.role() == Role::Client;
        let can_end = outbox.is_written();
        drop(outbox);
        if can_end && (waits || self.stream.shutdown_write().is_ok()) {
            linger(&mut self.stream, until);
            if waits {
                let _ = self.stream.shutdown_write();
            }
        }
        if let Some(slot) = &self.handle.slot {
            slot.settle();
        }
    }
}
