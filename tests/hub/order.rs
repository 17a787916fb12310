//! The order of messages, with threads.

use std::collections::BTreeMap;
use std::thread;

use sansock::EncodedMessage;
use sansock::hub::{Budget, Hub, Subscriber};

/// What a subscriber has got, as numbers.
fn numbers(subscriber: &Subscriber) -> Vec<u32> {
    std::iter::from_fn(|| subscriber.take())
        .map(|due| crate::text_of(&due).parse().unwrap())
        .collect()
}

#[test]
fn all_subscribers_get_the_messages_of_all_threads_in_the_same_order() {
    const THREADS: u32 = 4;
    const EACH: u32 = 500;

    let hub = Hub::new();
    let subscribers: Vec<_> =
        (0..10).map(|_| Subscriber::new(Budget::new(usize::MAX), || {})).collect();
    let _all: Vec<_> = subscribers.iter().map(|it| hub.topic("news").subscribe(it)).collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let topic = hub.topic("news");
            scope.spawn(move || {
                for n in 0..EACH {
                    topic.publish(&*(thread * EACH + n).to_string());
                }
            });
        }
    });
    let first = numbers(&subscribers[0]);
    assert_eq!(first.len(), usize::try_from(THREADS * EACH).unwrap());
    let mut last = BTreeMap::new();
    for number in &first {
        let before = last.insert(number / EACH, *number);
        assert!(before.is_none_or(|before| before < *number), "each thread's stay in order");
    }
    assert!(subscribers[1..].iter().all(|it| numbers(it) == first));
}

/// The state is a number, and so is each message: none may be missing between the two.
#[test]
fn a_message_is_wholly_before_or_wholly_after_a_subscription() {
    const LAST: u32 = 3_000;

    let hub = Hub::new();
    let state = std::sync::atomic::AtomicU32::new(0);
    thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            for number in 1..=LAST {
                state.store(number, std::sync::atomic::Ordering::SeqCst);
                hub.topic("numbers").publish(&*number.to_string());
            }
        });
        while !publisher.is_finished() {
            let subscriber = Subscriber::new(Budget::new(usize::MAX), || {});
            let subscription = hub.topic("numbers").subscribe_with(&subscriber, || {
                let now = state.load(std::sync::atomic::Ordering::SeqCst);
                Some(EncodedMessage::new(&*now.to_string()))
            });
            thread::yield_now();
            drop(subscription);
            let got = numbers(&subscriber);
            // The state may already be that of the next message.
            let from = got.iter().rposition(|it| *it == got[0]).unwrap();
            assert!(from <= 1, "{got:?}");
            assert!(got[from..].windows(2).all(|pair| pair[0] + 1 == pair[1]), "{got:?}");
        }
    });
}
