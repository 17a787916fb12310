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
use crate::{Close, CloseCode, Message};

/// A WebSocket as browsers have it. See the [module's page](super).
///
/// To drop it closes the connection without a code and drops the handlers; it waits until the
/// connection is closed, which takes three times [`Timeouts::closing`](crate::Timeouts::closing) at
/// most, and much less with a server that answers.
pub struct WebSocket {
    shared: Arc<Shared>,
    /// Whether this is the program's object, and not the one that handlers are shown.
    is_owner: bool,
}

impl WebSocket {
    /// Sends a message: `&str` as text, bytes as binary. It is queued, and another thread writes it;
    /// [`buffered_amount`](Self::buffered_amount) counts what waits. When the connection is closing or
    /// closed the message is dropped, and counted for ever.
    ///
    /// If more would wait than [`Limits::buffered`](crate::Limits::buffered) the connection fails, as
    /// the standard wants it: `error` says so.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] before the connection is open.
    pub fn send<'m>(&self, data: impl Into<Message<'m>>) -> Result<(), Error> {
        self.shared.send(data.into())
    }

    /// Closes the connection without a code, after what was sent; in CONNECTING the connection fails.
    /// Nothing happens if it is closing or closed.
    pub fn close(&self) {
        self.shared.close(None, "");
    }

    /// [`close`](Self::close) with a code, 1000 or 3000 to 4999, and a reason of at most 123 bytes of
    /// UTF-8.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAccess`] for another code and [`Error::Syntax`] for a longer reason, in every
    /// state; then nothing happens.
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

    /// Where the connection is in its life. It changes with the events: before the handlers of `open`
    /// run it becomes OPEN, before those of `error` and `close` CLOSED.
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.shared.lock().ready
    }

    /// Bytes of data that were given to [`send`](Self::send) and that the network has not taken yet,
    /// without framing; and those that were dropped because the connection was closing or closed.
    #[must_use]
    pub fn buffered_amount(&self) -> u64 {
        self.shared.buffered_amount()
    }

    /// The URL, normalised: `http` and `https` have become `ws` and `wss`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The subprotocol that the server chose; empty if none, or before `open`.
    #[must_use]
    pub fn protocol(&self) -> Arc<str> {
        Arc::clone(&self.shared.lock().protocol)
    }

    /// The extensions in use, as in the server's header; empty if none, or before `open`.
    #[must_use]
    pub fn extensions(&self) -> Arc<str> {
        Arc::clone(&self.shared.lock().extensions)
    }

    /// Sets the handler for `open`, in the place of the one that was set before. It gets the socket
    /// and the event, on a thread of the socket's own.
    pub fn on_open(&self, mut handler: impl FnMut(&Self, &OpenEvent) + Send + 'static) {
        self.set(EventKind::Open, move |socket, event| {
            if let Event::Open(event) = event {
                handler(socket, event);
            }
        });
    }

    /// Sets the handler for `message`, as [`on_open`](Self::on_open).
    pub fn on_message(&self, mut handler: impl FnMut(&Self, &MessageEvent) + Send + 'static) {
        self.set(EventKind::Message, move |socket, event| {
            if let Event::Message(event) = event {
                handler(socket, event);
            }
        });
    }

    /// Sets the handler for `error`, as [`on_open`](Self::on_open). `close` follows it.
    pub fn on_error(&self, mut handler: impl FnMut(&Self, &ErrorEvent) + Send + 'static) {
        self.set(EventKind::Error, move |socket, event| {
            if let Event::Error(event) = event {
                handler(socket, event);
            }
        });
    }

    /// Sets the handler for `close`, as [`on_open`](Self::on_open). Nothing follows it.
    pub fn on_close(&self, mut handler: impl FnMut(&Self, &CloseEvent) + Send + 'static) {
        self.set(EventKind::Close, move |socket, event| {
            if let Event::Close(event) = event {
                handler(socket, event);
            }
        });
    }

    /// Adds a handler for one type of event, beside those that there are: they are called in the order
    /// of their registration, `on_open` and its like included.
    pub fn add_event_listener(
        &self,
        kind: EventKind,
        handler: impl FnMut(&Self, &Event) + Send + 'static,
    ) -> ListenerId {
        let handler = self.handler(handler);
        self.shared.update(|state| state.add_listener(kind, handler))
    }

    /// Removes a handler that was added, which is not called again; `false` if it is not there.
    #[expect(clippy::must_use_candidate, reason = "few care whether it was there")]
    pub fn remove_event_listener(&self, id: ListenerId) -> bool {
        // Dropped outside the lock: a handler may hold anything.
        let listener = self.shared.update(|state| state.remove_listener(id));
        listener.is_some()
    }

    /// The events from now on, and those that nobody has listened for before, for those who prefer to
    /// pull. The connection does not end with the object that this gives, but with the [`WebSocket`].
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(&self.shared)
    }

    /// Waits until the connection is closed and the handlers of `close` have run. `None` at once
    /// inside a handler, which would wait for itself.
    #[expect(clippy::must_use_candidate, reason = "to wait is what it is called for")]
    pub fn wait(&self) -> Option<CloseEvent> {
        let me = thread::current().id();
        if self.shared.threads().dispatcher.as_ref().is_some_and(|it| it.thread().id() == me) {
            return None;
        }
        let mut state = self.shared.lock();
        while state.closed.is_none() || state.dispatcher != Dispatcher::None {
            state = self.shared.wait(state, None);
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
        // Dropped outside the lock: a handler may hold anything.
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
