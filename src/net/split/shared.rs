//! The state shared by the threads of a split connection: the outbox behind its lock, and the
//! stream.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use super::outbox::{Outbox, Verdict};
use crate::buffer::Unwritten;
use crate::net::blocking::STEP;
use crate::net::core::count_sent;
use crate::net::lock::{lock, wait};
use crate::net::slot::Slot;
use crate::net::stream::Stream;
use crate::net::write::write_while_taken;
use crate::net::{Error, Transport};
use crate::split::Sender;
use crate::{EncodedMessage, OutgoingMessage, SendBuffer, SendError};

/// The largest write, so that the progress of a large batch is visible.
const WRITE: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) stream: Stream,
    /// The place in the server that accepted the connection.
    pub(super) slot: Option<Arc<Slot>>,
    /// Whether the reader waits for the peer. Otherwise the peer's silence does not count.
    pub(super) reads: AtomicBool,
    /// Number of bytes that the network has taken.
    pub(super) written: AtomicU64,
    /// Notified when the outbox changes.
    changed: Condvar,
    outbox: Mutex<Outbox>,
}

/// The outbox while it is locked.
pub(super) type Locked<'a> = MutexGuard<'a, Outbox>;

impl Shared {
    /// Configures the stream: reads wait forever, writes for a [`STEP`].
    pub(super) fn new(stream: Stream, slot: Option<Arc<Slot>>, outbox: Outbox) -> io::Result<Self> {
        stream.get_ref().set_nonblocking(false)?;
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(Some(STEP))?;
        Ok(Self {
            stream,
            slot,
            reads: AtomicBool::new(false),
            written: AtomicU64::new(0),
            changed: Condvar::new(),
            outbox: Mutex::new(outbox),
        })
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        lock(&self.outbox)
    }

    /// Changes the outbox, and wakes the threads that wait for a change.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Outbox) -> T) -> T {
        let mut outbox = self.lock();
        let result = change(&mut outbox);
        outbox.end_mail_if_over();
        drop(outbox);
        self.notify();
        result
    }

    /// Counts a message, or a fragment of one, that was accepted for sending.
    pub(super) fn count_sent(&self, length: usize, fin: bool) {
        count_sent(self.slot.as_ref(), length, fin);
    }

    /// Wakes the threads that wait for a change of the outbox.
    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits for a change, at most until `until`.
    pub(super) fn wait<'a>(&self, outbox: Locked<'a>, until: Option<Instant>) -> Locked<'a> {
        wait(&self.changed, outbox, until)
    }

    /// Queues the frame that `encode` makes, when there is room for it, and returns when it is
    /// written.
    pub(super) fn send(
        &self,
        encode: impl Fn(&mut Sender, &mut SendBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        loop {
            let mut outbox = self.lock();
            match outbox.queue(&encode) {
                Err(Error::Send(SendError::BufferFull { .. })) => self.flush(outbox)?,
                Err(error) => return Err(error),
                Ok(()) => return self.flush(outbox),
            }
        }
    }

    /// Returns when everything queued now is written, by any thread.
    pub(super) fn flush<'a>(&'a self, outbox: Locked<'a>) -> Result<(), Error> {
        outbox.check_lost()?;
        let ticket = outbox.queue.ticket();
        self.write_through(outbox, ticket)
    }

    fn write_through<'a>(&'a self, mut outbox: Locked<'a>, ticket: u64) -> Result<(), Error> {
        while !outbox.queue.is_done(ticket) {
            outbox.check()?;
            if outbox.dropped {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            outbox = self.write_or_wait(outbox, None);
        }
        Ok(())
    }

    /// Writes once, for at most a [`STEP`]; if another thread writes, waits at most until `until`.
    pub(super) fn write_or_wait<'a>(
        &'a self,
        mut outbox: Locked<'a>,
        until: Option<Instant>,
    ) -> Locked<'a> {
        let Some(mut batch) = outbox.take() else { return self.wait(outbox, until) };
        drop(outbox);
        let result = batch.write_once(&mut self.counting()).and_then(|n| {
            if n == 0 && !batch.is_empty() {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if batch.is_empty() { self.stream.clone().flush() } else { Ok(()) }
        });
        self.put_back(batch, result)
    }

    fn put_back(&self, batch: SendBuffer, result: io::Result<()>) -> Locked<'_> {
        let mut outbox = self.lock();
        match outbox.put_back(batch, result) {
            Verdict::GoesOn => {}
            verdict => self.abort(verdict),
        }
        self.notify();
        outbox
    }

    /// Ends the stream, where the reader notices that nothing more can be written.
    pub(super) fn abort(&self, verdict: Verdict) {
        if let (Verdict::TooSlow, Some(slot)) = (verdict, &self.slot) {
            slot.counters().write_timed_out();
        }
        let _ = self.stream.abort();
    }

    fn counting(&self) -> Counting<'_> {
        Counting { stream: self.stream.clone(), written: &self.written }
    }

    /// Sends a payload without copying it: this thread takes the right to write, queues the frame's
    /// header, and writes header and payload outside the lock.
    pub(super) fn send_large(&self, message: &Large<'_>) -> Result<(), Error> {
        let length = message.len();
        let mut outbox = self.lock();
        loop {
            outbox.check()?;
            if outbox.can_write() {
                match outbox.sender.check_room(length, outbox.queue.buffered_amount()) {
                    Ok(()) => break,
                    Err(_) if outbox.sender.is_closed() => return Err(SendError::Closed.into()),
                    Err(_) => {}
                }
            }
            outbox = self.write_or_wait(outbox, None);
        }
        // No other thread writes.
        let mut batch = outbox.take_queued().unwrap_or_default();
        let ticket = outbox.queue.ticket();
        let written = match message.shorter().send(&mut outbox.sender, &mut batch) {
            Ok(mut unwritten) => {
                outbox.queue.set_in_flight(unwritten.remaining());
                drop(outbox);
                self.count_sent(message.payload_len(), true);
                self.write_in_place(&mut unwritten);
                // If something is left, the connection is over: a copy would be for nothing.
                Ok(unwritten.discard())
            }
            Err(error) => {
                drop(outbox);
                Err(error)
            }
        };
        match written {
            Ok(lost) => {
                let flushed = if lost == 0 { self.stream.clone().flush() } else { Ok(()) };
                let mut outbox = self.put_back(batch, flushed);
                outbox.lost = lost;
                outbox.check_lost()?;
                self.write_through(outbox, ticket)
            }
            Err(error) => {
                self.put_back(batch, Ok(())).write_wanted = true;
                Err(error.into())
            }
        }
    }

    /// Writes a payload from where it lies, until all is written or nothing more can be.
    fn write_in_place(&self, unwritten: &mut Unwritten<'_>) {
        loop {
            let result = write_while_taken(unwritten, &mut self.counting()).map(drop);
            if unwritten.is_empty() && result.is_ok() {
                return;
            }
            let mut outbox = self.lock();
            let verdict = outbox.progress(unwritten.remaining(), result);
            let is_over = verdict != Verdict::GoesOn || outbox.dropped;
            drop(outbox);
            self.notify();
            if is_over {
                return self.abort(verdict);
            }
        }
    }
}

/// A message that is written without a copy.
pub(super) enum Large<'m> {
    Message(OutgoingMessage<'m>),
    Encoded(&'m EncodedMessage),
}

impl<'m> Large<'m> {
    fn send(
        &self,
        sender: &mut Sender,
        batch: &'m mut SendBuffer,
    ) -> Result<Unwritten<'m>, SendError> {
        match *self {
            Self::Message(message) => sender.send_in_place(message, batch),
            Self::Encoded(message) => sender.send_encoded_in_place(message, batch),
        }
    }

    /// The same message, borrowed for one call.
    fn shorter(&self) -> Large<'_> {
        match *self {
            Self::Message(message) => Large::Message(message),
            Self::Encoded(message) => Large::Encoded(message),
        }
    }

    fn payload_len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Encoded(message) => message.as_message().len(),
        }
    }

    /// The most that is to be written, but for the header of a message.
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Encoded(message) => message.as_bytes().len(),
        }
    }
}

/// Writes and counts, so that other threads see the progress of a large batch.
struct Counting<'a> {
    stream: Stream,
    written: &'a AtomicU64,
}

impl Counting<'_> {
    fn count(&self, written: io::Result<usize>) -> io::Result<usize> {
        if let Ok(n) = written {
            self.written.fetch_add(n as u64, Ordering::Release);
        }
        written
    }
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes.get(..WRITE).unwrap_or(bytes));
        self.count(written)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let written = self.stream.write_vectored(slices);
        self.count(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
