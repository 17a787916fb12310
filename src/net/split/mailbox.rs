//! What a hub has for a split connection.

use std::sync::Arc;

use crate::hub::{Due, Mail, Subscriber};
use crate::net::core::count_sent;
use crate::net::slot::Slot;
use crate::split::{SendQueue, Sender};
use crate::{CloseCode, SendError};

/// How many bytes of mail are queued for one write, so that many short messages share it. More stays
/// in the inbox, where the budget is.
const BATCH: usize = 16 << 10;

/// The inbox of the connection, if it has subscribed.
#[derive(Default)]
pub(super) struct Mailbox {
    inbox: Option<Subscriber>,
    /// The connection's place in its server, which counts what is sent.
    slot: Option<Arc<Slot>>,
}

impl Mailbox {
    pub(super) const fn new() -> Self {
        Self { inbox: None, slot: None }
    }

    /// Returns the inbox, which `new` makes for the first subscription.
    pub(super) fn subscriber(
        &mut self,
        slot: Option<&Arc<Slot>>,
        new: impl FnOnce() -> Subscriber,
    ) -> Subscriber {
        self.slot = slot.cloned();
        self.inbox.get_or_insert_with(new).clone()
    }

    /// Whether mail can be queued now.
    pub(super) fn is_due(&self, sender: &Sender) -> bool {
        // "the fragments of one message MUST NOT be interleaved between the fragments of another
        // message" (5.4)
        self.inbox.as_ref().is_some_and(|inbox| !sender.is_message_in_progress() && inbox.is_due())
    }

    /// Takes out the next message, if there is room for it. A Close frame that is due is queued.
    pub(super) fn take(&self, sender: &mut Sender, queue: &mut SendQueue) -> Option<Mail> {
        let waiting = queue.buffered_amount();
        let is_turn = !sender.is_message_in_progress() && !queue.has_rest();
        let has_room = |length| is_turn && sender.check_room(length, waiting).is_ok();
        match self.inbox.as_ref()?.take_if(|message| has_room(message.as_bytes().len()))? {
            Due::Message(mail) => Some(mail),
            Due::Close(code, reason) => {
                start_close(code, reason, sender, queue);
                None
            }
        }
    }

    /// Queues a Close frame that is due, whatever waits before it: the time for the closing handshake
    /// begins, although the peer may never read, or the program may never end its fragmented message.
    pub(super) fn take_close(&self, sender: &mut Sender, queue: &mut SendQueue) {
        if let Some(inbox) = &self.inbox
            && let Some(Due::Close(code, reason)) = inbox.take_if(|_| false)
        {
            start_close(code, reason, sender, queue);
        }
    }

    /// Queues the mail for the next write.
    pub(super) fn refill(&self, sender: &mut Sender, queue: &mut SendQueue) {
        while queue.buffered_amount() < BATCH
            && let Some(mail) = self.take(sender, queue)
        {
            match sender.send_encoded(&mail, queue.queued()) {
                Err(SendError::Closed) => return self.end(),
                _ => self.count(&mail),
            }
        }
    }

    /// Counts a message that was accepted for sending.
    pub(super) fn count(&self, mail: &Mail) {
        count_sent(self.slot.as_ref(), mail.as_message().len(), true);
    }

    /// Drops the mail: nothing more can be sent.
    pub(super) fn end(&self) {
        if let Some(inbox) = &self.inbox {
            inbox.end();
        }
    }
}

fn start_close(code: CloseCode, reason: &str, sender: &mut Sender, queue: &mut SendQueue) {
    // Refused only if the closing handshake has started.
    let _ = sender.start_close(code, reason, queue.queued());
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Mailbox").field(&self.inbox).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Budget;
    use crate::{Config, EncodedMessage, Limits};

    /// Otherwise it would be refused when it is too late to leave it where it was.
    #[test]
    fn mail_that_has_no_room_behind_what_is_queued_stays_in_the_inbox() {
        let config = Config::new().limits(Limits::new().buffered(40));
        let (mut sender, mut queue) = (Sender::server(&config), SendQueue::new());
        let mut mailbox = Mailbox::new();
        let inbox = mailbox.subscriber(None, || Subscriber::new(Budget::default(), || {}));
        inbox.send(&EncodedMessage::new("longer than what is left"));
        sender.send("what is queued before", queue.queued()).unwrap();
        assert!(mailbox.take(&mut sender, &mut queue).is_none());
        mailbox.refill(&mut sender, &mut queue);
        assert_eq!((queue.buffered_amount(), inbox.counts().waiting), (23, 1));
        drop(queue.take());
        queue.put_back(crate::SendBuffer::new());
        assert!(mailbox.take(&mut sender, &mut queue).is_some());
        assert!(!inbox.is_closed());
    }
}
