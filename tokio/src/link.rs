//! A connection with its transport and its clock: all that waits for the peer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use sansock::{
    Config, Connection, Event, Outcome, ReceiveBuffer, SendBuffer, State, Teardown, WritePace,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Error;
use crate::clock::{Clock, now};
use crate::server::Slot;
use crate::write::{Waiting, is_reset};

/// How many bytes may wait for the peer before nothing more is read: a peer that does not read must
/// not make this end collect answers.
const MUCH: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Link<S: AsyncRead + AsyncWrite + Unpin> {
    /// `None` once it was taken out.
    pub(crate) stream: Option<S>,
    pub(crate) connection: Connection,
    clock: Clock,
    pub(crate) pace: WritePace,
    /// The error of a failed write. What the peer sent before can still be read.
    broken: Option<io::Error>,
    /// Whether the transport may hold bytes in a buffer of its own.
    unflushed: bool,
    /// Whether the peer took too little for too long: nothing more is written.
    too_slow: bool,
    end: End,
    /// Whether the `Stream` has ended. This and the next are here because here they take no memory.
    pub(crate) ended: bool,
    /// How often the buffers went back to the pool, modulo 2^32.
    pub(crate) returned: u32,
    /// The place in the server that accepted the connection.
    pub(crate) slot: Option<Arc<Slot<S>>>,
}

/// How far the transport has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    /// Our side has ended.
    HalfClosed,
    /// Nothing more is read or written.
    Finished,
}

/// How far writing got.
pub(crate) enum Written {
    All,
    /// A deadline of the connection has passed.
    Due,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// `output` gets what the timers queue.
    pub(crate) fn new(stream: S, mut connection: Connection, output: &mut SendBuffer) -> Self {
        // Starts the timers. No deadline can have passed yet.
        let _ = connection.handle_timeout(now(), output);
        Self {
            stream: Some(stream),
            connection,
            clock: Clock::default(),
            pace: WritePace::default(),
            broken: None,
            unflushed: true,
            too_slow: false,
            end: End::NotYet,
            ended: false,
            returned: 0,
            slot: None,
        }
    }

    /// Whether connection and transport have ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.end == End::Finished
    }

    /// Takes transport and connection out; `None` the second time.
    pub(crate) fn take(&mut self) -> Option<(S, Connection)> {
        let stream = self.stream.take()?;
        let none = Connection::server(&Config::new());
        Some((stream, std::mem::replace(&mut self.connection, none)))
    }

    /// The result of a connection that has ended: `Ok` after a closing handshake.
    pub(crate) fn result(&self) -> Result<(), Error> {
        match self.connection.outcome() {
            Some(Outcome::Clean { .. }) | None => Ok(()),
            Some(Outcome::Abnormal) => Err(Error::Abnormal),
            Some(&Outcome::Failed(error)) => Err(error.into()),
            Some(&Outcome::TimedOut(timeout)) => Err(timeout.into()),
        }
    }

    /// Counts a message, or a piece of one, that a server's program gets.
    #[inline]
    pub(crate) fn count_received(&self, event: &Event<'_>) {
        if let Some(slot) = &self.slot {
            slot.counters().received(event);
        }
    }

    /// Counts a message, or a fragment of one, that a server has accepted for sending.
    #[inline]
    pub(crate) fn count_sent(&self, length: usize, fin: bool) {
        if let Some(slot) = &self.slot {
            slot.counters().sent(length, fin);
        }
    }

    /// Writes what waits, for as long as the transport takes it.
    #[inline]
    pub(crate) fn poll_write_out(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut impl Waiting,
    ) -> Poll<io::Result<()>> {
        if waiting.is_empty() && !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        if self.too_slow {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        while !waiting.is_empty() {
            self.unflushed = true;
            let written = waiting.poll_write(Pin::new(&mut *stream), cx)?;
            if waiting.is_empty() {
                break;
            }
            let n = if let Poll::Ready(n) = written { n } else { 0 };
            if let Err(error) = self.pace.took(n, now()) {
                self.too_slow = true;
                self.connection.receive_eof();
                if let Some(slot) = &self.slot {
                    slot.counters().write_timed_out();
                }
                return Poll::Ready(Err(error));
            }
            if written.is_pending() {
                return Poll::Pending;
            }
        }
        self.pace.rest();
        ready!(Pin::new(stream).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Writes what waits. While the transport takes nothing, it looks at the deadlines.
    pub(crate) fn poll_write_in_time(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut impl Waiting,
    ) -> Poll<Result<Written, Error>> {
        loop {
            if let Poll::Ready(written) = self.poll_write_out(cx, waiting) {
                return Poll::Ready(written.map(|()| Written::All).map_err(Error::from));
            }
            self.connection.note_unread();
            let ending = self.ending();
            let deadline = earlier(self.pace.deadline(), ending);
            ready!(self.poll_until(cx, deadline));
            if ending.is_some_and(|at| at <= now()) {
                return Poll::Ready(Ok(Written::Due));
            }
        }
    }

    /// [`poll_write_in_time`](Self::poll_write_in_time) of the send buffer, with the timers.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut SendBuffer,
    ) -> Poll<Result<(), Error>> {
        self.close_for_server(output);
        while let Written::Due = ready!(self.poll_write_in_time(cx, output))? {
            self.check_timers(output)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Checks the timers while a write waits for the peer.
    pub(crate) fn check_timers(&mut self, output: &mut SendBuffer) -> Result<(), Error> {
        let now = now();
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now, output)?;
        }
        match self.connection.teardown() {
            Teardown::Drop { until } if until.is_none_or(|until| until <= now) => {
                Err(io::Error::from(io::ErrorKind::TimedOut).into())
            }
            _ => Ok(()),
        }
    }

    /// Until when a write may wait. On an open connection only the deadlines for a silent peer
    /// could pass, which do not count while nothing is read.
    fn ending(&self) -> Option<Instant> {
        match (self.connection.state(), self.connection.teardown()) {
            (State::Open, _) => None,
            (_, Teardown::Drop { until }) => Some(until.unwrap_or_else(now)),
            _ => self.connection.poll_timeout(),
        }
    }

    /// Writes what waits, reads once, and looks at the clock. Is ready when something has changed:
    /// bytes have arrived, a timer was due, or the connection is over.
    pub(crate) fn poll_wait(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Poll<Result<(), Error>> {
        self.close_for_server(output);
        let is_written = self.broken.is_some() || self.poll_write_or_break(cx, output).is_ready();
        match self.connection.teardown() {
            Teardown::NotYet | Teardown::AwaitPeer => {}
            Teardown::HalfClose if !is_written || self.end != End::NotYet => {}
            Teardown::HalfClose => drop(self.poll_half_close(cx)),
            Teardown::Drop { until } => return self.poll_end(cx, output, until),
        }
        if is_written || output.buffered_amount() <= MUCH {
            if let Poll::Ready(read) = self.poll_read(cx, input, output) {
                return Poll::Ready(read);
            }
        } else {
            self.connection.note_unread();
        }
        let pace = if is_written { None } else { self.pace.deadline() };
        let deadline = earlier(self.connection.poll_timeout(), pace);
        if self.poll_until(cx, deadline).is_pending() {
            // The server may have asked before the task was registered.
            return if self.close_for_server(output) { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        // A timeout shows in `teardown` and `outcome`.
        let _ = self.connection.handle_timeout(now(), output);
        Poll::Ready(Ok(()))
    }

    /// Is ready when `at` has passed. Lets the server wake this task.
    #[inline]
    fn poll_until(&mut self, cx: &mut Context<'_>, at: Option<Instant>) -> Poll<()> {
        let Some(slot) = &self.slot else { return self.clock.poll_until(cx, at) };
        slot.register(cx.waker());
        match (&self.clock, at) {
            (Clock::Server(set), Some(at)) if *set <= at && slot.will_wake() => Poll::Pending,
            (Clock::Own(_), _) | (_, None) => self.clock.poll_until(cx, at),
            (_, Some(at)) => self.poll_until_of_server(cx, at),
        }
    }

    #[cold]
    fn poll_until_of_server(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let Some(polled) = self.slot.as_ref().and_then(|slot| slot.poll_until(cx, at)) else {
            return self.clock.poll_until(cx, Some(at));
        };
        self.clock = if polled.is_pending() { Clock::Server(at) } else { Clock::Unset };
        polled
    }

    /// Closes the connection if the server asks for it. Returns whether it has done that now.
    #[inline]
    fn close_for_server(&mut self, output: &mut SendBuffer) -> bool {
        let Some(code) = self.slot.as_ref().and_then(|slot| slot.must_close()) else {
            return false;
        };
        // Without a reason only a second Close frame is refused.
        self.connection.state() == State::Open
            && self.connection.start_close(code, "", output).is_ok()
    }

    /// Writes what waits. If that fails for good, what the peer sent before is still read: its
    /// Close frame may say why.
    pub(crate) fn poll_write_or_break(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut SendBuffer,
    ) -> Poll<()> {
        self.poll_write_out(cx, output).map(|written| {
            if let Err(error) = written {
                self.broken = Some(error);
            }
        })
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Poll<Result<(), Error>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::NotConnected).into()));
        };
        let mut bytes = ReadBuf::new(input.spare_mut());
        let read = ready!(Pin::new(stream).poll_read(cx, &mut bytes));
        let n = bytes.filled().len();
        Poll::Ready(match read {
            Ok(()) if n > 0 => {
                input.filled(n);
                Ok(())
            }
            Ok(()) => {
                self.receive_eof(output);
                Ok(())
            }
            Err(error) => self.read_failed(error, output),
        })
    }

    #[cold]
    fn receive_eof(&mut self, output: &mut SendBuffer) {
        self.connection.receive_eof();
        // The time in which waiting bytes may still be written starts now.
        let _ = self.connection.handle_timeout(now(), output);
    }

    #[cold]
    fn read_failed(&mut self, error: io::Error, output: &mut SendBuffer) -> Result<(), Error> {
        let is_over = self.connection.outcome().is_some();
        self.receive_eof(output);
        if is_over || is_reset(&error) {
            // What is not written now is lost with the transport.
            self.broken.get_or_insert(error);
            return Ok(());
        }
        self.finish();
        Err(error.into())
    }

    /// Records that connection and transport have ended.
    fn finish(&mut self) {
        self.end = End::Finished;
        if let Some(slot) = &self.slot {
            slot.settle(self.connection.outcome(), self.connection.close_sent());
        }
    }

    /// Ends our side of the transport.
    fn poll_half_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(()) };
        // A broken transport cannot be ended.
        let ended = Pin::new(stream).poll_shutdown(cx).map(drop);
        if ended.is_ready() {
            self.end = End::HalfClosed;
        }
        ended
    }

    /// Writes the last bytes, until `until` at most, and ends the transport.
    #[cold]
    fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut SendBuffer,
        until: Option<Instant>,
    ) -> Poll<Result<(), Error>> {
        let is_written = self.broken.is_some() || self.poll_write_or_break(cx, output).is_ready();
        let is_ended =
            is_written && (self.end != End::NotYet || self.poll_half_close(cx).is_ready());
        if !is_ended && until.is_some() {
            ready!(self.poll_until(cx, until));
        }
        self.finish();
        let is_abnormal = matches!(self.connection.outcome(), Some(Outcome::Abnormal));
        Poll::Ready(match self.broken.take_if(|error| is_abnormal && !is_reset(error)) {
            // Returned once; later calls return `Abnormal`.
            Some(error) => Err(error.into()),
            None => Ok(()),
        })
    }
}

#[inline]
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
