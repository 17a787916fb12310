//! What the halves of a connection share.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use sansock::buffer::Buffers;
use sansock::split::{Receiver, Sender};
use sansock::{SendBuffer, SendError, WritePace};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::core::{Core, Piece, Taken};
use super::in_place::Large;
use super::sync::{AtomicUsize, Mutex, MutexGuard, PoisonError};
use super::wakers::Wakers;
use crate::Error;
use crate::server::Slot;
use crate::write::Waiting as _;

/// How many writes one poll does. Others may publish as fast as this thread writes: then the tasks
/// of the connection go on.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Shared<S: AsyncRead + AsyncWrite + Unpin> {
    /// Locked for one poll at a time, and never together with `core`.
    pub(super) io: Mutex<S>,
    core: Mutex<Core>,
    wakers: Arc<Wakers>,
    /// Wakes `wakers`.
    waker: Waker,
    /// The number of halves that the program holds.
    pub(super) halves: AtomicUsize,
    /// The receiving half, once the program has dropped it.
    pub(super) parked: Mutex<Option<Parked>>,
    /// The place in the server that accepted the connection.
    pub(super) slot: Mutex<Option<Arc<Slot<S>>>>,
}

/// The state of a receiving half.
pub(super) type Parked = (Receiver, Option<Box<Buffers>>);

pub(super) type Locked<'a> = MutexGuard<'a, Core>;

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(super) fn new(
        stream: S,
        sender: Sender,
        output: SendBuffer,
        pace: WritePace,
        slot: Option<Arc<Slot<S>>>,
    ) -> Self {
        let counters = slot.as_ref().map(|slot| Arc::clone(slot.counters()));
        let core = Core::new(sender, output, pace, counters);
        let wakers = Arc::new(Wakers::default());
        Self {
            io: Mutex::new(stream),
            core: Mutex::new(core),
            waker: Waker::from(Arc::clone(&wakers)),
            wakers,
            halves: AtomicUsize::new(2),
            parked: Mutex::new(None),
            slot: Mutex::new(slot),
        }
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        lock(&self.core)
    }

    /// Changes sender and queue, and wakes the tasks that wait for it.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        let result = change(&mut core);
        core.end_mailbox_if_over();
        drop(core);
        self.wakers.wake_all();
        result
    }

    /// Queues what `encode` makes of `piece`, or a control frame, and returns the ticket for it. Waits
    /// for room.
    pub(super) fn poll_queue(
        &self,
        cx: &mut Context<'_>,
        piece: Option<Piece>,
        mut encode: impl FnMut(&mut Sender, &mut SendBuffer) -> Result<(), SendError>,
    ) -> Poll<Result<u64, Error>> {
        loop {
            self.wakers.register(cx);
            let mut core = self.lock();
            core.check()?;
            match core.queue(piece, &mut encode) {
                Err(SendError::BufferFull { .. }) if !core.queue.is_empty() => {
                    let ticket = core.queue.ticket();
                    drop(core);
                    ready!(self.poll_flush(cx, ticket))?;
                }
                Err(error) => return Poll::Ready(Err(error.into())),
                Ok(()) => return Poll::Ready(Ok(core.queue.ticket())),
            }
        }
    }

    /// Is ready when all that was queued when `ticket` was taken is written, by any task.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>, ticket: u64) -> Poll<Result<(), Error>> {
        loop {
            self.wakers.register(cx);
            let core = self.lock();
            core.check()?;
            if core.queue.is_done(ticket) && !core.unflushed {
                let has_mail = core.mailbox.is_due();
                drop(core);
                if has_mail {
                    self.deliver();
                }
                return Poll::Ready(Ok(()));
            }
            if core.ended {
                return Poll::Ready(Err(core.lost()));
            }
            drop(core);
            if self.poll_write(ticket).is_pending() {
                ready!(self.poll_clock());
            }
        }
    }

    /// Writes what waits and what the inbox brings, for as long as the transport takes it. Is pending
    /// if it does not take all, or if another task writes, which then wakes this one.
    pub(super) fn poll_write(&self, ticket: u64) -> Poll<()> {
        let cx = &mut Context::from_waker(&self.waker);
        let mut is_only_mail = None;
        for _ in 0..AT_ONCE {
            let mut core = self.lock();
            let is_only_mail = *is_only_mail.get_or_insert(core.is_written());
            let mail = core.take_mail();
            let is_done = mail.is_none() && core.queue.is_done(ticket) && !core.unflushed;
            if core.failure.is_some() || is_done {
                return Poll::Ready(());
            }
            // No task waits for the inbox, but a Close frame from there starts a timer.
            let is_awaited = !is_only_mail || core.is_closing();
            let Some(mut batch) = core.queue.take() else {
                core.is_awaited = true;
                return Poll::Pending;
            };
            let is_last = mail.as_ref().is_some_and(|(_, is_last)| *is_last);
            let written = if let Some((mail, _)) = mail {
                let written = self.write_in_place(core, &mut batch, Large::Encoded(&mail));
                // All that may refuse it was checked when it was taken.
                written.unwrap_or(Poll::Pending)
            } else {
                core.unflushed |= !batch.is_empty();
                drop(core);
                self.write_once(cx, &mut batch)
            };
            let is_pending = written.is_pending();
            let is_over = self.put_back(batch, written, is_awaited);
            if is_pending {
                return Poll::Pending;
            }
            if is_over && is_last {
                return Poll::Ready(());
            }
        }
        self.wakers.wake_all();
        Poll::Pending
    }

    /// Writes what the inbox brings. If the transport does not take all, the tasks that wait are
    /// woken: they look at the clock, and go on.
    pub(super) fn deliver(&self) {
        // The ticket of what is written already.
        if self.poll_write(0).is_pending() {
            self.wakers.wake_all();
        }
    }

    /// Gives back the right to write. `is_awaited` says whether tasks may wait for what was written.
    /// Returns whether all is written, and no other thread has come meanwhile, with a message
    /// perhaps.
    pub(super) fn put_back(
        &self,
        batch: SendBuffer,
        written: Poll<io::Result<Taken>>,
        is_awaited: bool,
    ) -> bool {
        let is_pending = written.is_pending();
        let mut core = self.lock();
        core.queue.put_back(batch);
        core.record(written);
        let is_news = !is_pending && (is_awaited || core.failure.is_some());
        let is_contended = std::mem::take(&mut core.is_awaited);
        let is_written = core.is_written();
        drop(core);
        // Others have found the right to write taken, and the transport may have become ready
        // meanwhile. This task would try again, but it may be dropped first: so all are woken.
        if is_contended || is_news {
            self.wakers.wake_all();
        }
        is_written && !is_contended
    }

    /// Writes once, or flushes if nothing waits.
    fn write_once(&self, cx: &mut Context<'_>, batch: &mut SendBuffer) -> Poll<io::Result<Taken>> {
        let mut io = lock(&self.io);
        let io = Pin::new(&mut *io);
        if batch.is_empty() {
            return io.poll_flush(cx).map_ok(|()| Taken { bytes: 0, is_flushed: true });
        }
        batch.poll_write(io, cx).map_ok(|bytes| Taken { bytes, is_flushed: false })
    }

    pub(super) fn poll_read(&self, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let cx = &mut Context::from_waker(&self.waker);
        let mut bytes = ReadBuf::new(bytes);
        let mut io = lock(&self.io);
        let read = Pin::new(&mut *io).poll_read(cx, &mut bytes);
        read.map_ok(|()| bytes.filled().len())
    }

    /// Ends our side of the transport. A broken one cannot be ended.
    pub(super) fn poll_shutdown(&self) -> Poll<()> {
        let cx = &mut Context::from_waker(&self.waker);
        Pin::new(&mut *lock(&self.io)).poll_shutdown(cx).map(drop)
    }

    /// Is ready when a timer was due.
    pub(super) fn poll_clock(&self) -> Poll<()> {
        let cx = &mut Context::from_waker(&self.waker);
        let mut core = self.lock();
        let pace = if core.queue.has_rest() { core.pace.deadline() } else { None };
        let deadline = [core.sender.poll_timeout(), pace].into_iter().flatten().min();
        ready!(core.clock.poll_until(cx, deadline));
        core.handle_timeout();
        drop(core);
        self.wakers.wake_all();
        Poll::Ready(())
    }

    /// Is ready at that time.
    pub(super) fn poll_until(&self, at: Option<Instant>) -> Poll<()> {
        let cx = &mut Context::from_waker(&self.waker);
        self.lock().clock.poll_until(cx, at)
    }

    pub(super) fn register(&self, cx: &Context<'_>) {
        self.wakers.register(cx);
    }

    pub(super) const fn waker(&self) -> &Waker {
        &self.waker
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
