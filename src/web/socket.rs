//! The object.

use std::fmt;
use std::sync::Arc;
use std::thread;

use super::error::{Error, SyntaxError};
use super::event::{CloseEvent, ErrorEvent, Event, EventKind, MessageEvent, OpenEvent};
use super::events::Events;
use super::listeners::{Function, ListenerId};
use super::ready_state::ReadyState;
use super::shared::Shared;
use super::state::Dispatcher;
use crate::{AsMessage, Close, CloseCode};

/// A WebSocket as browsers have it. See the [module's page](super).
///
/// Dropping it closes the connection without a code, drops the handlers, and blocks until the
/// connection is closed. That takes at most [`Timeouts::closing`](crate::Timeouts::closing) and a
/// second, and much less with a server that answers.
pub struct WebSocket {
    shared: Arc<Shared>,
    /// Whether this is the program's object, and not one that is passed to a handler.
    is_owner: bool,
}

impl WebSocket {
    /// Sends a message: `&str` as text, bytes as binary. It is queued, and another thread writes
    /// it; [`buffered_amount`](Self::buffered_amount) counts the bytes that wait. If the connection
    /// is closing or closed, the message is dropped, and its bytes stay in `buffered_amount` until
    /// the end.
    ///
    /// If more bytes would wait than [`Limits::buffered`](crate::Limits::buffered), the connection
    /// fails, as the standard requires, and the `error` event says so.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] before the connection is open.
    pub fn send(&self, data: impl AsMessage) -> Result<(), Error> {
        self.shared.send(data.as_outgoing().message())
    }

    /// Closes the connection without a code, after the messages that were sent. A connection that
    /// is still [`Connecting`](ReadyState::Connecting) fails. Does nothing if the connection is
    /// closing or closed.
    pub fn close(&self) {
        self.shared.close(None, "");
    }

    /// Closes the connection with a code, 1000 or 3000 to 4999, and a reason of at most 123 bytes
    /// of UTF-8.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAccess`] for any other code and [`Error::Syntax`] for a longer reason, in
    /// every state. Nothing is closed then.
    pub fn close_with(&self, code: u16, reason: &str) -> Result<(), Error> {
        // "If code is present, but is neither an integer equal to 1000 nor an integer in the range
        // 3000 to 4999, inclusive, throw an "InvalidAccessError" DOMException."
        let allowed = matches!(code, 1000 | 3000..=4999);
        let code = CloseCode::new(code).filter(|_| allowed).ok_or(Error::InvalidAccess(code))?;
        // "If reasonBytes is longer than 123 bytes, then throw a "SyntaxError" DOMException."
        if reason.len() > Close::MAX_REASON {
            return Err(SyntaxError::Reason(reason.len()).into());
        }
        self.shared.close(Some(code), reason);
        Ok(())
    }

    /// Returns the state of the connection. It becomes [`Open`](ReadyState::Open) before the
    /// handlers of `open` run, and [`Closed`](ReadyState::Closed) before those of `error` and
    /// `close`.
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.shared.lock().ready
    }

    /// Number of payload bytes given to [`send`](Self::send) that the network has not taken yet.
    /// Messages that were dropped because the connection was closing or closed are included.
    #[must_use]
    pub fn buffered_amount(&self) -> u64 {
        self.shared.buffered_amount()
    }

    /// Returns the normalised URL: `http` and `https` have become `ws` and `wss`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Returns the subprotocol that the server chose. Empty if there is none, and before `open`.
    #[must_use]
    pub fn protocol(&self) -> Arc<str> {
        Arc::clone(&self.shared.lock().protocol)
    }

    /// Returns the extensions in use, as in the server's header. Empty if there are none, and
    /// before `open`.
    #[must_use]
    pub fn extensions(&self) -> Arc<str> {
        Arc::clone(&self.shared.lock().extensions)
    }

    /// Sets the handler for `open`, which replaces the one set before. It is called with the socket
    /// and the event, on the socket's handler thread.
    pub fn on_open(&self, mut handler: impl FnMut(&Self, &OpenEvent) + Send + 'static) {
        self.set(EventKind::Open, move |socket, event| {
            if let Event::Open(event) = event {
                handler(socket, event);
            }
        });
    }

    /// Sets the handler for `message`, which replaces the one set before. It is called with the
    /// socket and the event, on the socket's handler thread.
    pub fn on_message(&self, mut handler: impl FnMut(&Self, &MessageEvent) + Send + 'static) {
        self.set(EventKind::Message, move |socket, event| {
            if let Event::Message(event) = event {
                handler(socket, event);
            }
        });
    }

    /// Sets the handler for `error`, which replaces the one set before. It is called with the
    /// socket and the event, on the socket's handler thread. `close` follows.
    pub fn on_error(&self, mut handler: impl FnMut(&Self, &ErrorEvent) + Send + 'static) {
        self.set(EventKind::Error, move |socket, event| {
            if let Event::Error(event) = event {
                handler(socket, event);
            }
        });
    }

    /// Sets the handler for `close`, which replaces the one set before. It is called with the
    /// socket and the event, on the socket's handler thread. No event follows.
    pub fn on_close(&self, mut handler: impl FnMut(&Self, &CloseEvent) + Send + 'static) {
        self.set(EventKind::Close, move |socket, event| {
            if let Event::Close(event) = event {
                handler(socket, event);
            }
        });
    }

    /// Adds a handler for one type of event. All handlers of a type are called in the order of
    /// their registration, including the one that `on_open` or its siblings set.
    pub fn add_event_listener(
        &self,
        kind: EventKind,
        handler: impl FnMut(&Self, &Event) + Send + 'static,
    ) -> ListenerId {
        let handler = self.handler(handler);
        self.shared.update(|state| state.add_listener(kind, handler))
    }

    /// Removes an added handler, which is not called again. Returns `false` if there is none with
    /// this id.
    #[expect(clippy::must_use_candidate, reason = "few programs need to know whether it was there")]
    pub fn remove_event_listener(&self, id: ListenerId) -> bool {
        // Dropped without the lock: a handler may own anything.
        let listener = self.shared.update(|state| state.remove_listener(id));
        listener.is_some()
    }

    /// Returns an iterator over the events from now on, after those that nothing has listened for
    /// yet. Dropping it does not close the connection; dropping the [`WebSocket`] does.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(&self.shared)
    }

    /// Waits until the connection is closed and the handlers of `close` have run. Inside a handler,
    /// which would wait for itself, it returns `None` at once.
    #[expect(clippy::must_use_candidate, reason = "programs call it to wait")]
    pub fn wait(&self) -> Option<CloseEvent> {
        let me = thread::current().id();
        if self.shared.threads().dispatcher.as_ref().is_some_and(|it| it.thread().id() == me) {
            return None;
        }
        let mut state = self.shared.lock();
        if state.is_in_handler() {
            return None;
        }
        while state.closed.is_none() || state.dispatcher != Dispatcher::None {
            state = if state.has_turn() {
                state.begin_turn();
                self.shared.run_task(state)
            } else {
                self.shared.wait(state, None)
            };
        }
        state.closed.clone()
    }

    pub(super) const fn owner(shared: Arc<Shared>) -> Self {
        Self { shared, is_owner: true }
    }

    /// A handler that is given its socket. The socket holds the handler, which must not hold the
    /// socket in turn.
    fn handler(&self, mut handler: impl FnMut(&Self, &Event) + Send + 'static) -> Function {
        let shared = Arc::downgrade(&self.shared);
        Box::new(move |event| {
            // The thread that calls it holds the socket.
            if let Some(shared) = shared.upgrade() {
                handler(&Self { shared, is_owner: false }, event);
            }
        })
    }

    fn set(&self, kind: EventKind, handler: impl FnMut(&Self, &Event) + Send + 'static) {
        let handler = self.handler(handler);
        // Dropped without the lock: a handler may own anything.
        let replaced = self.shared.update(|state| state.set_listener(kind, handler));
        drop(replaced);
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        if self.is_owner {
            self.shared.abandon();
        }
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("ready_state", &self.ready_state())
            .field("protocol", &self.protocol())
            .field("buffered_amount", &self.buffered_amount())
            .finish_non_exhaustive()
    }
}
