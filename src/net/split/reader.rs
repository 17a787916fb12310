//! The receiving half.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::handle::Handle;
use crate::net::blocking::{is_reset, is_would_block};
use crate::net::stream::Stream;
use crate::net::websocket::{QUIET, Step, WORTH_RELEASE};
use crate::net::{Error, Next, Transport};
use crate::split::Receiver;
use crate::{Event, Outcome, OwnedMessage, ReceiveBuffer};

/// The receiving half of a [`WebSocket`](crate::net::WebSocket) after
/// [`split`](crate::net::WebSocket::split).
///
/// The program must keep reading: the background thread writes the answers to Pings and Close
/// frames, but only the reader receives them, and sees whether the peer is alive.
#[derive(Debug)]
pub struct Reader {
    stream: Stream,
    receiver: Receiver,
    input: ReceiveBuffer,
    handle: Handle,
    /// The timeout that the reads of the stream have.
    read_timeout: Option<Duration>,
    finished: bool,
}

impl Reader {
    pub(super) fn new(receiver: Receiver, input: ReceiveBuffer, handle: Handle) -> Self {
        let stream = handle.stream.clone();
        Self { stream, receiver, input, handle, read_timeout: None, finished: false }
    }

    /// Waits for the next event; `None` after a completed closing handshake. The background thread
    /// writes queued messages meanwhile.
    ///
    /// After a protocol error of the peer it still reads and discards until the peer has ended its
    /// side, for [`Timeouts::closing`](crate::Timeouts::closing) at most, and only then returns the
    /// error: otherwise the peer might lose the Close frame with the reason.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], [`Error::Timeout`], [`Error::Abnormal`] and [`Error::Io`]: the
    /// connection is over.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(match self.wait(None)? {
            Step::Event => self.input.event(),
            Step::Ended | Step::TimedOut => None,
        })
    }

    /// [`next_event`](Self::next_event) that waits for about `timeout` at most; with zero it takes
    /// what has arrived. Each event ends the wait, as in
    /// [`WebSocket::next_event_timeout`](crate::net::WebSocket::next_event_timeout).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`next_event`](Self::next_event) returns it.
    pub fn next_event_timeout(&mut self, timeout: Duration) -> Result<Next<Event<'_>>, Error> {
        let step = self.wait(Instant::now().checked_add(timeout))?;
        Ok(step.lend(self.input.event()))
    }

    /// Waits for the next message and returns it with its memory; `None` after a completed closing
    /// handshake. Skips Pings, Pongs and Close frames. With
    /// [`Delivery::Chunks`](crate::Delivery::Chunks) it returns the next piece of a message.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`next_event`](Self::next_event) returns it.
    pub fn next_message(&mut self) -> Result<Option<OwnedMessage>, Error> {
        while let Step::Event = self.wait(None)? {
            if let Some(message) = self.input.take_message() {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Returns how the connection ended, once it has: whether it was clean, the code and the
    /// reason.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.handle.lock().outcome()
    }

    fn wait(&mut self, until: Option<Instant>) -> Result<Step, Error> {
        let mut has_read = false;
        loop {
            match self.receiver.advance(&mut self.input) {
                Ok(true) => {
                    self.respond();
                    return Ok(Step::Event);
                }
                Ok(false) => {}
                // It is the outcome, and ends the transport like any other.
                Err(error) => self.handle.update(|outbox| outbox.fail(error)),
            }
            if self.finished {
                return self.result();
            }
            if self.set_timeout(until)? && has_read {
                return Ok(Step::TimedOut);
            }
            self.note();
            let read = self.input.read_from(&mut self.stream);
            self.handle.reads.store(false, Ordering::Release);
            has_read = true;
            match read {
                Ok(0) => self.end(until),
                Ok(_) => {}
                Err(error) => self.read_failed(error)?,
            }
        }
    }

    /// Queues the answer to a control frame, and counts a message.
    fn respond(&mut self) {
        if self.input.lends_control()
            && let Some(event) = self.input.event()
        {
            self.handle.update(|outbox| outbox.respond(&event));
        } else if let Some(slot) = &self.handle.slot
            && let Some(event) = self.input.event()
        {
            slot.counters().received(&event);
        }
    }

    /// Records what has arrived, and lets queued frames be written.
    fn note(&mut self) {
        let mut outbox = self.handle.lock();
        let progress = self.receiver.progress(&mut self.input);
        self.handle.reads.store(true, Ordering::Release);
        if outbox.note(progress) {
            self.handle.notify();
        }
    }

    /// Lets the next read time out if there is memory to free, or at `until`. Returns whether that
    /// has passed.
    #[inline]
    fn set_timeout(&mut self, until: Option<Instant>) -> io::Result<bool> {
        // Also while a message is arriving: not a system call more for each large message.
        let quiet = (self.input.capacity() > WORTH_RELEASE).then_some(QUIET);
        if until.is_none() && self.read_timeout == quiet {
            return Ok(false);
        }
        self.change_timeout(until, quiet)
    }

    #[cold]
    fn change_timeout(
        &mut self,
        until: Option<Instant>,
        quiet: Option<Duration>,
    ) -> io::Result<bool> {
        const LEAST: Duration = Duration::from_millis(1);
        let left = until.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| left.max(LEAST)).into_iter().chain(quiet).min();
        // One that ends a little late, or early, costs less than a system call for each message.
        let serves = |set: Duration, wanted: Duration| {
            set <= wanted.saturating_add(LEAST) && wanted <= set.saturating_mul(2)
        };
        let keep = match (self.read_timeout, timeout) {
            (Some(set), Some(wanted)) => until.is_some() && serves(set, wanted),
            (set, wanted) => set == wanted,
        };
        if !keep {
            self.stream.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        Ok(left.is_some_and(|left| left.is_zero()))
    }

    #[cold]
    fn read_failed(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::Interrupted {
            return Ok(());
        }
        if is_would_block(&error) && self.read_timeout.is_some() {
            if self.input.capacity() > WORTH_RELEASE {
                self.input.release();
                self.handle.lock().queue.release();
            }
            return Ok(());
        }
        let known = self.handle.lock().sender.outcome().is_some();
        self.end(None);
        if known || is_reset(&error) { Ok(()) } else { Err(error.into()) }
    }

    /// Records that the peer has ended its side. Waiting bytes may still be written within the time
    /// limit, for which this waits, until `until` at most.
    fn end(&mut self, until: Option<Instant>) {
        self.handle.update(|outbox| outbox.sender.receive_eof());
        let mut outbox = self.handle.lock();
        outbox.write_wanted = true;
        self.handle.notify();
        while !outbox.dropped && until.is_none_or(|until| Instant::now() < until) {
            outbox = self.handle.wait(outbox, until);
        }
        self.finished = outbox.dropped;
    }

    fn result(&self) -> Result<Step, Error> {
        let outbox = self.handle.lock();
        match outbox.outcome() {
            Some(Outcome::Clean { .. }) => Ok(Step::Ended),
            // A write has failed, and the transport was ended for it.
            Some(Outcome::Abnormal) | None => match outbox.failure() {
                Some(error) if !is_reset(&error) => Err(error.into()),
                _ => Err(Error::Abnormal),
            },
            Some(Outcome::Failed(error)) => Err(error.into()),
            Some(Outcome::TimedOut(timeout)) => Err(timeout.into()),
        }
    }
}
