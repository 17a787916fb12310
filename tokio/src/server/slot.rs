//! A connection's place in the server that accepted it.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use sansock::counts::{CountedClient, Counters, Ended};
use sansock::handshake::Rejection;
use sansock::{CloseCode, Outcome};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop;

use super::incoming::Incoming;
use super::registry::Registry;
use super::timer::{Tick, Timed, Timer};
use crate::{Reader, WebSocket};

/// What the registry needs of a slot, whatever the transport.
pub(super) trait Closing: Send + Sync {
    /// The number in the list of the registry, until it is removed there.
    fn number(&self) -> u32;
    fn timer(&self) -> &Timer;
    /// The task that holds the connection.
    fn holder(&self) -> Option<Waker>;
    /// Asks the connection to close.
    fn close(&self, code: CloseCode);
    /// Whether the client was accepted.
    fn is_connection(&self) -> bool;
    /// Whether the connection was asked to close before its end.
    fn was_told(&self) -> bool;
    /// Whether the connection has ended on the wire; its handler may go on.
    fn has_ended(&self) -> bool;
    /// Whether the connection has ended by a completed closing handshake.
    fn was_clean(&self) -> bool;
    /// The client in the counts of its server.
    fn client(&self) -> &CountedClient;
    /// Counts how the connection has ended.
    fn count_end(&self);

    /// Whether the registry no longer has it.
    fn is_removed(&self) -> bool {
        self.timer().get() == Timed::Removed
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Closing for Slot<S> {
    fn number(&self) -> u32 {
        self.number
    }

    fn timer(&self) -> &Timer {
        &self.timer
    }

    fn holder(&self) -> Option<Waker> {
        match &self.lock().place {
            Place::Held { holder, .. } => holder.clone(),
            Place::Free(_) => None,
        }
    }

    fn close(&self, code: CloseCode) {
        if !self.has_ended() {
            self.set(TOLD);
        }
        self.code.store(code.get(), Ordering::Release);
        let holder = match &mut self.lock().place {
            Place::Held { holder, .. } => holder.take(),
            Place::Free(_) => None,
        };
        if let Some(waker) = holder {
            waker.wake();
        }
    }

    fn is_connection(&self) -> bool {
        self.client.is_accepted()
    }

    fn was_told(&self) -> bool {
        self.has(TOLD)
    }

    fn has_ended(&self) -> bool {
        self.has(ENDED)
    }

    fn was_clean(&self) -> bool {
        self.has(CLEAN)
    }

    fn client(&self) -> &CountedClient {
        &self.client
    }

    fn count_end(&self) {
        let ended = self.lock().ended;
        self.client.end(ended);
    }
}

/// Shared by the server's task and the connection, wherever the program holds it.
#[derive(Debug)]
pub(crate) struct Slot<S: AsyncRead + AsyncWrite + Unpin> {
    client: CountedClient,
    registry: Arc<Registry>,
    timer: Timer,
    number: u32,
    /// The code with which the connection is to be closed; 0 while it goes on.
    code: AtomicU16,
    flags: AtomicU8,
    state: Mutex<State<S>>,
}

/// The connection was asked to close before its end.
const TOLD: u8 = 1;
/// The connection has ended on the wire.
const ENDED: u8 = 2;
/// That was by a completed closing handshake.
const CLEAN: u8 = 4;

#[derive(Debug)]
struct State<S: AsyncRead + AsyncWrite + Unpin> {
    place: Place<S>,
    ended: Ended,
}

/// Where the connection is.
#[derive(Debug)]
enum Place<S: AsyncRead + AsyncWrite + Unpin> {
    /// The program has it. Which tasks to wake: the one that holds it, and the server's if that
    /// waits for the end of the connection, which is rare and therefore boxed.
    Held { holder: Option<Waker>, server: Option<Box<Waker>> },
    /// The program has let go of it.
    Free(Option<Remains<S>>),
}

/// What the program has dropped before its end.
#[derive(Debug)]
pub(crate) enum Remains<S: AsyncRead + AsyncWrite + Unpin> {
    /// A request without an answer.
    Request(Incoming<S>),
    Connection(Box<WebSocket<S>>),
    Split(Box<Reader<S>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Slot<S> {
    pub(super) fn new(registry: Arc<Registry>, number: u32) -> Self {
        let place = Place::Held { holder: None, server: None };
        let state = State { place, ended: Ended::default() };
        Self {
            client: CountedClient::new(&registry.counters),
            registry,
            timer: Timer::default(),
            number,
            code: AtomicU16::new(0),
            flags: AtomicU8::new(0),
            state: Mutex::new(state),
        }
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The client in the counts of its server.
    pub(super) fn client(&self) -> &CountedClient {
        &self.client
    }

    #[inline]
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        self.client.counters()
    }

    /// Records that the connection has ended on the wire, and how.
    pub(crate) fn settle(&self, outcome: Option<&Outcome>, close_sent: Option<u16>) {
        self.lock().ended = Ended::new(outcome, close_sent);
        let is_clean = matches!(outcome, Some(Outcome::Clean { .. }));
        self.set(if is_clean { ENDED | CLEAN } else { ENDED });
    }

    /// The code with which the connection is to be closed.
    #[inline]
    pub(crate) fn must_close(&self) -> Option<CloseCode> {
        match self.code.load(Ordering::Acquire) {
            0 => None,
            code => CloseCode::new(code),
        }
    }

    /// Sets the task to wake when the connection is to be closed, or when its time has come.
    #[inline]
    pub(crate) fn register(&self, waker: &Waker) {
        let mut state = self.lock();
        if let Place::Held { holder, .. } = &mut state.place
            && !holder.as_ref().is_some_and(|it| it.will_wake(waker))
        {
            let before = holder.replace(waker.clone());
            drop(state);
            // With it a task may end.
            drop(before);
        }
    }

    /// Whether a time is set that has not come.
    #[inline]
    pub(crate) fn will_wake(&self) -> bool {
        self.timer.is_set()
    }

    /// Is ready when `at` has passed; then the task that was registered is woken. `None` if the
    /// connection needs a timer of its own.
    pub(crate) fn poll_until(&self, cx: &mut Context<'_>, at: Instant) -> Option<Poll<()>> {
        let tick = Tick::new(self.registry.base, at);
        let has_passed = |timed| matches!(timed, Timed::Fired(fired) if fired >= tick);
        let timed = self.timer.get();
        if !has_passed(timed) {
            let is_set = matches!(timed, Timed::Set(set) if set <= tick);
            if !is_set && !self.registry.set_timer(&self.timer, self.number, tick) {
                return None;
            }
            if !has_passed(self.timer.get()) {
                return Some(Poll::Pending);
            }
        }
        // Without budget a read has found nothing although something may have arrived.
        Some(coop::poll_proceed(cx).map(|budget| budget.made_progress()))
    }

    /// Lets go of the connection.
    pub(crate) fn let_go(&self, remains: Option<Remains<S>>) {
        let before = std::mem::replace(&mut self.lock().place, Place::Free(remains));
        if let Place::Held { server: Some(waker), .. } = before {
            waker.wake();
        }
    }

    /// Waits until the program has let go of the connection.
    pub(super) async fn free(&self) -> Option<Remains<S>> {
        poll_fn(|cx| self.poll_free(cx)).await
    }

    /// Closes what the program has dropped before its end, after the queued messages. How that ends
    /// concerns only this client.
    pub(super) async fn close_rest(&self, remains: Option<Remains<S>>, has_failed: bool) {
        let code = if has_failed {
            CloseCode::INTERNAL_ERROR
        } else {
            self.must_close().unwrap_or(CloseCode::NORMAL)
        };
        match remains {
            None => {}
            // 500 is a valid rejection.
            Some(Remains::Request(incoming)) => drop(incoming.reject(&Rejection::new(500)).await),
            Some(Remains::Connection(mut socket)) => {
                let _ = socket.close(code, "").await;
                self.settle(socket.outcome(), socket.connection().close_sent());
            }
            Some(Remains::Split(mut reader)) => {
                let _ = reader.close(code, "").await;
                self.settle(reader.outcome().as_ref(), reader.close_sent());
            }
        }
    }

    fn poll_free(&self, cx: &mut Context<'_>) -> Poll<Option<Remains<S>>> {
        match &mut self.lock().place {
            Place::Free(remains) => Poll::Ready(remains.take()),
            Place::Held { server, .. } => {
                *server = Some(Box::new(cx.waker().clone()));
                Poll::Pending
            }
        }
    }

    fn set(&self, flags: u8) {
        self.flags.fetch_or(flags, Ordering::AcqRel);
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Acquire) & flag != 0
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    /// Each connection of a server has one as long as it lives. What it counts takes 16 of these.
    #[test]
    fn a_place_is_small() {
        assert!(size_of::<Slot<Stream>>() <= 88, "{} bytes", size_of::<Slot<Stream>>());
    }
}
