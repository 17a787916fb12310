//! Threads around a hub.

use std::sync::Arc;

use sansock::EncodedMessage;
use sansock::hub::{Budget, Due, Hub, Subscriber};
use shuttle::sync::Mutex;
use shuttle::thread;

/// How many schedules each test goes through.
const SCHEDULES: usize = 2_000;

/// A connection whose transport takes everything: whoever wakes it writes, one at a time.
#[derive(Clone)]
struct Connection {
    subscriber: Subscriber,
    written: Arc<Mutex<Vec<u32>>>,
}

impl Connection {
    fn new() -> Self {
        let written = Arc::new(Mutex::new(Vec::new()));
        let inbox = Arc::new(Mutex::new(None::<Subscriber>));
        let (to, from) = (Arc::clone(&written), Arc::clone(&inbox));
        let subscriber = Subscriber::new(Budget::default(), move || {
            let subscriber = from.lock().unwrap().clone().unwrap();
            let mut written = to.lock().unwrap();
            while let Some(Due::Message(message)) = subscriber.take() {
                written.push(message.as_message().as_text().unwrap().parse().unwrap());
            }
        });
        *inbox.lock().unwrap() = Some(subscriber.clone());
        Self { subscriber, written }
    }

    fn written(&self) -> Vec<u32> {
        self.written.lock().unwrap().clone()
    }
}

fn text(number: u32) -> EncodedMessage {
    EncodedMessage::new(&*number.to_string())
}

/// Nothing is lost or doubled, whoever writes: two threads publish and one sends to a connection.
#[test]
fn what_is_published_is_written_once_and_in_the_same_order_everywhere() {
    shuttle::check_random(
        || {
            let hub = Hub::new();
            let connections = [Connection::new(), Connection::new()];
            let subscriptions =
                connections.each_ref().map(|it| hub.topic("news").subscribe(&it.subscriber));
            let publishers = [10, 20].map(|first| {
                let hub = hub.clone();
                thread::spawn(move || {
                    for number in first..first + 3 {
                        hub.topic("news").publish_encoded(&text(number));
                    }
                })
            });
            let alone = connections[0].subscriber.clone();
            let third = thread::spawn(move || {
                alone.send(&text(30));
            });
            publishers.into_iter().chain([third]).for_each(|it| it.join().unwrap());
            let [mut first, second] = connections.map(|it| it.written());
            assert_eq!(first.iter().filter(|it| **it == 30).count(), 1);
            first.retain(|it| *it != 30);
            assert_eq!(first, second);
            let mut all = first.clone();
            all.sort_unstable();
            assert_eq!(all, [10, 11, 12, 20, 21, 22]);
            for from in [10, 20] {
                let own = first.iter().filter(|it| **it / 10 * 10 == from);
                assert!(own.is_sorted(), "{first:?}");
            }
            drop(subscriptions);
        },
        SCHEDULES,
    );
}

/// The state and the messages that follow it have no hole, whenever the subscription happens.
#[test]
fn a_publish_is_wholly_before_or_wholly_after_a_subscription() {
    shuttle::check_random(
        || {
            let hub = Hub::new();
            let topic = hub.topic("numbers");
            let state = Arc::new(Mutex::new(0));
            let now = Arc::clone(&state);
            let publisher = thread::spawn(move || {
                for number in 1..=3 {
                    // One step for the state and one for the message, as a program has them.
                    *now.lock().unwrap() = number;
                    topic.publish_encoded(&text(number));
                }
            });
            let connection = Connection::new();
            let subscription = hub
                .topic("numbers")
                .subscribe_with(&connection.subscriber, || Some(text(*state.lock().unwrap())));
            publisher.join().unwrap();
            let written = connection.written();
            let from = written.iter().rposition(|it| *it == written[0]).unwrap();
            assert!(from <= 1, "{written:?}");
            assert!(written[from..].windows(2).all(|two| two[0] + 1 == two[1]), "{written:?}");
            assert_eq!(written.last(), Some(&3));
            drop(subscription);
        },
        SCHEDULES,
    );
}

/// A subscription that ends while others publish: what arrived is the beginning, without a hole,
/// and topic and subscriber can be dropped on any thread.
#[test]
fn what_arrives_before_a_subscription_ends_has_no_hole() {
    shuttle::check_random(
        || {
            let hub = Hub::new();
            let connection = Connection::new();
            let subscription = hub.topic("numbers").subscribe(&connection.subscriber);
            let publisher = {
                let hub = hub.clone();
                thread::spawn(move || {
                    for number in 0..3 {
                        hub.topic("numbers").publish_encoded(&text(number));
                    }
                })
            };
            drop(subscription);
            publisher.join().unwrap();
            let written = connection.written();
            assert!(written.iter().copied().eq(0..u32::try_from(written.len()).unwrap()));
            assert_eq!(hub.counts().topics, 0);
        },
        SCHEDULES,
    );
}
