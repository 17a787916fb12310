//! The counters of a server.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ended::Ended;
use super::lanes::{Direction, Lanes};
use super::refusal::Refusal;
use super::server_counts::ServerCounts;
use crate::Event;
use crate::timeouts::Timeout;

/// Counts for a server. All of its threads share one.
///
/// Clients are counted with [`CountedClient`](super::CountedClient), and messages with
/// [`received`](Self::received) and [`sent`](Self::sent): each thread adds to numbers of its own.
///
/// ```
/// use std::sync::Arc;
/// use sansock::counts::{CountedClient, Counters, Ended};
///
/// let counters = Arc::new(Counters::new());
/// let client = CountedClient::new(&counters);
/// client.accept();
/// counters.sent("Hello".len(), true);
/// assert_eq!(counters.counts().open_now, 1);
/// assert_eq!(counters.counts().sent.payload_bytes, 5);
/// client.end(Ended::new(None, None));
/// assert_eq!(counters.counts().close_received.get(1006), 1);
/// ```
#[derive(Debug)]
pub struct Counters {
    lanes: Lanes,
    /// What happens once or twice a connection.
    rare: Mutex<ServerCounts>,
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters {
    /// Creates counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self { lanes: Lanes::new(), rare: Mutex::default() }
    }

    /// Returns the numbers of this moment. It takes no longer with many connections.
    #[must_use]
    pub fn counts(&self) -> ServerCounts {
        let mut counts = self.lock().clone();
        counts.received = self.lanes.sum(Direction::Received);
        counts.sent = self.lanes.sum(Direction::Sent);
        counts.set_gauges();
        counts
    }

    /// Counts an event that the program gets: a message, or a piece of one.
    #[inline]
    pub fn received(&self, event: &Event<'_>) {
        let (length, fin) = match event {
            Event::Message(message) => (message.len(), true),
            Event::Chunk { data, fin } => (data.len(), *fin),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => return,
        };
        self.lanes.add_message(Direction::Received, u64::from(fin), length as u64);
    }

    /// Counts a message, or a fragment of one, whose payload has this length; `fin` marks the last
    /// one.
    #[inline]
    pub fn sent(&self, length: usize, fin: bool) {
        self.lanes.add_message(Direction::Sent, u64::from(fin), length as u64);
    }

    /// Counts bytes that were read from the stream of a client.
    #[inline]
    pub fn read(&self, bytes: usize) {
        self.lanes.add_wire(Direction::Received, bytes as u64);
    }

    /// Counts bytes that were written to the stream of a client.
    #[inline]
    pub fn written(&self, bytes: usize) {
        self.lanes.add_wire(Direction::Sent, bytes as u64);
    }

    /// Counts that the listener could not accept a client.
    pub fn accept_failed(&self) {
        add_one(&mut self.lock().accept_errors);
    }

    /// Counts a handler that returned an error.
    pub fn handler_failed(&self) {
        add_one(&mut self.lock().handlers_failed);
    }

    /// Counts a handler that panicked.
    pub fn handler_panicked(&self) {
        add_one(&mut self.lock().handlers_panicked);
    }

    /// Counts a peer that was given up because it did not read.
    pub fn write_timed_out(&self) {
        add_one(&mut self.lock().timeouts.write);
    }

    pub(super) fn connected(&self) {
        add_one(&mut self.lock().connected);
    }

    pub(super) fn accepted(&self) {
        add_one(&mut self.lock().accepted);
    }

    pub(super) fn answered(&self) {
        add_one(&mut self.lock().answered);
    }

    pub(super) fn refused(&self, reason: Refusal) {
        let mut counts = self.lock();
        counts.refused.add(reason);
        if reason == Refusal::Timeout {
            counts.timeouts.add(Timeout::Handshake);
        }
    }

    pub(super) fn ended(&self, ended: Ended) {
        let mut counts = self.lock();
        match ended.received {
            Some(code) => counts.close_received.add(code.get()),
            None => add_one(&mut counts.close_unread),
        }
        counts.close_sent.add(ended.sent);
        if let Some(timeout) = ended.timeout {
            counts.timeouts.add(timeout);
        }
    }

    fn lock(&self) -> MutexGuard<'_, ServerCounts> {
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add_one(count: &mut u64) {
    *count = count.wrapping_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn messages_and_their_pieces_count_and_control_frames_do_not() {
        let counters = Counters::new();
        counters.received(&Event::Message(Message::Text("Hello")));
        counters.received(&Event::Chunk { data: Message::Binary(&[1, 2]), fin: false });
        counters.received(&Event::Ping(b"1234"));
        counters.received(&Event::Pong(b"1234"));
        counters.sent(3, true);
        let counts = counters.counts();
        assert_eq!((counts.received.messages, counts.received.payload_bytes), (1, 7));
        assert_eq!((counts.sent.messages, counts.sent.payload_bytes), (1, 3));
        assert!(format!("{counters:?}").contains("payload_bytes: 7"));
    }

    #[test]
    fn failures_of_the_listener_count() {
        let counters = Counters::new();
        counters.accept_failed();
        counters.accept_failed();
        assert_eq!(counters.counts().accept_errors, 2);
    }
}
