//! The topics of a hub by their names, and what they have done together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::counts::{HubCounts, Published};
use super::sync::{Mutex, lock};

/// Topics are of the type `T`, and take their names out when they are dropped.
#[derive(Debug)]
pub(super) struct Registry<T> {
    topics: Mutex<HashMap<Arc<str>, Weak<T>>>,
    totals: Totals,
}

#[derive(Debug, Default)]
struct Totals {
    published: AtomicU64,
    published_bytes: AtomicU64,
    accepted: AtomicU64,
    dropped: AtomicU64,
    dropped_bytes: AtomicU64,
    replaced: AtomicU64,
    closed: AtomicU64,
}

impl<T> Registry<T> {
    pub(super) fn new() -> Self {
        Self { topics: Mutex::new(HashMap::new()), totals: Totals::default() }
    }

    /// Returns the topic of this name, or a new one.
    pub(super) fn get_or_insert(&self, name: &str, new: impl FnOnce(Arc<str>) -> T) -> Arc<T> {
        let mut topics = lock(&self.topics);
        if let Some(topic) = topics.get(name).and_then(Weak::upgrade) {
            return topic;
        }
        let name: Arc<str> = name.into();
        let topic = Arc::new(new(Arc::clone(&name)));
        topics.insert(name, Arc::downgrade(&topic));
        topic
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<T>> {
        lock(&self.topics).get(name).and_then(Weak::upgrade)
    }

    /// All topics. They must not be dropped under a lock that the drop of a topic takes.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        lock(&self.topics).values().filter_map(Weak::upgrade).collect()
    }

    /// Forgets the name of a topic that is being dropped, unless there is a new one of this name.
    pub(super) fn forget(&self, name: &str) {
        let mut topics = lock(&self.topics);
        if topics.get(name).is_some_and(|topic| topic.strong_count() == 0) {
            topics.remove(name);
            // As clients may have named them; each name is moved for it less than once.
            if topics.len() <= topics.capacity() / 8 {
                topics.shrink_to_fit();
            }
        }
    }

    /// Counts a message of so many bytes.
    pub(super) fn count(&self, bytes: usize, published: &Published) {
        let Totals { accepted, dropped, dropped_bytes, replaced, closed, .. } = &self.totals;
        for (total, n) in [
            (&self.totals.published, 1),
            (&self.totals.published_bytes, bytes),
            (accepted, published.accepted),
            (dropped, published.dropped),
            (dropped_bytes, published.dropped_bytes),
            (replaced, published.replaced),
            (closed, published.closed),
        ] {
            total.fetch_add(n as u64, Ordering::Relaxed);
        }
    }

    /// What was counted so far; what there is now is left at zero.
    pub(super) fn totals(&self) -> HubCounts {
        let read = |total: &AtomicU64| total.load(Ordering::Relaxed);
        HubCounts {
            published: read(&self.totals.published),
            published_bytes: read(&self.totals.published_bytes),
            accepted: read(&self.totals.accepted),
            dropped: read(&self.totals.dropped),
            dropped_bytes: read(&self.totals.dropped_bytes),
            replaced: read(&self.totals.replaced),
            closed: read(&self.totals.closed),
            ..HubCounts::default()
        }
    }
}
