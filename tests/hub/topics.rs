//! Who gets what.

use sansock::hub::Hub;
use sansock::{CloseCode, EncodedMessage};

use crate::{Peer, subscribed};

#[test]
fn a_message_reaches_the_subscribers_of_its_topic_and_nobody_else() {
    let hub = Hub::new();
    let peers: Vec<_> = (0..3).map(|_| Peer::default()).collect();
    let _sports = [&peers[0], &peers[1]].map(|it| hub.topic("sports").subscribe(&it.subscriber));
    let _weather = [&peers[1], &peers[2]].map(|it| hub.topic("weather").subscribe(&it.subscriber));
    assert_eq!(hub.topic("sports").publish("1 to 0").accepted, 2);
    assert_eq!(hub.topic("weather").publish("rain").accepted, 2);
    assert_eq!(peers[0].received(), ["1 to 0"]);
    assert_eq!(peers[1].received(), ["1 to 0", "rain"]);
    assert_eq!(peers[2].received(), ["rain"]);
}

#[test]
fn a_subscription_ends_when_it_is_dropped_and_what_waits_still_arrives() {
    let (hub, peer, subscription) = subscribed(sansock::hub::Budget::default());
    hub.topic("news").publish("before");
    assert_eq!(subscription.topic().name(), "news");
    drop(subscription);
    assert_eq!(hub.topic("news").publish("after").accepted, 0);
    assert_eq!(peer.received(), ["before"]);
}

#[test]
fn a_connection_that_subscribes_twice_gets_a_message_twice() {
    let (hub, peer, _first) = subscribed(sansock::hub::Budget::default());
    let _second = hub.topic("news").subscribe(&peer.subscriber);
    assert_eq!(hub.topic("news").subscriptions(), 2);
    assert_eq!(hub.topic("news").publish("twice").accepted, 2);
    assert_eq!(peer.received(), ["twice", "twice"]);
}

#[test]
fn a_topic_lives_as_long_as_a_handle_or_a_subscription() {
    let (hub, _peer, subscription) = subscribed(sansock::hub::Budget::default());
    assert_eq!(hub.counts().topics, 1);
    assert_eq!(hub.existing_topic("news").unwrap().subscriptions(), 1);
    assert!(hub.existing_topic("sports").is_none());
    let handle = hub.topic("news");
    drop(subscription);
    assert_eq!((hub.counts().topics, handle.subscriptions()), (1, 0));
    drop(handle);
    assert!(hub.existing_topic("news").is_none());
    assert_eq!(hub.counts().topics, 0);
    assert_eq!(hub.clone().topic("news").publish("nobody").accepted, 0);
}

#[test]
fn state_arrives_before_the_first_message_and_after_what_waits() {
    let hub = Hub::new();
    let (peer, topic) = (Peer::default(), hub.topic("news"));
    peer.subscriber.send(&EncodedMessage::new("hello"));
    let _subscription =
        topic.subscribe_with(&peer.subscriber, || ["state 1", "state 2"].map(EncodedMessage::new));
    topic.publish("news");
    assert_eq!(peer.received(), ["hello", "state 1", "state 2", "news"]);
}

#[test]
fn a_message_to_one_connection_keeps_its_place_among_the_published_ones() {
    let (hub, peer, _subscription) = subscribed(sansock::hub::Budget::default());
    hub.topic("news").publish("1");
    assert_eq!(peer.subscriber.send(&EncodedMessage::new("for you")).accepted, 1);
    hub.topic("news").publish("2");
    assert_eq!(peer.received(), ["1", "for you", "2"]);
}

#[test]
fn a_connection_that_is_closed_gets_what_waits_then_the_close_and_nothing_more() {
    let (hub, peer, _subscription) = subscribed(sansock::hub::Budget::default());
    hub.topic("news").publish("last");
    assert!(!peer.subscriber.is_closed());
    peer.subscriber.close(CloseCode::GOING_AWAY, "");
    peer.subscriber.close(CloseCode::NORMAL, "");
    assert!(peer.subscriber.is_closed() && peer.subscriber.is_due());
    assert_eq!(hub.topic("news").publish("too late").accepted, 0);
    assert_eq!(peer.received(), ["last", "close 1001"]);
    assert!(!peer.subscriber.is_due());
    assert_eq!(peer.received(), [""; 0]);
}

/// "All control frames MUST have a payload length of 125 bytes or less" (5.5)
#[test]
fn a_reason_that_is_too_long_is_cut() {
    let long = "é".repeat(62).leak();
    let peer = Peer::default();
    peer.subscriber.close(CloseCode::NORMAL, long);
    assert_eq!(peer.received(), [format!("close 1000 {}", "é".repeat(61))]);
}

#[test]
fn a_connection_that_is_over_accepts_nothing_and_keeps_nothing() {
    let (hub, peer, _subscription) = subscribed(sansock::hub::Budget::default());
    hub.topic("news").publish("in vain");
    peer.subscriber.end();
    assert!(peer.subscriber.is_closed() && !peer.subscriber.is_due());
    let counts = peer.subscriber.counts();
    assert_eq!((counts.waiting, counts.waiting_bytes, counts.dropped), (0, 0, 1));
    assert_eq!(hub.topic("news").publish("in vain").accepted, 0);
    assert_eq!(peer.received(), [""; 0]);
}

#[test]
fn what_was_done_is_counted() {
    let (hub, peer, _first) = subscribed(crate::room_for(1, "1234"));
    let _second = hub.topic("sports").subscribe(&peer.subscriber);
    let slow = Peer::new(crate::room_for(2, "1234"));
    let _third = hub.topic("news").subscribe(&slow.subscriber);
    for _ in 0..2 {
        hub.topic("news").publish("1234");
        slow.received();
    }
    hub.topic("sports").publish("1234");
    let counts = hub.counts();
    assert_eq!((counts.topics, counts.subscriptions), (2, 3));
    // The first connection is closed at the second message: it has room for one.
    assert_eq!((counts.published, counts.published_bytes), (3, 18));
    assert_eq!((counts.accepted, counts.closed), (3, 1));
    assert_eq!((counts.dropped, counts.dropped_bytes), (2, 12));
    assert_eq!((counts.waiting, counts.waiting_bytes, counts.fullest_bytes), (0, 0, 0));
    hub.topic("news").publish("1234");
    let counts = hub.counts();
    assert_eq!((counts.waiting, counts.waiting_bytes), (1, 6 + 256));
    assert_eq!(counts.fullest_bytes, 6 + 256);
    let counts = slow.subscriber.counts();
    assert_eq!((counts.taken, counts.waiting, counts.dropped), (2, 1, 0));
    assert!(format!("{hub:?}").contains("published: 4"));
}

#[test]
fn what_is_shown_has_names_and_numbers() {
    let hub = Hub::default();
    let (peer, topic) = (Peer::default(), hub.topic("news"));
    let subscription = topic.subscribe(&peer.subscriber);
    let deliveries = topic.post(None, &EncodedMessage::new("secret"));
    let shown = [
        format!("{topic:?}"),
        format!("{subscription:?}"),
        format!("{deliveries:?}"),
        format!("{:?}", peer.subscriber),
    ];
    assert!(shown[0].contains("news") && shown[1].contains("news"));
    assert!(shown[2].contains("left: 1") && shown[2].contains("accepted: 1"));
    assert!(shown[3].contains("waiting: 1"));
    assert!(shown.iter().all(|shown| !shown.contains("secret")));
}
