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
/// It must be read from: the background thread writes the answers to Pings and Close frames, but
/// only the reader reads them, and sees whether the peer is alive.
#[derive(Debug)]
pub struct Reader {
    stream: Stream,
    receiver: Receiver,
    input: ReceiveBuffer,
    handle: Handle,
    /// Whether reads end after [`QUIET`], to give memory back.
    is_timed: bool,
    finished: bool,
}

impl Reader {
    pub(super) fn new(receiver: Receiver, input: ReceiveBuffer, handle: Handle) -> Self {
        let stream = handle.stream.clone();
        Self { stream, receiver, input, handle, is_timed: false, finished: false }
    }

    /// Waits for the next event; `None` when the connection is over after a closing handshake. What
    /// was queued is written by the background thread meanwhile.
    ///
    /// After a violation of the protocol it goes on to read and discard what arrives until the peer
    /// has ended its side, for [`Timeouts::closing`](crate::Timeouts::closing) at most, and only
    /// then returns the error: otherwise the peer might not learn why the connection failed.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], [`Error::Timeout`], [`Error::Abnormal`] and [`Error::Io`]: the
    /// connection is over.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(if self.wait()? { self.input.event() } else { None })
    }

    /// Waits for the next message, and hands it over with its memory; `None` when the connection is
    /// over after a closing handshake. Pings, Pongs and Close frames are passed over. With
    /// [`Delivery::Chunks`](crate::Delivery::Chunks) it is the next piece of a message.
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

    /// Returns how the connection ended, once it has: whether that was clean, the code and the
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
                // The outcome, which ends the transport like any other.
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

    /// Queues the answer to a control frame.
    fn respond(&mut self) {
        if self.input.lends_control()
            && let Some(event) = self.input.event()
        {
            self.handle.update(|outbox| outbox.respond(&event));
        }
    }

    /// Tells the timers what has arrived, and has what is queued written.
    fn note(&mut self) {
        let mut outbox = self.handle.lock();
        let progress = self.receiver.progress(&mut self.input);
        self.handle.reads.store(true, Ordering::Release);
        if outbox.note(progress) {
            self.handle.notify();
        }
    }

    /// Lets the next read end early if there is memory to give back.
    #[inline]
    fn release_when_quiet(&mut self) -> io::Result<()> {
        let large = self.input.capacity() > WORTH_RELEASE && self.input.is_idle();
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

    /// The peer has ended its side. What waits to be written still leaves, in the time that there
    /// is.
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
        match self.outcome() {
            Some(Outcome::Clean { .. }) => Ok(false),
            Some(Outcome::Abnormal) | None => Err(Error::Abnormal),
            Some(Outcome::Failed(error)) => Err(error.into()),
            Some(Outcome::TimedOut(timeout)) => Err(timeout.into()),
        }
    }
}
