//! How much may wait for a subscriber.

use crate::close::CloseCode;

/// How many bytes may wait in the inbox of a subscriber, and what happens to more.
///
/// A waiting message counts the bytes of its frame (of both, if it is compressed), those of its key,
/// and [`OVERHEAD`](Self::OVERHEAD). A message that
/// is longer than the whole budget is accepted if nothing else waits, as everywhere in this crate.
///
/// What a connection has taken out to write it counts no more. The adapters of this crate take out as
/// much as one write needs: one long message, or some short ones. What the network does not take of
/// it is copied, so a slow reader costs its budget and the length of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// How many bytes may wait. Default 1 MiB.
    pub bytes: usize,
    /// What happens to a message that does not fit. Default: the connection is closed with 1013.
    pub when_full: WhenFull,
}

impl Budget {
    /// How many bytes a waiting message counts besides its frame: the memory that keeps it.
    pub const OVERHEAD: usize = 256;

    /// Creates a budget of so many bytes, beyond which the connection is closed with
    /// [`CloseCode::TRY_AGAIN_LATER`].
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        let when_full = WhenFull::Close(CloseCode::TRY_AGAIN_LATER, "too slow");
        Self { bytes, when_full }
    }

    /// Sets what happens to a message that does not fit.
    #[must_use]
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(1 << 20)
    }
}

/// What happens to a message that does not fit into an inbox.
#[doc(alias = "backpressure")]
#[doc(alias = "lagged")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is dropped.
    DropNewest,
    /// The oldest messages are dropped, until it fits.
    DropOldest,
    /// Only the latest message of each key is kept: a message that is published
    /// [with a key](crate::hub::Topic::publish_keyed) takes the place of the one with the same key
    /// that waits, whether the inbox is full or not. So a slow reader gets every key in its turn,
    /// with its latest value. A message without a key is never overtaken. If a message still does
    /// not fit, the oldest others are dropped.
    KeepLatest,
    /// The connection is closed with this code and reason, and what waits is dropped. Of a reason
    /// longer than [`Close::MAX_REASON`](crate::Close::MAX_REASON) the beginning is sent.
    Close(CloseCode, &'static str),
}
