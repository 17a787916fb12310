//! The receiving half.

use std::io;
use std::sync::atomic::Ordering;

use super::handle::Handle;
use crate::net::blocking::{is_reset, is_would_block};
use crate::net::stream::Stream;
use crate::net::websocket::{QUIET, WORTH_RELEASE};
use crate::net::{Error, Transport};
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
    /// Whether reads time out after [`QUIET`], to free memory.
    is_timed: bool,
    finished: bool,
}

impl Reader {
    pub(super) fn new(receiver: Receiver, input: ReceiveBuffer, handle: Handle) -> Self {
        let stream = handle.stream.clone();
        Self { stream, receiver, input, handle, is_timed: false, finished: false }
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
        Ok(if self.wait()? { self.input.event() } else { None })
    }

    /// Waits for the next message and returns it with its memory; `None` after a completed closing
    /// handshake. Skips Pings, Pongs and Close frames. With
    /// [`Delivery::Chunks`](crate::Delivery::Chunks) it returns the next piece of a message.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`next_event`](Self::next_event) returns it.
    pub fn next_message(&mut self) -> Result<Option<OwnedMessage>, Error> {
        while self.wait()? {
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

    fn wait(&mut self) -> Result<bool, Error> {
        loop {
            match self.receiver.advance(&mut self.input) {
                Ok(true) => {
                    self.respond();
                    return Ok(true);
                }
                Ok(false) => {}
                // It is the outcome, and ends the transport like any other.
                Err(error) => self.handle.update(|outbox| outbox.fail(error)),
            }
            if self.finished {
                return self.result();
            }
            self.release_when_quiet()?;
            self.note();
            let read = self.input.read_from(&mut self.stream);
            self.handle.reads.store(false, Ordering::Release);
            match read {
                Ok(0) => self.end(),
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

    /// Lets the next read time out if there is memory to free.
    #[inline]
    fn release_when_quiet(&mut self) -> io::Result<()> {
        // Also while a message is arriving: not a system call more for each large message.
        let large = self.input.capacity() > WORTH_RELEASE;
        if large != self.is_timed {
            self.stream.set_read_timeout(large.then_some(QUIET))?;
            self.is_timed = large;
        }
        Ok(())
    }

    #[cold]
    fn read_failed(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::Interrupted {
            return Ok(());
        }
        if is_would_block(&error) && self.is_timed {
            self.input.release();
            self.handle.lock().queue.release();
            return Ok(());
        }
        let known = self.handle.lock().sender.outcome().is_some();
        self.end();
        if known || is_reset(&error) { Ok(()) } else { Err(error.into()) }
    }

    /// Records that the peer has ended its side. Waiting bytes may still be written within the time
    /// limit.
    fn end(&mut self) {
        self.handle.update(|outbox| outbox.sender.receive_eof());
        let mut outbox = self.handle.lock();
        outbox.write_wanted = true;
        self.handle.notify();
        while !outbox.dropped {
            outbox = self.handle.wait(outbox, None);
        }
        self.finished = true;
    }

    fn result(&self) -> Result<bool, Error> {
        let outbox = self.handle.lock();
        match outbox.outcome() {
            Some(Outcome::Clean { .. }) => Ok(false),
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
