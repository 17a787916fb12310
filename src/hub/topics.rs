//! All topics.

use std::collections::HashSet;
use std::sync::Arc;

use super::counts::HubCounts;
use super::registry::Registry;
use super::topic::{Shared, Topic};

/// Topics by their names. Clones are the same hub.
#[doc(alias = "broadcast")]
#[derive(Clone)]
pub struct Hub(Arc<Registry<Shared>>);

impl Hub {
    /// Creates a hub without topics.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Registry::new()))
    }

    /// Returns the topic of this name. It is created if need be, and ends with its last handle and
    /// subscription.
    #[must_use]
    pub fn topic(&self, name: &str) -> Topic {
        let new = |name| Shared::new(name, Arc::clone(&self.0));
        Topic::new(self.0.get_or_insert(name, new))
    }

    /// Returns the topic of this name if there is one. Without subscribers none is needed to
    /// publish to.
    #[must_use]
    pub fn existing_topic(&self, name: &str) -> Option<Topic> {
        self.0.get(name).map(Topic::new)
    }

    /// Returns what the hub holds and has done. It takes time for each subscriber.
    #[must_use]
    pub fn counts(&self) -> HubCounts {
        let mut counts = self.0.totals();
        let mut seen = HashSet::new();
        for topic in self.0.all().into_iter().map(Topic::new) {
            counts.topics = counts.topics.saturating_add(1);
            for subscriber in topic.subscribers() {
                counts.subscriptions = counts.subscriptions.saturating_add(1);
                // A subscriber of several topics has one inbox.
                if seen.insert(subscriber.address()) {
                    let inbox = subscriber.counts();
                    counts.waiting = counts.waiting.saturating_add(inbox.waiting);
                    let bytes = inbox.waiting_bytes;
                    counts.waiting_bytes = counts.waiting_bytes.saturating_add(bytes);
                    counts.fullest_bytes = counts.fullest_bytes.max(bytes);
                }
            }
        }
        counts
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("counts", &self.counts()).finish()
    }
}
