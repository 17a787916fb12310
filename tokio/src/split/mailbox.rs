//! The inbox of a connection for the messages of a hub.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use sansock::buffer::Unwritten;
pub(super) use sansock::hub::Mail;
use sansock::hub::{Budget, Due, Subscriber};
use sansock::split::{SendQueue, Sender};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop;

use super::core::Piece;
use super::shared::Shared;
use crate::Writer;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Writer<S> {
    /// Returns the inbox of this connection, for [`Topic::subscribe`](crate::hub::Topic::subscribe).
    /// A connection has one, whichever of its writers is asked: a later call returns the same, with
    /// the budget of the first.
    ///
    /// A message is written on the thread that publishes it, without waiting, in a runtime or
    /// outside of any. No task is woken for it, unless the transport does not take all. Then the
    /// rest waits, and so do the next messages, which stay in the inbox; the
    /// [`Reader`](crate::Reader) and the writers go on with them. Keep the reader polled: it sees
    /// that the peer does not read, and that a connection with a full inbox is closed.
    ///
    /// Messages wait until the last fragment of a message that is sent with
    /// [`send_fragment`](Self::send_fragment).
    ///
    /// The inbox does not keep the connection alive. It ends with the connection, or with a Close
    /// frame of the program, of its server or of the peer: what still waits is dropped then, and
    /// counted. [`Subscriber::close`] closes the connection behind what waits.
    #[must_use]
    pub fn subscriber(&self, budget: Budget) -> Subscriber {
        let shared = Arc::downgrade(&self.shared);
        let mut core = self.shared.lock();
        let new = || {
            Subscriber::new(budget, move || {
                if let Some(shared) = shared.upgrade() {
                    deliver(&shared);
                }
            })
        };
        let subscriber = core.mailbox.subscriber.get_or_insert_with(new).clone();
        core.end_mailbox_if_over();
        subscriber
    }
}

/// Writes on the thread that publishes. A task that publishes to a thousand connections in one poll
/// has no budget for it: tokio would make transports say that they take nothing.
fn deliver<S: AsyncRead + AsyncWrite + Unpin>(shared: &Shared<S>) {
    let delivery = pin!(coop::unconstrained(async { shared.deliver() }));
    let _ = delivery.poll(&mut Context::from_waker(Waker::noop()));
}

/// The inbox, once the program has asked for it.
#[derive(Debug)]
pub(super) struct Mailbox {
    subscriber: Option<Subscriber>,
    is_over: bool,
}

impl Mailbox {
    /// How many bytes of short messages are written at once.
    const BATCH: usize = 16 << 10;

    pub(super) const fn new() -> Self {
        Self { subscriber: None, is_over: false }
    }

    /// Whether messages wait, or a close.
    pub(super) fn is_due(&self) -> bool {
        !self.is_over && self.subscriber.as_ref().is_some_and(Subscriber::is_due)
    }

    /// Takes out what may be written next. It is queued; but a message is returned, to be written
    /// from where it lies, if nothing waits before it and it is long or the only one, which is said
    /// too.
    ///
    /// While bytes wait for the transport, messages stay in the inbox, whose budget holds for them.
    /// A Close frame is queued nevertheless: the peer may never read, and only then does the time
    /// for the closing handshake begin. `count` hears of what is queued.
    pub(super) fn take(
        &self,
        sender: &mut Sender,
        queue: &mut SendQueue,
        count: impl Fn(Piece),
    ) -> Option<(Mail, bool)> {
        let subscriber = self.subscriber.as_ref().filter(|_| !self.is_over)?;
        // "the fragments of one message MUST NOT be interleaved between the fragments of another
        // message" (RFC 6455, 5.4)
        let is_turn = !queue.has_rest() && !sender.is_message_in_progress();
        let mut most = usize::MAX;
        loop {
            let waiting = queue.buffered_amount();
            let due = subscriber.take_if(|next| {
                let length = next.as_bytes().len();
                is_turn
                    && waiting.saturating_add(length) <= most
                    && sender.check_room(length, waiting).is_ok()
            });
            match due? {
                Due::Message(mail) => {
                    if waiting == 0 {
                        let is_last = !subscriber.is_due();
                        if is_last || mail.as_bytes().len() >= Unwritten::WORTH_A_PIECE {
                            return Some((mail, is_last));
                        }
                    }
                    let queued = sender.send_encoded(&mail, queue.queued());
                    debug_assert!(queued.is_ok(), "all that may refuse it was checked");
                    count(Piece(mail.as_message().len(), true));
                }
                Due::Close(code, reason) => {
                    // Without a reason only a second Close frame is refused.
                    let _ = sender.start_close(code, reason, queue.queued());
                }
            }
            // Each batch has one message at least, so that writers with much to send stop none.
            most = Self::BATCH;
        }
    }

    /// Drops what waits, and lets nothing more in.
    pub(super) fn end(&mut self) {
        if let Some(subscriber) = &self.subscriber
            && !self.is_over
        {
            self.is_over = true;
            subscriber.end();
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use sansock::{Config, EncodedMessage, Limits};

    use super::*;

    /// A mailbox with so many messages of these lengths.
    fn mailbox(number: usize, length: usize) -> (Mailbox, Subscriber) {
        let inbox = Subscriber::new(Budget::default(), || {});
        for _ in 0..number {
            inbox.send(&EncodedMessage::new(vec![7; length]));
        }
        (Mailbox { subscriber: Some(inbox.clone()), is_over: false }, inbox)
    }

    #[test]
    fn short_messages_share_a_write_and_each_is_counted() {
        let (mut sender, mut queue) = (Sender::server(&Config::new()), SendQueue::new());
        let (mailbox, inbox) = mailbox(40, 1_000);
        let counted = Cell::new((0, 0));
        let count = |Piece(length, is_last)| {
            let (pieces, bytes) = counted.get();
            assert!(is_last, "a whole message");
            counted.set((pieces + 1, bytes + length));
        };
        assert!(mailbox.take(&mut sender, &mut queue, count).is_none());
        // With their heads of 4 bytes 16 fit into a batch.
        assert_eq!(counted.get(), (16, 16_000));
        assert_eq!((queue.buffered_amount(), inbox.counts().waiting), (16 * 1_004, 24));
    }

    #[test]
    fn a_long_message_and_the_only_one_are_written_from_where_they_lie() {
        for (number, length) in [(1, 10), (3, 100_000)] {
            let (mut sender, mut queue) = (Sender::server(&Config::new()), SendQueue::new());
            let (mailbox, inbox) = mailbox(number, length);
            let (mail, is_last) =
                mailbox.take(&mut sender, &mut queue, |_| unreachable!()).unwrap();
            assert_eq!((mail.as_message().len(), is_last), (length, number == 1));
            assert_eq!((queue.buffered_amount(), inbox.counts().waiting), (0, number - 1));
        }
    }

    #[test]
    fn a_message_that_has_no_room_behind_what_is_queued_stays_in_the_inbox() {
        let config = Config::new().limits(Limits::new().buffered(40));
        let (mut sender, mut queue) = (Sender::server(&config), SendQueue::new());
        sender.send("what is queued before", queue.queued()).unwrap();
        let (mailbox, inbox) = mailbox(1, 24);
        assert!(mailbox.take(&mut sender, &mut queue, |_| unreachable!()).is_none());
        assert_eq!((queue.buffered_amount(), inbox.counts().waiting), (23, 1));
    }
}
