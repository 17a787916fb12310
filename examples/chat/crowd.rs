//! Fan-out: what all visitors of a room get. Only this file queues one message to many.

use std::collections::BTreeMap;

use sansock::net::{Error, Writer};
use sansock::{CloseCode, EncodedMessage, SendError};

/// The visitors who get what is published.
#[derive(Default)]
pub(crate) struct Crowd {
    writers: BTreeMap<u64, Writer>,
}

impl Crowd {
    /// Adds a visitor, which gets whatever is published from now on.
    pub(crate) fn join(&mut self, id: u64, writer: Writer) {
        self.writers.insert(id, writer);
    }

    pub(crate) fn leave(&mut self, id: u64) {
        self.writers.remove(&id);
    }

    /// Queues a message for all, removes those whose buffer is full, and returns their ids.
    pub(crate) fn publish(&mut self, message: &EncodedMessage) -> Vec<u64> {
        let mut lost = Vec::new();
        self.writers.retain(|id, writer| {
            let stays = tell(writer, message);
            if !stays {
                lost.push(*id);
            }
            stays
        });
        lost
    }
}

/// Queues a message, which another thread writes. `false` if the visitor must be closed.
pub(crate) fn tell(writer: &Writer, message: &EncodedMessage) -> bool {
    let result = writer.queue_encoded(message);
    if matches!(result, Err(Error::Send(SendError::BufferFull { .. }))) {
        // A visitor that reads again learns why it was closed.
        let _ = writer.queue_close(CloseCode::TRY_AGAIN_LATER, "you read too slowly");
    }
    result.is_ok()
}
