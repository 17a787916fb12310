//! Events for those who pull.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Event;
use super::shared::Shared;

/// The events of a [`WebSocket`](super::WebSocket), one by one: an iterator that waits, and ends after
/// the `close` event. From [`WebSocket::events`](super::WebSocket::events).
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

    /// Waits for the next event; `None` after the `close` event.
    #[must_use]
    pub fn recv(&self) -> Option<Event> {
        self.recv_until(None)
    }

    /// [`recv`](Self::recv) that waits for `timeout` at most; `None` also when nothing came in time.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        self.recv_until(Some(Instant::now().checked_add(timeout)?))
    }

    /// The next event, if one is there.
    #[must_use]
    pub fn try_recv(&self) -> Option<Event> {
        self.recv_until(Some(Instant::now()))
    }

    fn recv_until(&self, until: Option<Instant>) -> Option<Event> {
        let mut state = self.shared.lock();
        loop {
            let was_full = state.is_full();
            if let Some(event) = state.pulls.pop(self.id) {
                if was_full && !state.is_full() {
                    self.shared.notify();
                }
                return Some(event);
            }
            if state.closed.is_some() || until.is_some_and(|until| until <= Instant::now()) {
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
        self.shared.lock().pulls.shut(self.id);
        self.shared.notify();
    }
}

/// A queue for each who pulls.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    queues: Vec<(u64, VecDeque<Event>)>,
    next: u64,
    /// The size of the messages in all queues.
    waiting: usize,
}

impl Pulls {
    pub(super) fn open(&mut self, events: VecDeque<Event>) -> u64 {
        self.next = self.next.saturating_add(1);
        self.waiting = self.waiting.saturating_add(size(&events));
        self.queues.push((self.next, events));
        self.next
    }

    pub(super) fn push(&mut self, event: &Event) {
        for (_, queue) in &mut self.queues {
            self.waiting = self.waiting.saturating_add(event.size());
            queue.push_back(event.clone());
        }
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    fn pop(&mut self, id: u64) -> Option<Event> {
        let (_, queue) = self.queues.iter_mut().find(|(it, _)| *it == id)?;
        let event = queue.pop_front()?;
        self.waiting = self.waiting.saturating_sub(event.size());
        Some(event)
    }

    fn shut(&mut self, id: u64) {
        if let Some(index) = self.queues.iter().position(|(it, _)| *it == id) {
            let (_, queue) = self.queues.swap_remove(index);
            self.waiting = self.waiting.saturating_sub(size(&queue));
        }
    }
}

fn size(events: &VecDeque<Event>) -> usize {
    events.iter().map(Event::size).sum()
}
