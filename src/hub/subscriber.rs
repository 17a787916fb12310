//! A connection that subscribes.

use std::fmt;
use std::sync::Arc;

use super::budget::Budget;
use super::counts::{Published, SubscriberCounts};
use super::inbox::{Inbox, Next};
use super::mail::Mail;
use super::sync::{Mutex, lock};
use crate::close::CloseCode;
use crate::sender::EncodedMessage;

/// The inbox of one connection, for its subscriptions to any number of topics. Clones share it.
/// While nothing waits it takes at most 256 bytes of memory, its first subscription included, and
/// each further subscription at most 64; the adapters of this crate add 32.
///
/// The connection takes out what it can write; [`take`](Self::take) says when it must come back.
#[derive(Clone)]
pub struct Subscriber(Arc<Inner>);

struct Inner<W: ?Sized = dyn Fn() + Send + Sync> {
    inbox: Mutex<Inbox>,
    wake: W,
}

/// What a connection has to send next. There will be no more kinds: a program that skipped one would lose it.
#[derive(Debug)]
pub enum Due {
    /// A message, for `send_encoded`.
    Message(Mail),
    /// A Close frame with this code and reason, which ends the connection. Nothing comes after it.
    Close(CloseCode, &'static str),
}

impl Subscriber {
    /// Creates an inbox. `wake` is called when something has arrived in an empty inbox, on the
    /// thread that publishes, without a lock: it must not block. It writes what the connection
    /// takes, or wakes the thread that does. It is called too when the inbox was emptied because it is full and
    /// the connection must be closed, although the connection may be behind: the Close frame then
    /// belongs behind the bytes that wait for the peer, so that the time for the closing handshake
    /// begins.
    #[must_use]
    pub fn new(budget: Budget, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { inbox: Mutex::new(Inbox::new(budget)), wake }))
    }

    /// Sends a message to this connection alone, after all that its topics have published so far
    /// and before all that they publish later.
    ///
    /// The budget holds for it too: [`Published::dropped`] says if it, or another, did not fit.
    #[expect(clippy::must_use_candidate, reason = "most programs need no counts")]
    pub fn send(&self, message: &EncodedMessage) -> Published {
        let (published, must_wake) = self.put(&Mail::new(message.clone(), None));
        if must_wake {
            self.wake();
        }
        published
    }

    /// Takes out the next message to send. Call it when nothing waits to be written, until it
    /// returns `None`; or when the transport takes bytes again, if it did not take all.
    #[must_use]
    pub fn take(&self) -> Option<Due> {
        self.take_if(|_| true)
    }

    /// Takes out the next message if `accept` agrees, as [`take`](Self::take) does. If it does not,
    /// the connection must come back by itself: `wake` is not called until the inbox was empty.
    ///
    /// `accept` must not use the subscriber, which is locked, nor publish.
    #[must_use]
    pub fn take_if(&self, accept: impl FnOnce(&EncodedMessage) -> bool) -> Option<Due> {
        lock(&self.0.inbox).take(|mail| accept(mail)).map(|next| match next {
            Next::Message(mail) => Due::Message(mail),
            Next::Close(code, reason) => Due::Close(code, reason),
        })
    }

    /// Returns whether [`take`](Self::take) has something.
    #[must_use]
    pub fn is_due(&self) -> bool {
        lock(&self.0.inbox).is_due()
    }

    /// Closes the connection with this code and reason after what waits; later messages are not
    /// accepted. Of a reason longer than [`Close::MAX_REASON`](crate::Close::MAX_REASON) the
    /// beginning is sent.
    pub fn close(&self, code: CloseCode, reason: &'static str) {
        let mut inbox = lock(&self.0.inbox);
        inbox.close(code, reason);
        let must_wake = inbox.must_tell();
        drop(inbox);
        if must_wake {
            self.wake();
        }
    }

    /// Drops what waits and accepts nothing more, because the connection is over. The adapters of
    /// this crate call it themselves.
    pub fn end(&self) {
        lock(&self.0.inbox).end();
    }

    /// Returns whether no more messages are accepted: the connection is closing or over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.0.inbox).is_over()
    }

    /// Returns what waits, and what became of the messages so far.
    #[must_use]
    pub fn counts(&self) -> SubscriberCounts {
        lock(&self.0.inbox).counts()
    }

    /// Puts a message in, and returns too whether the connection must be woken.
    pub(super) fn put(&self, mail: &Mail) -> (Published, bool) {
        let mut inbox = lock(&self.0.inbox);
        (inbox.push(mail), inbox.must_tell())
    }

    pub(super) fn wake(&self) {
        (self.0.wake)();
    }

    /// What tells it apart from others.
    pub(super) fn address(&self) -> *const () {
        Arc::as_ptr(&self.0).cast()
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
