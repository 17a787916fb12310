//! A topic, its subscriptions, and the messages on their way to them.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::counts::Published;
use super::mail::Mail;
use super::registry::Registry;
use super::subscriber::Subscriber;
use super::sync::{Mutex, MutexGuard, lock};
use crate::message::AsMessage;
use crate::sender::EncodedMessage;

/// A topic of a [`Hub`](crate::hub::Hub). Clones are the same topic. It ends with the last clone and
/// the last [`Subscription`].
#[doc(alias = "channel")]
#[doc(alias = "room")]
#[derive(Clone)]
pub struct Topic(Arc<Shared>);

pub(super) struct Shared {
    name: Arc<str>,
    /// No other topic of any hub has it, also after the end of this one, whose messages may still
    /// wait then.
    number: u64,
    registry: Arc<Registry<Self>>,
    subscribers: Mutex<Subscribers>,
}

#[derive(Default)]
struct Subscribers {
    /// By the numbers of their subscriptions.
    by_number: BTreeMap<u64, Subscriber>,
    last: u64,
    /// The memory for the list of those that must be woken.
    list: Vec<Subscriber>,
}

impl Shared {
    pub(super) fn new(name: Arc<str>, registry: Arc<Registry<Self>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name, number, registry, subscribers: Mutex::new(Subscribers::default()) }
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers> {
        lock(&self.subscribers)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.registry.forget(&self.name);
    }
}

impl Topic {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Subscribes a connection, until the subscription is dropped: keep it in a variable with a name,
    /// because `let _ =` drops it at once. What is published from now on arrives. A connection that
    /// subscribes twice gets each message twice.
    pub fn subscribe(&self, subscriber: &Subscriber) -> Subscription {
        self.subscribe_with(subscriber, || None)
    }

    /// Subscribes a connection, and sends it some messages before the first that is published:
    /// the state of the topic, for instance. While `first` makes them nothing is published, so a
    /// program that changes its state before it publishes misses and repeats nothing.
    ///
    /// `first` must not use the topic, which is locked, nor [`Hub::counts`](crate::hub::Hub::counts),
    /// nor wait for a thread that does. If it panics there is no subscription, and the messages that
    /// it has made arrive.
    pub fn subscribe_with<I>(
        &self,
        subscriber: &Subscriber,
        first: impl FnOnce() -> I,
    ) -> Subscription
    where
        I: IntoIterator<Item = EncodedMessage>,
    {
        // Dropped when the topic is no longer locked.
        let mut state = State { subscriber, must_wake: false };
        let mut subscribers = self.0.lock();
        for message in first() {
            state.must_wake |= subscriber.put(&Mail::new(message, None)).1;
        }
        subscribers.last = subscribers.last.saturating_add(1);
        let number = subscribers.last;
        subscribers.by_number.insert(number, subscriber.clone());
        drop(subscribers);
        Subscription { topic: self.clone(), number }
    }

    /// Publishes a message: encodes it once, and writes it to every subscriber whose network takes
    /// it. It never waits. The time of one write for each subscriber is this thread's;
    /// [`post`](Self::post) splits it up.
    #[doc(alias = "broadcast")]
    pub fn publish(&self, message: impl AsMessage) -> Published {
        self.publish_encoded(&EncodedMessage::new(message))
    }

    /// Publishes a message that is encoded, and perhaps
    /// [compressed](crate::EncodedMessage#method.compressed), as [`publish`](Self::publish) does.
    #[expect(clippy::must_use_candidate, reason = "most programs need no counts")]
    pub fn publish_encoded(&self, message: &EncodedMessage) -> Published {
        self.post(None, message).published()
    }

    /// Publishes a message as [`publish_encoded`](Self::publish_encoded) does, with a key: where
    /// [`WhenFull::KeepLatest`](crate::hub::WhenFull::KeepLatest) holds it replaces the message of
    /// the same key that still waits.
    #[expect(clippy::must_use_candidate, reason = "most programs need no counts")]
    pub fn publish_keyed(&self, key: &str, message: &EncodedMessage) -> Published {
        self.post(Some(key), message).published()
    }

    /// Publishes a message, but leaves the writing to [`Deliveries`]: the message lies in all
    /// inboxes when this returns.
    pub fn post(&self, key: Option<&str>, message: &EncodedMessage) -> Deliveries {
        let mail = Mail::new(message.clone(), key.map(|key| (self.0.number, key.into())));
        let mut published = Published::default();
        let mut subscribers = self.0.lock();
        let Subscribers { by_number, list, .. } = &mut *subscribers;
        let mut list = mem::take(list);
        // In reverse, because the list is taken from its end.
        for subscriber in by_number.values().rev() {
            let (put, must_wake) = subscriber.put(&mail);
            published.add(put);
            if must_wake {
                list.push(subscriber.clone());
            }
        }
        drop(subscribers);
        self.0.registry.count(message.as_bytes().len(), &published);
        Deliveries { topic: Arc::clone(&self.0), list, published }
    }

    /// Returns how many subscriptions there are.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.0.lock().by_number.len()
    }

    /// Returns all subscribers.
    pub(super) fn subscribers(&self) -> Vec<Subscriber> {
        self.0.lock().by_number.values().cloned().collect()
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// The state of a topic on its way into an inbox. Dropping it wakes the connection, if it must be:
/// also if the program panics before it has made all, because it would not be woken again.
struct State<'a> {
    subscriber: &'a Subscriber,
    must_wake: bool,
}

impl Drop for State<'_> {
    fn drop(&mut self) {
        if self.must_wake {
            self.subscriber.wake();
        }
    }
}

/// A connection's subscription to a topic, which ends when it is dropped. What waits in the inbox
/// then still arrives.
#[doc(alias = "unsubscribe")]
#[derive(Debug)]
#[must_use = "the subscription ends when it is dropped"]
pub struct Subscription {
    topic: Topic,
    number: u64,
}

impl Subscription {
    /// Returns the topic.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscribers = self.topic.0.lock();
        let subscriber = subscribers.by_number.remove(&self.number);
        if subscribers.by_number.is_empty() {
            subscribers.list = Vec::new();
        }
        drop(subscribers);
        // It may be the last clone, which drops what the program has put into `wake`.
        drop(subscriber);
    }
}

/// The connections to which a message, which lies in their inboxes, must still be written. Dropping
/// it writes to all that are left.
///
/// Until then, messages of other topics and publishers wait in these connections' inboxes too. So do
/// not keep it for long.
///
/// A program that must not spend the time of ten thousand writes at once does some at a time:
///
/// ```
/// # let hub = sansock::hub::Hub::new();
/// # let message = sansock::EncodedMessage::new("news");
/// let mut deliveries = hub.topic("news").post(None, &message);
/// while deliveries.deliver(100) > 0 {
///     // Other work, such as a look at other sockets.
/// }
/// assert_eq!(deliveries.published().accepted, 0);
/// ```
#[must_use = "dropping it writes to all connections"]
pub struct Deliveries {
    topic: Arc<Shared>,
    /// The next is the last.
    list: Vec<Subscriber>,
    published: Published,
}

impl Deliveries {
    /// Writes to so many connections at most, and returns how many are left.
    ///
    /// A panic of one, of its transport for instance, goes on when they are all written to.
    pub fn deliver(&mut self, at_most: usize) -> usize {
        let mut panic = None;
        for _ in 0..at_most {
            // Let go of at once, while it is in the processor's cache.
            let Some(subscriber) = self.list.pop() else { break };
            // The others would never be woken again.
            if let Err(first) = catch_unwind(AssertUnwindSafe(move || subscriber.wake())) {
                panic.get_or_insert(first);
            }
        }
        if let Some(panic) = panic.filter(|_| !thread::panicking()) {
            resume_unwind(panic);
        }
        self.list.len()
    }

    /// Returns what became of the message.
    #[must_use]
    pub const fn published(&self) -> Published {
        self.published
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.deliver(usize::MAX);
        let mut subscribers = self.topic.lock();
        if !subscribers.by_number.is_empty() {
            subscribers.list = mem::take(&mut self.list);
        }
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("left", &self.list.len())
            .field("published", &self.published)
            .finish_non_exhaustive()
    }
}
