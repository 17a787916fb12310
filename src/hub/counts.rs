//! What a hub has done, as plain data.

/// What became of one message that was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// How many subscribers have accepted it: it is written, or waits in their inboxes.
    pub accepted: usize,
    /// How many messages were dropped for it: itself, or older ones.
    pub dropped: usize,
    /// The bytes of their frames.
    pub dropped_bytes: usize,
    /// How many older messages of the same key it has replaced.
    pub replaced: usize,
    /// How many connections are closed because it did not fit into their inboxes.
    pub closed: usize,
}

impl Published {
    /// Adds what became of it elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.dropped_bytes = self.dropped_bytes.saturating_add(other.dropped_bytes);
        self.replaced = self.replaced.saturating_add(other.replaced);
        self.closed = self.closed.saturating_add(other.closed);
    }
}

/// What a subscriber's inbox holds, and what became of its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriberCounts {
    /// How many messages wait now.
    pub waiting: usize,
    /// How many bytes they count against [`Budget::bytes`](crate::hub::Budget::bytes).
    pub waiting_bytes: usize,
    /// How many messages the connection has taken out to write them. What it had not written at its
    /// end is not counted again.
    pub taken: u64,
    /// How many messages were dropped, when the inbox was full or when the connection ended.
    pub dropped: u64,
    /// The bytes of their frames.
    pub dropped_bytes: u64,
    /// How many messages a later one of the same key has replaced.
    pub replaced: u64,
}

/// What a [`Hub`](crate::hub::Hub) holds and has done since it was created.
///
/// Only what is published counts as done. What became of a message to one connection, or of the state
/// of a topic for a new subscriber, is in its [`SubscriberCounts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubCounts {
    /// How many topics exist now.
    pub topics: usize,
    /// How many subscriptions exist now.
    pub subscriptions: usize,
    /// How many messages wait now, in all inboxes.
    pub waiting: usize,
    /// How many bytes they count against the budgets.
    pub waiting_bytes: usize,
    /// How many bytes wait in the fullest inbox.
    pub fullest_bytes: usize,
    /// How many messages were published.
    pub published: u64,
    /// The bytes of their frames.
    pub published_bytes: u64,
    /// How many times a subscriber has accepted one.
    pub accepted: u64,
    /// How many messages were dropped because an inbox was full.
    pub dropped: u64,
    /// The bytes of their frames.
    pub dropped_bytes: u64,
    /// How many messages a later one of the same key has replaced.
    pub replaced: u64,
    /// How many connections were closed because their inboxes were full.
    pub closed: u64,
}
