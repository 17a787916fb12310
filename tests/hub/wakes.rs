//! When a connection is told that something waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sansock::hub::{Budget, Hub, Ready, Subscriber, WhenFull};
use sansock::{CloseCode, EncodedMessage};

use crate::{Peer, subscribed};

#[test]
fn it_is_woken_once_until_its_inbox_was_empty() {
    let (hub, peer, _subscription) = subscribed(Budget::default());
    let topic = hub.topic("news");
    topic.publish("1");
    topic.publish("2");
    assert_eq!(peer.woken(), 1);
    // The transport takes no more after the first: the connection comes back by itself.
    assert!(peer.subscriber.take().is_some());
    topic.publish("3");
    assert_eq!(peer.woken(), 1);
    assert_eq!(peer.received(), ["2", "3"]);
    topic.publish("4");
    assert_eq!(peer.woken(), 2);
    assert_eq!(peer.received(), ["4"]);
    assert!(peer.subscriber.take().is_none());
}

#[test]
fn what_is_not_accepted_is_left_where_it_is() {
    let (hub, peer, _subscription) = subscribed(Budget::default());
    hub.topic("news").publish("long");
    assert!(peer.subscriber.take_if(|message| message.as_bytes().len() < 6).is_none());
    assert!(peer.subscriber.is_due());
    hub.topic("news").publish("more");
    assert_eq!(peer.woken(), 1, "it comes back by itself");
    assert!(peer.subscriber.take_if(|message| message.as_bytes().len() == 6).is_some());
    assert_eq!(peer.received(), ["more"]);
}

#[test]
fn a_close_wakes_too() {
    let peer = Peer::default();
    peer.subscriber.close(CloseCode::NORMAL, "");
    assert_eq!((peer.woken(), peer.received()), (1, vec!["close 1000".to_owned()]));

    let (hub, peer, _subscription) = subscribed(Budget::new(0));
    hub.topic("news").publish("1");
    let due = peer.subscriber.take();
    assert_eq!((due.is_some(), peer.woken()), (true, 1));
    hub.topic("news").publish("2");
    assert_eq!(peer.woken(), 2);
    // It has not come back, and perhaps its peer never reads.
    hub.topic("news").publish("3");
    assert_eq!((peer.woken(), peer.received()), (3, vec!["close 1013 too slow".to_owned()]));
}

#[test]
fn a_message_to_one_connection_wakes_it() {
    let peer = Peer::default();
    peer.subscriber.send(&EncodedMessage::new("1"));
    peer.subscriber.send(&EncodedMessage::new("2"));
    assert_eq!(peer.woken(), 1);
}

#[test]
fn state_wakes_a_new_subscriber_once() {
    let (hub, peer) = (Hub::new(), Peer::default());
    let state = || ["1", "2"].map(EncodedMessage::new);
    let _subscription = hub.topic("news").subscribe_with(&peer.subscriber, state);
    assert_eq!(peer.woken(), 1);

    // Also if the state does not fit.
    let peer = Peer::new(Budget::new(0));
    let _subscription = hub.topic("news").subscribe_with(&peer.subscriber, state);
    assert_eq!((peer.woken(), peer.received()), (1, vec!["close 1013 too slow".to_owned()]));
}

#[test]
fn writing_can_be_split_up_and_what_is_left_is_written_at_the_end() {
    let hub = Hub::new();
    let peers: Vec<_> = (0..5).map(|_| Peer::default()).collect();
    let _all: Vec<_> =
        peers.iter().map(|peer| hub.topic("news").subscribe(&peer.subscriber)).collect();
    let woken = || peers.iter().map(Peer::woken).sum::<usize>();

    for round in 0..2 {
        let mut deliveries = hub.topic("news").post(None, &EncodedMessage::new("news"));
        assert_eq!((woken(), deliveries.published().accepted), (5 * round, 5));
        assert!(peers.iter().all(|peer| peer.subscriber.is_due()), "all have it already");
        assert_eq!((deliveries.deliver(2), woken()), (3, 5 * round + 2));
        assert_eq!((deliveries.deliver(2), woken()), (1, 5 * round + 4));
        drop(deliveries);
        assert_eq!(woken(), 5 * round + 5);
        assert!(peers.iter().all(|peer| peer.received() == ["news"]));
    }
}

/// A connection that takes nothing costs a place in a list, not a try to write.
#[test]
fn one_that_is_behind_is_not_woken_again() {
    let (hub, slow, _subscription) = subscribed(Budget::new(2_000).when_full(WhenFull::DropOldest));
    for _ in 0..100 {
        hub.topic("news").publish("news");
    }
    assert_eq!(slow.woken(), 1);
}

#[test]
fn a_loop_is_woken_at_the_first_token_and_each_token_is_listed_once() {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let ready = Ready::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let hub = Hub::new();
    let peers: Vec<Subscriber> =
        (0..3).map(|token| ready.clone().subscriber(token, Budget::default())).collect();
    let _all: Vec<_> = peers.iter().map(|peer| hub.topic("news").subscribe(peer)).collect();
    let mut tokens = vec![7];
    for round in 1..3 {
        hub.topic("news").publish("1");
        hub.topic("news").publish("2");
        assert_eq!(woken.load(Ordering::Relaxed), round);
        ready.take(&mut tokens);
        assert_eq!(tokens, [0, 1, 2]);
        for peer in &peers {
            while peer.take().is_some() {}
        }
        ready.take(&mut tokens);
        assert_eq!(tokens, [0; 0]);
    }
    assert!(format!("{ready:?}").contains("waiting: 0"));
}

/// What a program puts into `wake` may subscribe, publish and drop.
#[test]
fn no_lock_is_held_while_a_connection_is_woken() {
    let hub = Hub::new();
    let again = hub.clone();
    let echo = Peer::default();
    let _echo = hub.topic("echo").subscribe(&echo.subscriber);
    let peer = Subscriber::new(Budget::default(), move || {
        again.topic("echo").publish("woken");
        drop(again.topic("news").subscribe(&Peer::default().subscriber));
        assert_eq!(again.counts().subscriptions, 2);
    });
    let _subscription = hub.topic("news").subscribe(&peer);
    hub.topic("news").publish("news");
    peer.send(&EncodedMessage::new("second"));
    assert_eq!(echo.received(), ["woken"]);
}

/// A connection whose transport panics is not the end of the others, which would not be woken again.
#[test]
fn a_wake_that_panics_is_passed_on_when_all_are_woken() {
    let hub = Hub::new();
    let peers: Vec<_> = (0..5).map(|_| Peer::default()).collect();
    let panicking = || Subscriber::new(Budget::default(), || panic!("at once"));
    let topic = hub.topic("news");
    let mut all = Vec::new();
    for peer in &peers {
        all.push(topic.subscribe(&peer.subscriber));
        all.push(topic.subscribe(&panicking()));
    }
    let panics = |publish: &dyn Fn()| {
        let panic = catch_unwind(AssertUnwindSafe(publish)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"at once"));
    };
    panics(&|| {
        topic.publish("1");
    });
    assert!(peers.iter().all(|peer| peer.woken() == 1 && peer.received() == ["1"]));
    // Those that panic are not woken again, so there is a new one.
    all.push(topic.subscribe(&panicking()));
    panics(&|| drop(topic.post(None, &EncodedMessage::new("2"))));
    assert!(peers.iter().all(|peer| peer.woken() == 2 && peer.received() == ["2"]));
    // While a panic goes on there is not a second one, which would end the process.
    all.push(topic.subscribe(&panicking()));
    let deliveries = topic.post(None, &EncodedMessage::new("3"));
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _deliveries = deliveries;
        panic!("another");
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"another"));
    assert!(peers.iter().all(|peer| peer.woken() == 3 && peer.received() == ["3"]));
}

/// The messages from before the panic are in the inbox, so the connection must be woken.
#[test]
fn state_that_panics_wakes_the_subscriber_and_leaves_the_topic_as_it_was() {
    let (hub, peer) = (Hub::new(), Peer::default());
    let topic = hub.topic("news");
    let state = (1..3).map(|n| {
        assert_ne!(n, 2, "the state of this topic is broken");
        EncodedMessage::new("1")
    });
    let subscribing = || drop(topic.subscribe_with(&peer.subscriber, || state));
    assert!(catch_unwind(AssertUnwindSafe(subscribing)).is_err());
    assert_eq!((peer.woken(), topic.subscriptions()), (1, 0));
    assert_eq!(peer.received(), ["1"]);
    let _subscription = topic.subscribe(&peer.subscriber);
    topic.publish("2");
    assert_eq!((peer.woken(), peer.received()), (2, vec!["2".to_owned()]));
}
