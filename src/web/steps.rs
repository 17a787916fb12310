//! The steps of the standard's methods.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::error::Error;
use super::event::ErrorEvent;
use super::ready_state::ReadyState;
use super::shared::Shared;
use super::state::{Dispatcher, Runner};
use crate::{CloseCode, Message, SendError, net};

impl Shared {
    /// The steps of `send(data)`.
    pub(super) fn send(self: &Arc<Self>, message: Message<'_>) -> Result<(), Error> {
        let mut state = self.lock();
        let length = message.len();
        match state.ready {
            // "If this's ready state is CONNECTING, then throw an "InvalidStateError"
            // DOMException."
            ReadyState::Connecting => return Err(Error::InvalidState),
            ReadyState::Open => {}
            // "If the WebSocket connection is established and the WebSocket closing handshake has
            // not yet started, then [...] send": otherwise only "increase the bufferedAmount
            // attribute by" the data's length.
            ReadyState::Closing | ReadyState::Closed => {
                state.ledger.dropped(length);
                return Ok(());
            }
        }
        match state.writer.as_ref().map(|writer| writer.queue_at(message)) {
            Some(Ok(frame)) => {
                state.ledger.queued(length, frame);
                state.count_written();
                if let Some(writer) = &state.writer {
                    writer.wake();
                }
            }
            // "If the data cannot be sent, e.g. because it would need to be buffered but the buffer
            // is full, the user agent must flag the WebSocket as full and then close the WebSocket
            // connection."
            Some(Err(error @ net::Error::Send(SendError::BufferFull { .. }))) => {
                state.ledger.dropped(length);
                drop(state);
                self.fail(error.into());
            }
            // The closing handshake has started, or the connection is lost: the task for that is
            // queued or will be.
            Some(Err(_)) | None => state.ledger.dropped(length),
        }
        Ok(())
    }

    pub(super) fn buffered_amount(&self) -> u64 {
        let mut state = self.lock();
        state.count_written();
        state.ledger.amount()
    }

    /// The steps of `close(code, reason)` that follow the checks.
    pub(super) fn close(self: &Arc<Self>, code: Option<CloseCode>, reason: &str) {
        self.update(|state| match (state.ready, &state.writer) {
            // "If the WebSocket connection is not yet established, fail the WebSocket connection
            // and set this's ready state to CLOSING (2)." The network's thread queues the task of
            // the end, which makes it CLOSED.
            (ReadyState::Connecting, None) => {
                state.ready = ReadyState::Closing;
                let failure = ErrorEvent::new("closed before the connection was established");
                state.failure = Some(failure);
                state.abort();
            }
            // "If the WebSocket closing handshake has not yet been started, start the WebSocket
            // closing handshake and set this's ready state to CLOSING (2)." If it has, its task is
            // queued or will be. The connection may be established while the task that makes it
            // OPEN waits.
            (ReadyState::Connecting | ReadyState::Open, writer) => {
                if let Some(writer) = writer {
                    let _ = writer.queue_close(code, reason);
                    writer.wake();
                }
                state.ready = ReadyState::Closing;
            }
            // "Do nothing."
            (ReadyState::Closing | ReadyState::Closed, _) => {}
        });
    }

    /// Ends an open connection at once. `error` and `close` follow when the reader notices.
    fn fail(self: &Arc<Self>, error: ErrorEvent) {
        self.update(|state| {
            if state.is_alive() {
                // In a page it is OPEN until the task of the end. Here a loop that sends as long as
                // it is OPEN would keep that task from running.
                if state.runner == Runner::Background {
                    state.ready = ReadyState::Closing;
                }
                state.failure = Some(error);
                state.abort();
            }
        });
    }

    /// After a panic of a handler: closes the connection with 1011; `error` comes before `close`.
    pub(super) fn panicked(self: &Arc<Self>) {
        let open = {
            let mut state = self.lock();
            let open = state.is_alive();
            if open {
                state.failure = Some(ErrorEvent::new("a handler panicked"));
            }
            open
        };
        if open {
            self.close(Some(CloseCode::INTERNAL_ERROR), "");
        }
    }

    /// "If a WebSocket object is garbage collected while its connection is still open, the user
    /// agent must start the WebSocket closing handshake, with no status code for the Close
    /// message."
    ///
    /// No more handlers are called. Waits for the threads, but not for a handler that is running.
    pub(super) fn abandon(self: &Arc<Self>) {
        let listeners = self.update(|state| {
            state.abandoned = true;
            state.clear_listeners()
        });
        self.close(None, "");
        drop(listeners);
        let me = thread::current().id();
        let is_mine = |thread: &Option<JoinHandle<()>>| {
            thread.as_ref().is_some_and(|thread| thread.thread().id() == me)
        };
        if is_mine(&self.threads().dispatcher) || is_mine(&self.threads().network) {
            return;
        }
        let until = Instant::now().checked_add(self.drop_timeout);
        let mut state = self.lock();
        while state.networking || state.dispatcher == Dispatcher::Waits {
            if until.is_some_and(|until| until <= Instant::now()) {
                break;
            }
            state = self.wait(state, until);
        }
        let (network, dispatcher) = (!state.networking, state.dispatcher == Dispatcher::None);
        drop(state);
        let mut threads = self.threads();
        let ended = [
            threads.network.take().filter(|_| network),
            threads.dispatcher.take().filter(|_| dispatcher),
        ];
        drop(threads);
        for thread in ended.into_iter().flatten() {
            let _ = thread.join();
        }
    }
}
