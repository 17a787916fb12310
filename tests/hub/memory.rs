//! What a subscription costs, in memory.

use sansock::EncodedMessage;
use sansock::hub::{Budget, Hub, Subscriber, Subscription, WhenFull};
use testkit::memory::{Counting, allocations, held};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Subscribers with this budget, and their subscriptions to one topic.
fn crowd(hub: &Hub, number: usize, budget: Budget) -> Vec<(Subscriber, Subscription)> {
    let topic = hub.topic("news");
    let mut crowd = Vec::with_capacity(number);
    crowd.resize_with(number, || {
        let subscriber = Subscriber::new(budget, || {});
        let subscription = topic.subscribe(&subscriber);
        (subscriber, subscription)
    });
    crowd
}

fn empty(crowd: &[(Subscriber, Subscription)]) {
    for (subscriber, _) in crowd {
        while subscriber.take().is_some() {}
    }
}

/// The number in the documentation of `Subscriber`.
#[test]
fn an_idle_subscriber_takes_256_bytes_and_each_further_subscription_64() {
    const NUMBER: usize = 10_000;

    let hub = Hub::new();
    let mut crowd_kept = Vec::new();
    // The handles are the program's, and counted apart.
    let handles = size_of::<(Subscriber, Subscription)>() * NUMBER;
    let first = held(|| crowd_kept = crowd(&hub, NUMBER, Budget::default()));
    let first = (usize::try_from(first).unwrap() - handles) / NUMBER;
    assert!(first <= 256, "{first} bytes");

    // Also after messages that did not wait for long.
    let after = held(|| {
        for _ in 0..3 {
            hub.topic("news").publish("news");
            hub.topic("news").publish("more news");
            empty(&crowd_kept);
        }
    });
    let list = size_of::<Subscriber>() * NUMBER * 2;
    assert!(after <= isize::try_from(list).unwrap(), "{after} bytes");

    let mut more = Vec::with_capacity(NUMBER);
    let topic = hub.topic("sports");
    let further = held(|| more.extend(crowd_kept.iter().map(|it| topic.subscribe(&it.0))));
    let further = usize::try_from(further).unwrap() / NUMBER;
    assert!(further <= 64, "{further} bytes");

    let freed = held(|| drop((more, crowd_kept)));
    assert!(freed < 0);
    assert_eq!(hub.counts().subscriptions, 0);
}

#[test]
fn publishing_allocates_the_same_for_one_subscriber_and_for_a_thousand() {
    let hub = Hub::new();
    let topic = hub.topic("news");
    let message = EncodedMessage::new("news");
    let mut counted = Vec::new();
    for number in [1, 1_000] {
        let crowd = crowd(&hub, number, Budget::default());
        topic.publish_encoded(&message);
        empty(&crowd);
        counted.push(allocations(|| {
            topic.publish_encoded(&message);
            empty(&crowd);
        }));
    }
    assert_eq!(counted, [1, 1], "the message, once");
}

/// A program may name topics after what clients send.
#[test]
fn a_topic_that_has_ended_takes_nothing() {
    let hub = Hub::new();
    let taken = held(|| {
        for n in 0..10_000 {
            let (topic, again) = (hub.topic(&n.to_string()), hub.topic(&n.to_string()));
            drop(topic);
            assert_eq!(again.publish("nobody").accepted, 0);
        }
    });
    assert_eq!(taken, 0);
}

/// The worst is a subscriber that alone keeps many short messages.
#[test]
fn what_waits_takes_no_more_memory_than_the_budget() {
    let short = |_| "x".to_owned();
    let long = |_| "x".repeat(1_000);
    let keys = |n: usize| n.to_string();
    for (text, budget) in [
        (short as fn(usize) -> String, Budget::new(256 << 10).when_full(WhenFull::DropOldest)),
        (long, Budget::new(256 << 10).when_full(WhenFull::DropNewest)),
        (keys, Budget::new(256 << 10).when_full(WhenFull::KeepLatest)),
    ] {
        let hub = Hub::new();
        let crowd = crowd(&hub, 1, budget);
        let topic = hub.topic("news");
        topic.publish("first");
        let taken = held(|| {
            for n in 0..5_000 {
                let text = text(n);
                topic.publish_keyed(&text, &EncodedMessage::new(text.as_str()));
            }
        });
        let most = isize::try_from(budget.bytes).unwrap();
        assert!(taken <= most, "{budget:?}: {taken} bytes");
        let freed = held(|| empty(&crowd));
        assert!(freed <= -most / 3, "{budget:?}: {freed} bytes");
    }
}

/// The table of names does not grow and shrink again for each.
#[test]
fn a_topic_that_comes_and_goes_costs_the_same_however_many_others_there_are() {
    let costs = |others: usize| {
        let hub = Hub::new();
        let _stay: Vec<_> = (0..others).map(|n| hub.topic(&n.to_string())).collect();
        allocations(|| (0..100).for_each(|_| drop(hub.topic("comes and goes"))))
    };
    let usual = costs(1);
    for others in 2..100 {
        // It may grow once.
        assert!(costs(others) <= usual + 1, "{others}: {} and {usual}", costs(others));
    }
}

/// Clients may name topics, and leave them again, while others stay. The table of names has room for
/// eight times those that stay, at most.
#[test]
fn the_names_of_topics_that_have_ended_take_next_to_nothing_though_others_stay() {
    for stay in [1, 1_000] {
        let hub = Hub::new();
        let stays: Vec<_> = (0..stay).map(|n| hub.topic(&format!("stays {n}"))).collect();
        let left = held(|| {
            let many: Vec<_> = (0..50_000).map(|n| hub.topic(&n.to_string())).collect();
            assert_eq!(hub.counts().topics, 50_000 + stay);
            drop(many);
        });
        let most = isize::try_from(2_000 + stay * 8 * 40).unwrap();
        assert!(left < most, "{stay} stay, {left} bytes");
        assert!(hub.existing_topic("stays 0").is_some());
        drop(stays);
    }
}
