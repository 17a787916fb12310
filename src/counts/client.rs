//! The part of one client in the counts of its server.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use super::counters::Counters;
use super::ended::Ended;
use super::refusal::Refusal;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Opening,
    Accepted,
    Over,
}

/// One client of a server, from its connect to its end. Whatever becomes of it is counted once: of
/// several calls the first one counts.
///
/// A client that is dropped before it is accepted counts as [`Refusal::Transport`], and one that is
/// dropped before its end as cut off.
#[derive(Debug)]
pub struct CountedClient {
    counters: Arc<Counters>,
    stage: AtomicU8,
}

impl CountedClient {
    /// Counts a client that has connected.
    #[must_use]
    pub fn new(counters: &Arc<Counters>) -> Self {
        counters.connected();
        Self { counters: Arc::clone(counters), stage: AtomicU8::new(Stage::Opening as u8) }
    }

    /// Returns the counters of the server.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Returns whether the client got a connection that goes on.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.stage.load(Acquire) == Stage::Accepted as u8
    }

    /// Counts that the client got a connection.
    pub fn accept(&self) {
        if self.change(Stage::Opening, Stage::Accepted) {
            self.counters.accepted();
        }
    }

    /// Counts that the client got no connection.
    pub fn refuse(&self, reason: impl Into<Refusal>) {
        if self.change(Stage::Opening, Stage::Over) {
            self.counters.refused(reason.into());
        }
    }

    /// Counts the answer of the program: to a plain request it answers, and a request for a WebSocket
    /// it rejects.
    pub fn answer(&self, is_websocket: bool) {
        if is_websocket {
            self.refuse(Refusal::Rejected);
        } else if self.change(Stage::Opening, Stage::Over) {
            self.counters.answered();
        }
    }

    /// Counts the end of the connection.
    pub fn end(&self, ended: Ended) {
        if self.change(Stage::Accepted, Stage::Over) {
            self.counters.ended(ended);
        }
    }

    fn change(&self, from: Stage, to: Stage) -> bool {
        self.stage.compare_exchange(from as u8, to as u8, AcqRel, Acquire).is_ok()
    }
}

impl Drop for CountedClient {
    fn drop(&mut self) {
        self.refuse(Refusal::Transport);
        self.end(Ended::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::ServerCounts;

    /// The equations in the documentation of [`ServerCounts`].
    fn check(counts: &ServerCounts) {
        let over = counts.refused.total() + counts.answered + counts.accepted;
        assert_eq!(counts.connected, counts.handshakes_now + over);
        assert_eq!(counts.accepted, counts.open_now + counts.close_sent.total());
        let received = counts.close_received.total() + counts.close_unread;
        assert_eq!(counts.close_sent.total(), received);
    }

    #[test]
    fn each_client_is_counted_once_whatever_is_called() {
        let calls: [fn(&CountedClient); 5] = [
            CountedClient::accept,
            |client| client.refuse(Refusal::Origin),
            |client| client.answer(false),
            |client| client.answer(true),
            |client| client.end(Ended::unread(1000)),
        ];
        let counters = Arc::new(Counters::new());
        for first in calls {
            for second in calls {
                let client = CountedClient::new(&counters);
                check(&counters.counts());
                first(&client);
                second(&client);
                check(&counters.counts());
                drop(client);
                check(&counters.counts());
            }
        }
        let counts = counters.counts();
        assert_eq!((counts.connected, counts.open_now, counts.handshakes_now), (25, 0, 0));
        assert_eq!((counts.accepted, counts.answered, counts.close_unread), (6, 6, 1));
        assert_eq!(counts.refused.get(Refusal::Origin), 6);
        assert_eq!(counts.refused.get(Refusal::Rejected), 6);
        // Nothing but an end that has no beginning.
        assert_eq!(counts.refused.get(Refusal::Transport), 1);
        assert_eq!((counts.close_received.get(1006), counts.close_sent.get(1006)), (5, 5));
    }
}
