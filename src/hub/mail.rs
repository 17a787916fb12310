//! A message on its way to subscribers.

use std::ops::Deref;
use std::sync::Arc;

use super::budget::Budget;
use crate::sender::EncodedMessage;

/// A published message, which all inboxes share. It dereferences to the [`EncodedMessage`].
#[derive(Clone, Debug)]
pub struct Mail(Arc<Published>);

#[derive(Debug)]
struct Published {
    message: EncodedMessage,
    key: Option<Key>,
}

/// The number of the topic to which a key belongs, and the key, which is the program's.
pub(super) type Key = (u64, Arc<str>);

impl Mail {
    pub(super) fn new(message: EncodedMessage, key: Option<Key>) -> Self {
        Self(Arc::new(Published { message, key }))
    }

    pub(super) fn key(&self) -> Option<&Key> {
        self.0.key.as_ref()
    }

    /// How many bytes it counts in an inbox.
    pub(super) fn cost(&self) -> usize {
        let key = self.key().map_or(0, |(_, key)| key.len());
        self.size().saturating_add(key).saturating_add(Budget::OVERHEAD)
    }
}

impl Deref for Mail {
    type Target = EncodedMessage;

    fn deref(&self) -> &EncodedMessage {
        &self.0.message
    }
}
