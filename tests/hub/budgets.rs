//! What happens to a subscriber that takes too little.

use sansock::CloseCode;
use sansock::hub::{Budget, WhenFull};

use crate::{room_for, subscribed};

#[test]
fn the_newest_message_is_dropped_and_counted() {
    let (hub, peer, _subscription) = subscribed(room_for(2, "1").when_full(WhenFull::DropNewest));
    let topic = hub.topic("news");
    assert_eq!(topic.publish("1").dropped, 0);
    assert_eq!(topic.publish("2").dropped, 0);
    let published = topic.publish("3");
    assert_eq!((published.accepted, published.dropped, published.dropped_bytes), (0, 1, 3));
    assert_eq!(peer.subscriber.counts().dropped, 1);
    assert_eq!(peer.received(), ["1", "2"]);
    topic.publish("4");
    assert_eq!(peer.received(), ["4"]);
}

#[test]
fn the_oldest_messages_are_dropped_until_the_new_one_fits() {
    let (hub, peer, _subscription) = subscribed(room_for(3, "1").when_full(WhenFull::DropOldest));
    let topic = hub.topic("news");
    for text in ["1", "2", "3"] {
        topic.publish(text);
    }
    // As long as two places.
    let long = "x".repeat(Budget::OVERHEAD + 2);
    let published = topic.publish(&long);
    assert_eq!((published.accepted, published.dropped, published.dropped_bytes), (1, 2, 6));
    let counts = peer.subscriber.counts();
    assert_eq!((counts.dropped, counts.dropped_bytes), (2, 6));
    assert_eq!(peer.received(), ["3", &long]);
}

#[test]
fn a_full_connection_is_closed_with_the_code_and_what_waits_is_dropped() {
    let code = CloseCode::POLICY_VIOLATION;
    let (hub, peer, _subscription) =
        subscribed(room_for(2, "1").when_full(WhenFull::Close(code, "")));
    let topic = hub.topic("news");
    topic.publish("1");
    topic.publish("2");
    let published = topic.publish("3");
    assert_eq!((published.accepted, published.dropped, published.closed), (0, 3, 1));
    assert_eq!(topic.publish("4").closed, 0, "once");
    assert_eq!(peer.received(), ["close 1008"]);
    assert_eq!(peer.subscriber.counts().dropped, 3, "what comes after the close is not for it");
}

#[test]
fn by_default_a_mebibyte_waits_and_then_the_connection_is_closed_with_1013() {
    let (hub, peer, _subscription) = subscribed(Budget::default());
    let topic = hub.topic("news");
    let text = "x".repeat(1_000);
    let fit = (1 << 20) / (1_004 + Budget::OVERHEAD);
    assert!((0..fit).all(|_| topic.publish(&text).accepted == 1));
    assert_eq!(topic.publish(&text).closed, 1);
    assert_eq!(peer.received(), ["close 1013 too slow"]);
}

/// As everywhere in this crate: or it could never be sent.
#[test]
fn a_message_longer_than_the_budget_is_accepted_if_nothing_waits() {
    for when_full in [WhenFull::DropNewest, WhenFull::DropOldest, WhenFull::KeepLatest] {
        let (hub, peer, _subscription) = subscribed(Budget::new(0).when_full(when_full));
        let topic = hub.topic("news");
        assert_eq!(topic.publish("first").accepted, 1);
        assert_eq!(topic.publish("second").dropped, 1);
        let stays = if when_full == WhenFull::DropNewest { "first" } else { "second" };
        assert_eq!(peer.received(), [stays]);
    }
}

/// The budget is what bounds the memory, so a short message counts its place too.
#[test]
fn short_messages_do_not_take_more_memory_than_the_budget() {
    let (hub, peer, _subscription) =
        subscribed(Budget::new(64 << 10).when_full(WhenFull::DropOldest));
    for _ in 0..10_000 {
        hub.topic("news").publish("");
    }
    let counts = peer.subscriber.counts();
    assert_eq!(counts.waiting, (64 << 10) / (2 + Budget::OVERHEAD));
    assert!(counts.waiting_bytes <= 64 << 10);
}
