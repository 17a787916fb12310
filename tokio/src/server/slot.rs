//! A connection's place in the server that accepted it.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

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
        self.accepted.load(Ordering::Acquire)
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
}

/// Shared by the server's task and the connection, wherever the program holds it.
#[derive(Debug)]
pub(crate) struct Slot<S: AsyncRead + AsyncWrite + Unpin> {
    /// The code with which the connection is to be closed; 0 while it goes on.
    code: AtomicU16,
    accepted: AtomicBool,
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
    pub(super) fn new() -> Self {
        let state = State { holder: None, server: None, is_free: false, remains: None };
        Self {
            code: AtomicU16::new(0),
            accepted: AtomicBool::new(false),
            told: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            clean: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// Records that the client was accepted.
    pub(super) fn accept(&self) {
        self.accepted.store(true, Ordering::Release);
    }

    /// Records that the connection has ended on the wire, and how.
    pub(crate) fn settle(&self, outcome: Option<&Outcome>) {
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
        let ended = match remains {
            None => return,
            // 500 is a valid rejection.
            Some(Remains::Request(incoming)) => {
                return drop(incoming.reject(&Rejection::new(500)).await);
            }
            Some(Remains::Connection(mut socket)) => socket.close(code, "").await,
            Some(Remains::Split(mut reader)) => reader.close(code, "").await,
        };
        self.settle(ended.ok().as_ref());
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
