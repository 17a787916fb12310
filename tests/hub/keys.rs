//! The latest message of each key.

use sansock::EncodedMessage;
use sansock::hub::{Budget, Hub, Topic, WhenFull};

use crate::Peer;

fn latest(budget: Budget) -> (Topic, Peer, sansock::hub::Subscription) {
    let (hub, peer) = (Hub::new(), Peer::new(budget.when_full(WhenFull::KeepLatest)));
    let subscription = hub.topic("prices").subscribe(&peer.subscriber);
    (hub.topic("prices"), peer, subscription)
}

/// A budget for so many messages of two bytes, with keys of one.
fn room_for(messages: usize) -> Budget {
    Budget::new(messages * (4 + 1 + Budget::OVERHEAD))
}

fn publish(topic: &Topic, key: &str, text: &str) -> [usize; 3] {
    let published = topic.publish_keyed(key, &EncodedMessage::new(text));
    [published.accepted, published.replaced, published.dropped]
}

#[test]
fn a_message_takes_the_place_of_the_one_with_its_key_that_waits() {
    let (topic, peer, _subscription) = latest(Budget::default());
    for n in 0..100 {
        for key in ["a", "b", "c"] {
            let replaced = usize::from(n > 0);
            assert_eq!(publish(&topic, key, &format!("{key}{n}")), [1, replaced, 0]);
        }
    }
    let counts = peer.subscriber.counts();
    assert_eq!((counts.waiting, counts.replaced, counts.dropped), (3, 297, 0));
    assert_eq!(counts.waiting_bytes, 3 * (5 + 1 + Budget::OVERHEAD));
    assert_eq!(peer.received(), ["a99", "b99", "c99"]);
}

/// Otherwise a key that changes faster than the connection takes would never get through.
#[test]
fn every_key_gets_its_turn() {
    let (topic, peer, _subscription) = latest(Budget::default());
    let mut turns = [0; 3];
    for key in ["a", "b", "c"] {
        publish(&topic, key, key);
    }
    for _ in 0..30 {
        // Between two messages that are taken all keys change.
        let taken = peer.subscriber.take().map(|due| crate::text_of(&due)).unwrap();
        turns[usize::from(taken.as_bytes()[0] - b'a')] += 1;
        for key in ["c", "b", "a"] {
            publish(&topic, key, key);
        }
    }
    assert!(turns.iter().all(|turns| (9..=11).contains(turns)), "{turns:?}");
}

#[test]
fn what_was_taken_is_not_replaced() {
    let (topic, peer, _subscription) = latest(Budget::default());
    publish(&topic, "a", "a1");
    publish(&topic, "b", "b1");
    let taken = peer.subscriber.take().map(|due| crate::text_of(&due));
    assert_eq!(taken.as_deref(), Some("a1"));
    assert_eq!(publish(&topic, "a", "a2"), [1, 0, 0]);
    assert_eq!(publish(&topic, "b", "b2"), [1, 1, 0]);
    assert_eq!(peer.received(), ["b2", "a2"]);
    assert_eq!(publish(&topic, "a", "a3"), [1, 0, 0]);
    assert_eq!(peer.received(), ["a3"]);
}

#[test]
fn a_message_without_a_key_is_never_overtaken() {
    let (topic, peer, _subscription) = latest(Budget::default());
    publish(&topic, "a", "a1");
    topic.publish("reset");
    assert_eq!(publish(&topic, "a", "a2"), [1, 0, 0]);
    assert_eq!(publish(&topic, "a", "a3"), [1, 1, 0]);
    assert_eq!(peer.received(), ["a1", "reset", "a3"]);
}

#[test]
fn keys_of_other_topics_are_other_keys() {
    let hub = Hub::new();
    let peer = Peer::new(Budget::default().when_full(WhenFull::KeepLatest));
    let topics = ["one", "two"].map(|name| hub.topic(name));
    let _subscriptions = topics.each_ref().map(|topic| topic.subscribe(&peer.subscriber));
    publish(&topics[0], "a", "1");
    assert_eq!(publish(&topics[1], "a", "2"), [1, 0, 0]);
    assert_eq!(publish(&topics[1], "a", "3"), [1, 1, 0]);
    assert_eq!(peer.received(), ["1", "3"]);
    assert_eq!(hub.counts().replaced, 1);
}

#[test]
fn if_there_are_too_many_keys_the_oldest_are_dropped() {
    let (topic, peer, _subscription) = latest(room_for(3));
    for key in ["a", "b", "c"] {
        publish(&topic, key, &format!("{key}1"));
    }
    assert_eq!(publish(&topic, "d", "d1"), [1, 0, 1]);
    // The key of a message that was dropped is new again.
    assert_eq!(publish(&topic, "a", "a2"), [1, 0, 1]);
    assert_eq!(peer.received(), ["c1", "d1", "a2"]);
}

#[test]
fn a_longer_one_in_the_place_of_a_shorter_one_keeps_the_budget() {
    let (topic, peer, _subscription) = latest(room_for(3));
    for key in ["a", "b", "c"] {
        publish(&topic, key, &format!("{key}1"));
    }
    assert_eq!(publish(&topic, "c", "c2"), [1, 1, 0], "it fits exactly");
    let long = format!("c{}", "2".repeat(Budget::OVERHEAD));
    assert_eq!(publish(&topic, "c", &long), [1, 1, 1]);
    assert!(peer.subscriber.counts().waiting_bytes <= 3 * (5 + Budget::OVERHEAD));
    assert_eq!(peer.received(), ["b1", &long]);
    // Longer than the whole budget, and replaced where it stands alone.
    publish(&topic, "a", "a1");
    publish(&topic, "b", "b1");
    let longest = "3".repeat(4 * Budget::OVERHEAD);
    assert_eq!(publish(&topic, "b", &longest), [1, 1, 1]);
    assert_eq!(publish(&topic, "b", "b2"), [1, 1, 0]);
    assert_eq!(peer.received(), ["b2"]);
}

/// It is the newest, also if its turn is next: the older ones make room.
#[test]
fn a_longer_one_in_the_first_place_keeps_its_turn_and_the_next_ones_are_dropped() {
    const KEYS: [&str; 4] = ["a", "b", "c", "d"];
    for dropped in 1..=3 {
        let (topic, peer, _subscription) = latest(room_for(4));
        for key in KEYS {
            publish(&topic, key, key);
        }
        let long = format!("a{}", "2".repeat(dropped * Budget::OVERHEAD));
        assert_eq!(publish(&topic, "a", &long), [1, 1, dropped]);
        assert!(peer.subscriber.counts().waiting_bytes <= 4 * (5 + Budget::OVERHEAD));
        // The other keys are where they were, and those that were dropped are new.
        for (place, key) in KEYS.into_iter().enumerate() {
            let is_new = (1..=dropped).contains(&place);
            assert_eq!(publish(&topic, key, &key.repeat(2)), [1, usize::from(!is_new), 0]);
        }
        let mut expected = ["aa", "bb", "cc", "dd"];
        expected[1..].rotate_left(dropped);
        assert_eq!(peer.received(), expected);
    }
}

#[test]
fn one_that_is_longer_than_the_budget_is_the_only_one() {
    let (topic, peer, _subscription) = latest(room_for(4));
    publish(&topic, "a", "a1");
    publish(&topic, "b", "b1");
    let longest = "3".repeat(5 * Budget::OVERHEAD);
    assert_eq!(publish(&topic, "a", &longest), [1, 1, 1]);
    assert_eq!(peer.received(), [longest]);
}

/// A new topic may lie in memory where an old one was.
#[test]
fn a_topic_that_has_ended_leaves_its_keys_to_no_other() {
    let hub = Hub::new();
    let peer = Peer::new(Budget::default().when_full(WhenFull::KeepLatest));
    let names: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    for name in &names {
        let topic = hub.topic(name);
        let _subscription = topic.subscribe(&peer.subscriber);
        assert_eq!(publish(&topic, "a", name), [1, 0, 0]);
    }
    assert_eq!(peer.received(), names);
}

#[test]
fn with_other_policies_keys_change_nothing() {
    for when_full in [WhenFull::DropNewest, WhenFull::DropOldest] {
        let (hub, peer, _subscription) = crate::subscribed(Budget::default().when_full(when_full));
        publish(&hub.topic("news"), "a", "1");
        publish(&hub.topic("news"), "a", "2");
        assert_eq!(peer.received(), ["1", "2"]);
    }
}
