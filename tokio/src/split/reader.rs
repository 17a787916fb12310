//! The receiving half.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_core::{FusedStream, Stream as FutureStream};
use sansock::buffer::Buffers;
use sansock::split::Receiver;
use sansock::{CloseCode, Event, Outcome, ReceiveBuffer, State, Teardown};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop;

use super::core::Core;
use super::let_go;
use super::shared::{Shared, lock};
use crate::write::is_reset;
use crate::{Error, Message, Stream, pool};

/// The receiving half of a [`WebSocket`](crate::WebSocket) after
/// [`split`](crate::WebSocket::split).
///
/// The program must keep reading: only the reader receives Pings and Close frames, which it answers,
/// and sees whether the peer is alive. It also writes what the [`Writer`](crate::Writer)s queue.
#[derive(Debug)]
pub struct Reader<S = Stream>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) shared: Arc<Shared<S>>,
    /// `None` once it was parked.
    receiver: Option<Receiver>,
    /// `None` while the connection is idle.
    buffers: Option<Box<Buffers>>,
    half_closed: bool,
    finished: bool,
    /// Whether the `Stream` has ended.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    pub(super) fn new(
        shared: Arc<Shared<S>>,
        receiver: Receiver,
        buffers: Option<Box<Buffers>>,
    ) -> Self {
        Self {
            shared,
            receiver: Some(receiver),
            buffers,
            half_closed: false,
            finished: false,
            ended: false,
        }
    }

    /// Waits for the next event and lends it; `None` after a completed closing handshake. Messages
    /// that arrive after our own Close frame are lent too.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], [`Error::Timeout`], [`Error::Abnormal`] and [`Error::Io`]: the
    /// connection is over. [`WebSocket::recv`](crate::WebSocket::recv) says more.
    pub async fn recv(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(if poll_fn(|cx| self.poll_advance(cx)).await? { self.event() } else { None })
    }

    /// Waits for the next message and returns it with its memory; `None` after a completed closing
    /// handshake.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`recv`](Self::recv) returns it.
    pub async fn next_message(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_next_message(cx)).await.transpose()
    }

    /// Sends a Close frame unless one was sent, waits for the end, and returns how the connection
    /// ended. Messages that still arrive are discarded.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the reason is too long, and [`Error`] as [`recv`](Self::recv) returns it.
    pub async fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<Outcome, Error> {
        self.shared.update(|Core { sender, queue, .. }| match sender.state() {
            State::Open => sender.start_close(code, reason, queue.queued()),
            _ => Ok(()),
        })?;
        while poll_fn(|cx| self.poll_advance(cx)).await? {}
        self.outcome().ok_or(Error::Abnormal)
    }

    /// Polls for the next event: ready with `true` if [`event`](Self::event) lends it, and with
    /// `false` after a completed closing handshake.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`recv`](Self::recv) returns it.
    pub fn poll_advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            if self.advance() {
                budget.made_progress();
                return Poll::Ready(Ok(true));
            }
            if self.finished {
                return Poll::Ready(self.result().map(|()| false));
            }
            if self.poll_wait(cx)?.is_pending() {
                if self.buffers.as_deref().is_some_and(|it| it.input.is_idle()) {
                    self.buffers = self.buffers.take().and_then(pool::put_back);
                }
                return Poll::Pending;
            }
        }
    }

    /// Returns the event that [`poll_advance`](Self::poll_advance) has found, until the next call.
    #[must_use]
    pub fn event(&self) -> Option<Event<'_>> {
        self.buffers.as_deref()?.input.event()
    }

    /// Returns how the connection ended, once it has: whether it was clean, the code and the
    /// reason.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().sender.outcome().cloned()
    }

    pub(crate) fn close_sent(&self) -> Option<u16> {
        self.shared.lock().sender.close_sent()
    }

    fn input(&mut self) -> &mut ReceiveBuffer {
        &mut self.buffers.get_or_insert_with(pool::take).input
    }

    /// Finds the next event in what has arrived, and answers it.
    fn advance(&mut self) -> bool {
        let Some(receiver) = &mut self.receiver else { return false };
        let input = &mut self.buffers.get_or_insert_with(pool::take).input;
        match receiver.advance(input) {
            Ok(true) => {
                let mut core = self.shared.lock();
                // The program now has something to do, and the next bytes lie unread.
                core.sender.note_unread();
                core.count_received(input.event());
                if let Some(event) = input.event().filter(Event::is_control) {
                    let Core { sender, queue, .. } = &mut *core;
                    sender.respond(&event, queue.queued());
                    let ticket = queue.ticket();
                    drop(core);
                    // A newer Pong would replace one that waits.
                    let _ = self.shared.poll_write(ticket);
                }
                true
            }
            Ok(false) => false,
            // It is the outcome, and is returned when the transport has ended.
            Err(error) => {
                self.shared.update(|Core { sender, queue, .. }| sender.fail(error, queue.queued()));
                false
            }
        }
    }

    /// Writes what waits, reads once, and looks at the clock. Is ready when something has changed.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.register(cx);
        self.poll_server();
        let ticket = self.shared.lock().queue.ticket();
        let is_written = self.shared.poll_write(ticket).is_ready();
        let teardown = self.note();
        match teardown {
            Teardown::NotYet | Teardown::AwaitPeer => {}
            Teardown::HalfClose if !is_written || self.half_closed => {}
            Teardown::HalfClose => self.half_closed = self.shared.poll_shutdown().is_ready(),
            Teardown::Drop { until } => return self.poll_end(is_written, until).map(Ok),
        }
        let shared = Arc::clone(&self.shared);
        match shared.poll_read(self.input().spare_mut()) {
            Poll::Ready(Ok(0)) => self.receive_eof(),
            Poll::Ready(Ok(n)) => self.input().filled(n),
            Poll::Ready(Err(error)) => self.read_failed(error)?,
            Poll::Pending => ready!(self.shared.poll_clock()),
        }
        Poll::Ready(Ok(()))
    }

    /// Records what has arrived, directly before the wait.
    fn note(&mut self) -> Teardown {
        let Some(receiver) = &self.receiver else { return Teardown::Drop { until: None } };
        let input = &mut self.buffers.get_or_insert_with(pool::take).input;
        let mut core = self.shared.lock();
        core.sender.note(receiver.progress(input));
        core.teardown()
    }

    /// Lets the server wake the tasks, and closes the connection if the server asks for it.
    fn poll_server(&self) {
        let slot = lock(&self.shared.slot);
        let Some(slot) = &*slot else { return };
        slot.register(self.shared.waker());
        if let Some(code) = slot.must_close() {
            let Core { sender, queue, .. } = &mut *self.shared.lock();
            if sender.state() == State::Open {
                // Without a reason only a second Close frame is refused.
                let _ = sender.start_close(code, "", queue.queued());
            }
        }
    }

    #[cold]
    fn receive_eof(&self) {
        self.shared.update(|core| {
            core.sender.receive_eof();
            core.handle_timeout();
        });
    }

    #[cold]
    fn read_failed(&mut self, error: io::Error) -> Result<(), Error> {
        let is_over = self.shared.lock().sender.outcome().is_some();
        self.receive_eof();
        if is_over || is_reset(&error) {
            return Ok(());
        }
        self.end();
        Err(error.into())
    }

    /// Writes the last bytes, until `until` at most, and ends the transport.
    #[cold]
    fn poll_end(&mut self, is_written: bool, until: Option<Instant>) -> Poll<()> {
        let is_ended = is_written && (self.half_closed || self.shared.poll_shutdown().is_ready());
        if !is_ended && until.is_some() {
            ready!(self.shared.poll_until(until));
        }
        self.end();
        Poll::Ready(())
    }

    fn end(&mut self) {
        self.finished = true;
        self.shared.update(|core| core.ended = true);
        if let Some(slot) = &*lock(&self.shared.slot) {
            let core = self.shared.lock();
            slot.settle(core.sender.outcome(), core.sender.close_sent());
        }
    }

    fn result(&self) -> Result<(), Error> {
        let mut core = self.shared.lock();
        match core.sender.outcome() {
            Some(Outcome::Clean { .. }) => Ok(()),
            Some(&Outcome::Failed(error)) => Err(error.into()),
            Some(&Outcome::TimedOut(timeout)) => Err(timeout.into()),
            // A write has failed, and the transport was ended for it.
            Some(Outcome::Abnormal) | None => match core.take_failure() {
                Some(error) if !is_reset(&error) => Err(error.into()),
                _ => Err(Error::Abnormal),
            },
        }
    }

    fn poll_next_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        loop {
            match ready!(self.poll_advance(cx)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            if let Some(message) = Message::take(self.input()) {
                return Poll::Ready(Some(Ok(message)));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Reader<S> {
    fn drop(&mut self) {
        if let Some(receiver) = self.receiver.take().filter(|_| !self.finished) {
            *lock(&self.shared.parked) = Some((receiver, self.buffers.take()));
        }
        let_go(&self.shared);
    }
}

/// Yields messages. It ends after a completed closing handshake, and after an error.
impl<S: AsyncRead + AsyncWrite + Unpin> FutureStream for Reader<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_next_message(cx));
        self.ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for Reader<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
