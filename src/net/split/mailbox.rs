//! What a hub has for a split connection.

use crate::SendError;
use crate::hub::{Due, Mail, Subscriber};
use crate::split::{SendQueue, Sender};

/// How many bytes of mail are queued for one write, so that many short messages share it. More stays
/// in the inbox, where the budget is.
const BATCH: usize = 16 << 10;

/// The inbox of the connection, if it has subscribed.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Option<Subscriber>);

impl Mailbox {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Returns the inbox, which `new` makes for the first subscription.
    pub(super) fn get_or_insert_with(&mut self, new: impl FnOnce() -> Subscriber) -> Subscriber {
        self.0.get_or_insert_with(new).clone()
    }

    /// Whether mail can be queued now.
    pub(super) fn is_due(&self, sender: &Sender) -> bool {
        // "the fragments of one message MUST NOT be interleaved between the fragments of another
        // message" (5.4)
        self.0.as_ref().is_some_and(|inbox| !sender.is_message_in_progress() && inbox.is_due())
    }

    /// Takes out the next message, if there is room for it. A Close frame that is due is queued.
    pub(super) fn take(&self, sender: &mut Sender, queue: &mut SendQueue) -> Option<Mail> {
        let inbox = self.0.as_ref().filter(|_| !sender.is_message_in_progress())?;
        let waiting = queue.buffered_amount();
        let has_room = |length| sender.check_room(length, waiting).is_ok();
        match inbox.take_if(|message| has_room(message.as_bytes().len()))? {
            Due::Message(mail) => Some(mail),
            Due::Close(code) => {
                // Refused only if the closing handshake has started.
                let _ = sender.start_close(code, "", queue.queued());
                None
            }
        }
    }

    /// Queues the mail for the next write.
    pub(super) fn refill(&self, sender: &mut Sender, queue: &mut SendQueue) {
        while queue.buffered_amount() < BATCH
            && let Some(mail) = self.take(sender, queue)
        {
            if let Err(SendError::Closed) = sender.send_encoded(&mail, queue.queued()) {
                return self.end();
            }
        }
    }

    /// Drops the mail: nothing more can be sent.
    pub(super) fn end(&self) {
        if let Some(inbox) = &self.0 {
            inbox.end();
        }
    }
}
