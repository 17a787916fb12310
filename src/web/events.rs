//! Events from an iterator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::Event;
use super::shared::Shared;

/// The events of a [`WebSocket`](super::WebSocket), one by one. As an iterator it blocks until the
/// next event, and ends after the `close` event. Made by
/// [`WebSocket::events`](super::WebSocket::events).
///
/// ```no_run
/// use sansock::web::{Event, WebSocket};
///
/// let socket = WebSocket::new("ws://127.0.0.1:9001/")?;
/// for event in socket.events() {
///     match event {
///         Event::Open(_) => socket.send("Hello")?,
///         Event::Message(event) => {
///             println!("{:?}", event.data);
///             socket.close();
///         }
///         Event::Error(event) => eprintln!("{}", event.message),
///         Event::Close(event) => println!("closed: {} {}", event.code, event.reason),
///     }
/// }
/// # Ok::<(), sansock::web::Error>(())
/// ```
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    id: u64,
}

impl Events {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let id = shared.lock().pull();
        Self { shared: Arc::clone(shared), id }
    }

    /// Waits for the next event. Returns `None` after the `close` event.
    #[must_use]
    pub fn recv(&self) -> Option<Event> {
        self.recv_until(None)
    }

    /// Waits for the next event, but not longer than `timeout`. Returns `None` after the `close`
    /// event, or if no event came in time.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        self.recv_until(Some(Instant::now().checked_add(timeout)?))
    }

    /// Returns the next event if there is one already.
    #[must_use]
    pub fn try_recv(&self) -> Option<Event> {
        self.recv_until(Some(Instant::now()))
    }

    fn recv_until(&self, until: Option<Instant>) -> Option<Event> {
        let mut state = self.shared.lock();
        loop {
            state.begin_turn();
            let was_full = state.is_full();
            if let Some(event) = state.pulls.pop(self.id) {
                if was_full && !state.is_full() {
                    self.shared.notify();
                }
                return Some(event);
            }
            if state.has_turn() {
                state = self.shared.run_task(state);
                continue;
            }
            let is_over = state.closed.is_some() || state.is_in_handler();
            if is_over || until.is_some_and(|until| until <= Instant::now()) {
                return None;
            }
            state = self.shared.wait(state, until);
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.recv()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.lock().pulls.close(self.id);
        self.shared.notify();
    }
}
