//! Topics and inboxes (`sansock::hub`), without a network.
#![cfg(feature = "hub")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sansock::EncodedMessage;
use sansock::hub::{Budget, Due, Hub, Subscriber};

mod budgets;
#[cfg(unix)]
mod event_loop;
mod keys;
mod memory;
mod order;
mod topics;
mod wakes;

/// A connection that counts how often it was woken.
struct Peer {
    subscriber: Subscriber,
    woken: Arc<AtomicUsize>,
}

impl Peer {
    fn new(budget: Budget) -> Self {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        let wake = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        Self { subscriber: Subscriber::new(budget, wake), woken }
    }

    fn woken(&self) -> usize {
        self.woken.load(Ordering::Relaxed)
    }

    /// Takes out all that waits: texts, and `close CODE`.
    fn received(&self) -> Vec<String> {
        std::iter::from_fn(|| self.subscriber.take()).map(|due| text_of(&due)).collect()
    }
}

impl Default for Peer {
    fn default() -> Self {
        Self::new(Budget::default())
    }
}

fn text_of(due: &Due) -> String {
    match due {
        Due::Message(message) => message.as_message().as_text().unwrap().to_owned(),
        Due::Close(code, "") => format!("close {}", code.get()),
        Due::Close(code, reason) => format!("close {} {reason}", code.get()),
    }
}

/// A budget for so many messages like `text`.
fn room_for(messages: usize, text: &str) -> Budget {
    Budget::new(messages * (EncodedMessage::new(text).as_bytes().len() + Budget::OVERHEAD))
}

/// A hub with a topic and a subscriber.
fn subscribed(budget: Budget) -> (Hub, Peer, sansock::hub::Subscription) {
    let (hub, peer) = (Hub::new(), Peer::new(budget));
    let subscription = hub.topic("news").subscribe(&peer.subscriber);
    (hub, peer, subscription)
}
