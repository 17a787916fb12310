//! Fan-out: what all visitors of a room get. Only this file sends one message to many.

use std::collections::BTreeMap;

use sansock::EncodedMessage;
use sansock::hub::{Subscriber, Subscription, Topic};

/// The visitors who get what is published.
pub(crate) struct Crowd {
    topic: Topic,
    subscriptions: BTreeMap<u64, (Subscriber, Subscription)>,
}

impl Crowd {
    pub(crate) fn new(topic: Topic) -> Self {
        Self { topic, subscriptions: BTreeMap::new() }
    }

    /// Adds a visitor, which gets whatever is published from now on.
    pub(crate) fn join(&mut self, id: u64, inbox: &Subscriber) {
        let subscription = self.topic.subscribe(inbox);
        self.subscriptions.insert(id, (inbox.clone(), subscription));
    }

    pub(crate) fn leave(&mut self, id: u64) {
        self.subscriptions.remove(&id);
    }

    /// Sends a message to all, and returns the ids of those who are closed because they read too
    /// slowly.
    pub(crate) fn publish(&mut self, message: &EncodedMessage) -> Vec<u64> {
        if self.topic.publish_encoded(message).closed == 0 {
            return Vec::new();
        }
        let closed = self.subscriptions.iter().filter(|(_, (inbox, _))| inbox.is_closed());
        closed.map(|(id, _)| *id).collect()
    }
}

/// Sends a message to one visitor. `false` if it is closed, because it reads too slowly.
pub(crate) fn tell(inbox: &Subscriber, message: &EncodedMessage) -> bool {
    inbox.send(message);
    !inbox.is_closed()
}
