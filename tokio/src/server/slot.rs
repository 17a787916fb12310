//! A connection's place in the server that accepted it.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sansock::counts::{CountedClient, Counters, Ended};
use sansock::handshake::Rejection;
use sansock::{CloseCode, Outcome};
use tokio::io::{AsyncRead, AsyncWrite};

use super::incoming::Incoming;
use crate::{Reader, WebSocket};

/// What the registry needs of a slot, whatever the transport.
pub(super) trait Closing: Send + Sync {
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
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Closing for Slot<S> {
    fn close(&self, code: CloseCode) {
        if !self.has_ended() {
            self.told.store(true, Ordering::Release);
        }
        self.code.store(code.get(), Ordering::Release);
        if let Some(waker) = self.lock().holder.take() {
            waker.wake();
        }
    }

    fn is_connection(&self) -> bool {
        self.client.is_accepted()
    }

    fn was_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn was_clean(&self) -> bool {
        self.clean.load(Ordering::Acquire)
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
    /// The code with which the connection is to be closed; 0 while it goes on.
    code: AtomicU16,
    client: CountedClient,
    told: AtomicBool,
    /// Whether the connection has ended on the wire.
    ended: AtomicBool,
    /// Whether that was by a completed closing handshake.
    clean: AtomicBool,
    state: Mutex<State<S>>,
}

#[derive(Debug)]
struct State<S: AsyncRead + AsyncWrite + Unpin> {
    /// The task that holds the connection.
    holder: Option<Waker>,
    /// The server's task, if it waits for the end of the connection.
    server: Option<Waker>,
    /// Whether the program has let go of the connection.
    is_free: bool,
    ended: Ended,
    remains: Option<Remains<S>>,
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
    pub(super) fn new(client: CountedClient) -> Self {
        let ended = Ended::default();
        let state = State { holder: None, server: None, is_free: false, ended, remains: None };
        Self {
            code: AtomicU16::new(0),
            client,
            told: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            clean: AtomicBool::new(false),
            state: Mutex::new(state),
        }
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
        self.clean.store(matches!(outcome, Some(Outcome::Clean { .. })), Ordering::Release);
        self.ended.store(true, Ordering::Release);
    }

    /// The code with which the connection is to be closed.
    #[inline]
    pub(crate) fn must_close(&self) -> Option<CloseCode> {
        match self.code.load(Ordering::Acquire) {
            0 => None,
            code => CloseCode::new(code),
        }
    }

    /// Sets the task to wake when the connection is to be closed.
    pub(crate) fn register(&self, waker: &Waker) {
        self.lock().holder = Some(waker.clone());
    }

    /// Lets go of the connection.
    pub(crate) fn let_go(&self, remains: Option<Remains<S>>) {
        let mut state = self.lock();
        state.is_free = true;
        state.remains = remains;
        if let Some(waker) = state.server.take() {
            drop(state);
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
        let mut state = self.lock();
        if state.is_free {
            return Poll::Ready(state.remains.take());
        }
        state.server = Some(cx.waker().clone());
        Poll::Pending
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
