//! What waits to be written, and whose turn it is to write.

use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::Error;
use super::super::outgoing::write_frame;
use super::super::slot::Slot;
use super::super::stream::{Stream, is_would_block};
use crate::buffer::SendBuffer;
use crate::close::CloseCode;
use crate::connection::Outcome;
use crate::error::SendError;
use crate::event::{Message, OutgoingMessage};
use crate::sender::Sender;
use crate::timer::{Observed, Timers};

/// A write that makes no progress ends after so long, to see whether it is still wanted.
const STEP: Duration = Duration::from_millis(200);
/// The most that one write is given, so that a large batch is seen to leave.
const WRITE: usize = 256 << 10;

/// What both halves and the housekeeper share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) stream: Stream,
    /// The place in the server that accepted the connection.
    pub(super) slot: Option<Arc<Slot>>,
    /// Whether the reader waits for the peer. While it does not, silence says nothing.
    pub(super) listening: AtomicBool,
    /// Bytes that the network has taken, as of now.
    written: AtomicU64,
    /// Notified when anything in the outbox changes that somebody may wait for.
    changed: Condvar,
    outbox: Mutex<Outbox>,
}

#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) sender: Sender,
    pub(super) timers: Timers,
    pub(super) observed: Observed,
    /// What is queued.
    pub(super) queued: SendBuffer,
    /// What was queued when a thread took it in order to write it. That thread has it in hand; here
    /// is what a write that was cut short left over, and otherwise the memory for the next one.
    batch: SendBuffer,
    /// Bytes of the batch and of a large payload behind it that are not known to be written.
    in_flight: usize,
    /// Bytes that are known to be written.
    written: u64,
    /// Whether a thread writes: it alone may.
    writing: bool,
    /// How many batches were taken, and how many of these are written: what is queued now is
    /// written when `done` has passed today's `taken`.
    taken: u64,
    done: u64,
    /// Whether the housekeeper shall write what is queued.
    pub(super) wanted: bool,
    /// How long a write may make no progress, and since when none was made.
    patience: Option<Duration>,
    stalled: Option<Instant>,
    /// Why nothing can be written any more.
    failed: Option<io::ErrorKind>,
    pub(super) outcome: Option<Outcome>,
    /// Readers and writers that exist.
    pub(super) handles: usize,
    /// When nobody is left to write for: until when to go on with what was queued.
    pub(super) until: Option<Instant>,
}

impl Outbox {
    /// An outbox with nothing queued, of one handle.
    pub(super) fn new(sender: Sender, timers: Timers, outcome: Option<Outcome>) -> Self {
        Self {
            sender,
            timers,
            observed: Observed::default(),
            queued: SendBuffer::new(),
            batch: SendBuffer::new(),
            in_flight: 0,
            written: 0,
            writing: false,
            taken: 0,
            done: 0,
            wanted: false,
            patience: None,
            stalled: None,
            failed: None,
            outcome,
            handles: 1,
            until: None,
        }
    }

    /// Queues what `encode` makes of a payload of `length` bytes.
    pub(super) fn queue(
        &mut self,
        length: usize,
        encode: impl FnOnce(&mut Sender, &mut SendBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.check()?;
        self.sender.check_room(length, self.buffered_amount())?;
        encode(&mut self.sender, &mut self.queued)?;
        self.observed.used = true;
        Ok(())
    }

    /// Queues a Close frame, for which there is always room.
    pub(super) fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.check()?;
        Ok(self.sender.close(code, reason, &mut self.queued)?)
    }

    /// Closes the connection, unless that has begun.
    pub(super) fn last_words(&mut self, code: impl Into<Option<CloseCode>>) {
        self.sender.last_words(code, &mut self.queued);
        self.wanted = true;
    }

    pub(super) fn buffered_amount(&self) -> usize {
        self.in_flight.saturating_add(self.queued.buffered_amount())
    }

    /// Where what is queued now ends in all that is sent.
    #[cfg(feature = "web")]
    pub(super) fn position(&self) -> u64 {
        self.written.saturating_add(self.buffered_amount() as u64)
    }

    /// Whether a whole message is to be compressed.
    pub(super) fn compresses(&self, message: &OutgoingMessage<'_>) -> bool {
        self.sender.compresses(message)
    }

    /// Whether messages that were compressed for many connections may be sent.
    pub(super) const fn has_deflate(&self) -> bool {
        self.sender.has_deflate()
    }

    /// Whether the connection can still be written to.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self.failed {
            Some(kind) => Err(io::Error::from(kind).into()),
            None => Ok(()),
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether all that was queued is written.
    pub(super) fn is_written(&self) -> bool {
        !self.has_rest() && self.queued.is_empty()
    }

    /// Whether the last write was cut short.
    pub(super) fn has_rest(&self) -> bool {
        self.done < self.taken
    }

    /// Whether the housekeeper has something to write now.
    pub(super) fn waits_for_housekeeper(&self) -> bool {
        let work =
            self.done < self.taken || !self.queued.is_empty() && (self.wanted || self.handles == 0);
        work && !self.writing && self.failed.is_none()
    }

    /// Gives back the memory of what is not in use.
    pub(super) fn release(&mut self) {
        if !self.writing {
            self.batch.release();
        }
        self.queued.release();
    }

    /// The right to write, and the batch: what is left of the last one, or what is queued.
    fn take(&mut self) -> SendBuffer {
        self.writing = true;
        if !self.has_rest() {
            std::mem::swap(&mut self.batch, &mut self.queued);
            self.wanted = false;
            self.taken = self.taken.saturating_add(1);
            self.in_flight = self.batch.buffered_amount();
        }
        std::mem::take(&mut self.batch)
    }

    /// The thread that wrote gives the right and the batch back.
    fn put_back(&mut self, batch: SendBuffer, result: io::Result<()>) {
        let before = std::mem::replace(&mut self.in_flight, batch.buffered_amount());
        let written = before.saturating_sub(self.in_flight) as u64;
        self.written = self.written.saturating_add(written);
        self.writing = false;
        self.batch = batch;
        match result {
            Ok(()) => {
                self.done = self.taken;
                self.stalled = None;
            }
            Err(error) if is_would_block(&error) && self.may_go_on(before) => {}
            Err(error) => self.fail(error.kind()),
        }
    }

    /// Whether a write that was cut short is worth another try.
    fn may_go_on(&mut self, before: usize) -> bool {
        if self.in_flight < before {
            self.stalled = None;
            return true;
        }
        let now = Instant::now();
        let since = *self.stalled.get_or_insert(now);
        self.patience.is_none_or(|patience| {
            now.duration_since(since).saturating_add(STEP.min(patience)) < patience
        })
    }

    pub(super) fn fail(&mut self, kind: io::ErrorKind) {
        self.failed.get_or_insert(kind);
        self.sender.shut();
    }
}

/// The outbox while it is locked.
pub(super) type Locked<'a> = MutexGuard<'a, Outbox>;

impl Shared {
    /// Makes the stream ready: reads wait for ever, writes for a [`STEP`].
    pub(super) fn new(
        stream: Stream,
        slot: Option<Arc<Slot>>,
        mut outbox: Outbox,
    ) -> io::Result<Self> {
        let tcp = stream.get_ref();
        outbox.patience = tcp.write_timeout()?;
        tcp.set_nonblocking(false)?;
        tcp.set_read_timeout(None)?;
        tcp.set_write_timeout(Some(outbox.patience.map_or(STEP, |patience| patience.min(STEP))))?;
        Ok(Self {
            stream,
            slot,
            listening: AtomicBool::new(false),
            written: AtomicU64::new(0),
            changed: Condvar::new(),
            outbox: Mutex::new(outbox),
        })
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait that the outbox has changed.
    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// Bytes that the network has taken.
    #[cfg(feature = "web")]
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Waits for a change, until `until` at most.
    pub(super) fn wait<'a>(&self, outbox: Locked<'a>, until: Option<Instant>) -> Locked<'a> {
        match until {
            None => self.changed.wait(outbox).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout(outbox, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Queues what `encode` makes of a payload of `length` bytes, when there is room for it, and
    /// returns when it was written.
    pub(super) fn send(
        &self,
        length: usize,
        encode: impl Fn(&mut Sender, &mut SendBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        loop {
            let mut outbox = self.lock();
            match outbox.queue(length, &encode) {
                Err(Error::Send(SendError::BufferFull { .. })) => self.flush(outbox)?,
                Err(error) => return Err(error),
                Ok(()) => return self.flush(outbox),
            }
        }
    }

    /// Returns when all that is queued now was written, by whichever thread.
    pub(super) fn flush<'a>(&'a self, outbox: Locked<'a>) -> Result<(), Error> {
        let batch = outbox.taken.saturating_add(u64::from(!outbox.queued.is_empty()));
        self.write_through(outbox, batch)
    }

    /// Returns when the batch of this number was written.
    fn write_through<'a>(&'a self, mut outbox: Locked<'a>, batch: u64) -> Result<(), Error> {
        loop {
            outbox.check()?;
            if outbox.done >= batch {
                return Ok(());
            }
            outbox = if outbox.writing { self.wait(outbox, None) } else { self.write(outbox) };
        }
    }

    /// Writes a batch, or some of it. Nobody else may be writing.
    pub(super) fn write<'a>(&'a self, mut outbox: Locked<'a>) -> Locked<'a> {
        let mut batch = outbox.take();
        drop(outbox);
        let result = batch.write_to(&mut self.counting());
        self.wrote(batch, result)
    }

    fn counting(&self) -> Counting<'_> {
        Counting { stream: self.stream.clone(), written: &self.written }
    }

    fn wrote(&self, batch: SendBuffer, result: io::Result<()>) -> Locked<'_> {
        let mut outbox = self.lock();
        let is_stuck = result.as_ref().is_err_and(is_would_block);
        outbox.put_back(batch, result);
        if is_stuck && outbox.has_failed() {
            // The reader learns it from the end of its stream; that of a broken one comes by itself.
            let _ = self.stream.get_ref().shutdown(Shutdown::Both);
        }
        self.notify();
        outbox
    }

    /// Sends a payload that is not worth a copy: with the right to write in hand, the frame's header
    /// joins what is queued, and header and payload are written outside the lock.
    pub(super) fn send_large(&self, message: Message<'_>) -> Result<(), Error> {
        let mut outbox = self.lock();
        loop {
            outbox.check()?;
            outbox = match (outbox.writing, outbox.has_rest()) {
                (true, _) => self.wait(outbox, None),
                (false, true) => self.write(outbox),
                (false, false) => {
                    outbox.sender.check_whole()?;
                    match outbox.sender.check_room(message.len(), outbox.buffered_amount()) {
                        Ok(()) => break,
                        Err(_) => self.write(outbox),
                    }
                }
            };
        }
        let header = outbox.sender.begin(message.kind(), true, message.len() as u64)?;
        outbox.observed.used = true;
        let mut batch = outbox.take();
        let frame = header.encode().len().saturating_add(message.len());
        outbox.in_flight = outbox.in_flight.saturating_add(frame);
        let number = outbox.taken;
        drop(outbox);
        let result = write_frame(&mut self.counting(), &mut batch, &header, message.as_bytes());
        self.write_through(self.wrote(batch, result), number)
    }
}

/// Writes and counts, so that others see a large batch leave.
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

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.stream.write_vectored(slices);
        self.count(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
