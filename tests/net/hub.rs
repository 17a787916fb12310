//! Connections that subscribe to a hub: who publishes writes, and never waits for a slow reader.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use sansock::frame::Opcode;
use sansock::hub::{Budget, Hub, Subscriber, Subscription, WhenFull};
use sansock::net::{Error, Reader, Writer};
use sansock::{CloseCode, Config, EncodedMessage, Keepalive, Role, Timeout};

use crate::common::*;
use crate::split::{read, split};

/// A subscribed connection, and its peer's bare stream.
struct Peer {
    reader: Reader,
    writer: Writer,
    stream: TcpStream,
    subscriber: Subscriber,
    subscription: Subscription,
}

fn subscribed(hub: &Hub, budget: Budget) -> Peer {
    subscribed_as(hub, budget, Config::new())
}

fn subscribed_as(hub: &Hub, budget: Budget, config: Config) -> Peer {
    let (reader, writer, stream) = split(Role::Server, config);
    let subscriber = writer.subscriber(budget);
    let subscription = hub.topic("news").subscribe(&subscriber);
    Peer { reader, writer, stream, subscriber, subscription }
}

fn text(payload: &str) -> Vec<u8> {
    frame(Opcode::Text, payload.as_bytes())
}

#[test]
fn what_two_threads_publish_arrives_everywhere_in_the_same_order() {
    const EACH: usize = 500;

    let hub = Hub::new();
    let peers: Vec<_> = (0..10).map(|_| subscribed(&hub, Budget::default())).collect();
    let readers: Vec<_> = peers
        .iter()
        .map(|peer| {
            let mut stream = peer.stream.try_clone().unwrap();
            // Each is a frame of 8 bytes.
            thread::spawn(move || read_exactly(&mut stream, 2 * EACH * 8))
        })
        .collect();
    thread::scope(|scope| {
        for thread in [1, 2_usize] {
            let topic = hub.topic("news");
            scope.spawn(move || {
                (0..EACH).for_each(|n| {
                    assert_eq!(topic.publish(&*format!("{:06}", thread * 1_000 + n)).accepted, 10);
                });
            });
        }
    });
    let all: Vec<_> = readers.into_iter().map(|it| it.join().unwrap()).collect();
    assert!(all.iter().all(|bytes| *bytes == all[0]));
    for (thread, digit) in [(1, b'1'), (2, b'2')] {
        let own = (0..EACH).map(|n| text(&format!("{:06}", thread * 1_000 + n)));
        let got = all[0].chunks(8).filter(|it| it[4] == digit);
        assert!(got.eq(own), "each thread's stay in order");
    }
}

/// The network takes it at once: no other thread is needed, and nothing waits afterwards.
#[test]
#[cfg(unix)]
fn a_message_is_written_when_publish_returns() {
    let hub = Hub::new();
    let mut peer = subscribed(&hub, Budget::default());
    for length in [0, 1, 125, 126, 8_192, 20_000] {
        let payload = "x".repeat(length);
        hub.topic("news").publish(&payload);
        assert_eq!(peer.writer.buffered_amount(), 0);
        let counts = peer.subscriber.counts();
        assert_eq!((counts.waiting, counts.dropped), (0, 0));
        let frame = text(&payload);
        assert!(read_exactly(&mut peer.stream, frame.len()) == frame, "{length}");
    }
}

/// Fills the network and then the inbox, with messages of this length, and returns how many.
fn overfill(hub: &Hub, peer: &Peer, length: usize) -> usize {
    let payload = vec![7; length];
    let mut published = 0;
    while peer.subscriber.counts().dropped == 0 && !peer.subscriber.is_closed() {
        hub.topic("news").publish(&payload);
        published += 1;
        assert!(published < 10_000, "a peer that does not read takes it all");
    }
    published
}

#[test]
fn a_peer_that_does_not_read_delays_neither_the_publisher_nor_the_others() {
    let hub = Hub::new();
    let slow = subscribed(&hub, Budget::new(100_000).when_full(WhenFull::DropNewest));
    overfill(&hub, &slow, 50_000);
    let mut others: Vec<_> = (0..5).map(|_| subscribed(&hub, Budget::default())).collect();
    let start = Instant::now();
    for number in 0..200 {
        let payload = format!("{number:05}");
        let published = hub.topic("news").publish(&payload);
        assert!(published.accepted >= 5);
        for other in &mut others {
            assert_eq!(read_exactly(&mut other.stream, 7), text(&payload));
        }
    }
    // One write that waits for the slow one takes 20 ms, so 200 would take 4 s.
    assert!(start.elapsed() < ms(2_000), "{:?}", start.elapsed());
}

/// The budget and its policy hold for the rest, and the program's own messages find room.
#[test]
fn no_more_is_taken_out_than_one_write_takes() {
    // One long message, or as many short ones as share a write: until they are 16 KiB, with their heads.
    for (length, most) in [(1 << 20, (1 << 20) + 10), (1_000, 17 * 1_004)] {
        let hub = Hub::new();
        let peer = subscribed(&hub, Budget::new(usize::MAX));
        let message = EncodedMessage::new(vec![7; length]);
        let number = (32 << 20) / length;
        // All lie in the inbox when the first is written.
        let posts: Vec<_> = (0..number).map(|_| hub.topic("news").post(None, &message)).collect();
        drop(posts);
        let mut before = usize::MAX;
        until("the network takes no more", || {
            thread::sleep(ms(100));
            let waiting = peer.subscriber.counts().waiting;
            std::mem::replace(&mut before, waiting) == waiting
        });
        assert!(before > 0, "the network has taken all");
        let buffered = peer.writer.buffered_amount();
        assert!(buffered <= most, "{buffered}");
        peer.writer.abort().unwrap();
    }
}

#[test]
fn what_waits_arrives_when_the_peer_reads_again() {
    for (when_full, length) in [
        (WhenFull::DropNewest, 1_000),
        (WhenFull::DropNewest, 100_000),
        (WhenFull::DropOldest, 1_000),
        (WhenFull::DropOldest, 100_000),
    ] {
        let hub = Hub::new();
        let mut peer = subscribed(&hub, Budget::new(500_000).when_full(when_full));
        let published = overfill(&hub, &peer, length);
        let dropped = usize::try_from(peer.subscriber.counts().dropped).unwrap();
        let one = frame(Opcode::Binary, &vec![7; length]);
        for _ in 0..published - dropped {
            assert!(read_exactly(&mut peer.stream, one.len()) == one, "{when_full:?}");
        }
        hub.topic("news").publish("and on");
        assert_eq!(read_exactly(&mut peer.stream, 8), text("and on"));
        assert_eq!(peer.subscriber.counts().waiting, 0);
    }
}

#[test]
fn a_peer_that_is_too_slow_gets_the_close_code_when_it_reads_again() {
    let hub = Hub::new();
    let code = CloseCode::TRY_AGAIN_LATER;
    let mut peer = subscribed(&hub, Budget::new(300_000).when_full(WhenFull::Close(code, "")));
    overfill(&hub, &peer, 50_000);
    assert!(peer.subscriber.is_closed());
    let reading = read(peer.reader);
    peer.stream.write_all(&masked_close(code.get())).unwrap();
    let all = read_to_end(&mut peer.stream);
    assert!(all.ends_with(&close_frame(code.get())), "{:?}", tail(&all));
    let whole = frame(Opcode::Binary, &vec![7; 50_000]).len();
    assert_eq!((all.len() - 4) % whole, 0, "what was begun is finished");
    drop(peer.stream);
    reading.join().unwrap().1.unwrap();
}

/// It may never read: the time for the closing handshake begins although bytes wait before it.
#[test]
fn a_peer_that_is_too_slow_and_never_reads_is_dropped_in_time() {
    let hub = Hub::new();
    let budget = Budget::new(300_000).when_full(WhenFull::Close(CloseCode::TRY_AGAIN_LATER, ""));
    let peer = subscribed_as(&hub, budget, timeouts(|it| it.closing(ms(300))));
    overfill(&hub, &peer, 50_000);
    let start = Instant::now();
    // A write that waits for the peer has 30 s.
    within(TIMEOUT, || read(peer.reader).join().unwrap()).1.unwrap_err();
    assert!(start.elapsed() >= ms(300));
    assert!(peer.writer.outcome().is_some());
}

/// What is published meanwhile is no sign of life, although the network takes the first of it.
#[test]
fn a_peer_that_does_not_answer_pings_is_dropped_in_time_whatever_is_published() {
    let keepalive = Keepalive { interval: ms(100), timeout: ms(200) };
    let hub = Hub::new();
    let budget = Budget::new(300_000).when_full(WhenFull::DropOldest);
    let peer = subscribed_as(&hub, budget, timeouts(|it| it.keepalive(keepalive)));
    let subscriber = peer.subscriber.clone();
    let publishing = thread::spawn(move || {
        while !subscriber.is_closed() {
            hub.topic("news").publish(vec![7; 50_000]);
            thread::sleep(ms(1));
        }
    });
    // A write that waits for the peer has 30 s.
    let result = within(TIMEOUT, || read(peer.reader).join().unwrap()).1;
    assert!(matches!(result, Err(Error::Timeout(Timeout::Keepalive))), "{result:?}");
    publishing.join().unwrap();
}

#[test]
fn mail_waits_for_the_last_fragment_and_then_arrives() {
    let hub = Hub::new();
    let mut peer = subscribed(&hub, Budget::default());
    peer.writer.send_fragment("frag", false).unwrap();
    hub.topic("news").publish("news");
    hub.topic("news").publish("n".repeat(20_000));
    assert_eq!(peer.subscriber.counts().waiting, 2);
    thread::sleep(ms(50));
    peer.writer.send_fragment("ment", true).unwrap();
    let fragments = [&[1, 4][..], b"frag", &[0x80, 4], b"ment"].concat();
    assert_eq!(read_exactly(&mut peer.stream, 12), fragments);
    assert_eq!(read_exactly(&mut peer.stream, 6), text("news"));
    assert!(read_exactly(&mut peer.stream, 20_004) == text(&"n".repeat(20_000)));
}

#[test]
fn what_the_program_sends_itself_and_what_is_published_do_not_mix() {
    let hub = Hub::new();
    let mut peer = subscribed(&hub, Budget::new(usize::MAX));
    let (topic, writer) = (hub.topic("news"), peer.writer.clone());
    let publishing = thread::spawn(move || {
        (0..300).for_each(|n| assert_eq!(topic.publish(vec![1; 1 + n * 97]).accepted, 1));
    });
    let sending = thread::spawn(move || {
        (0..300).for_each(|n| writer.send(vec![2; 1 + n * 89]).unwrap());
    });
    let mut next = [0, 0];
    for _ in 0..600 {
        let head = read_exactly(&mut peer.stream, 2);
        let length = match head[1] {
            126 => {
                read_exactly(&mut peer.stream, 2).iter().fold(0, |n, it| n << 8 | usize::from(*it))
            }
            length => usize::from(length),
        };
        let payload = read_exactly(&mut peer.stream, length);
        let who = usize::from(payload[0]) - 1;
        assert_eq!(length, 1 + next[who] * [97, 89][who]);
        assert!(payload.iter().all(|it| *it == payload[0]));
        next[who] += 1;
    }
    publishing.join().unwrap();
    sending.join().unwrap();
    assert_eq!(next, [300, 300]);
}

/// No thread reads, and none may be writing, which would notice the end of the transport.
#[test]
fn a_connection_that_is_cut_off_has_no_inbox() {
    for is_full in [false, true] {
        let hub = Hub::new();
        let peer = subscribed(&hub, Budget::new(100_000).when_full(WhenFull::DropNewest));
        if is_full {
            overfill(&hub, &peer, 50_000);
        }
        peer.writer.abort().unwrap();
        assert!(peer.subscriber.is_closed());
        let counts = peer.subscriber.counts();
        assert_eq!((counts.waiting, counts.waiting_bytes), (0, 0));
        assert_eq!(hub.topic("news").publish("in vain").accepted, 0);
    }
}

#[test]
fn the_last_half_that_is_dropped_ends_the_inbox() {
    let hub = Hub::new();
    let Peer { reader, writer, stream, subscriber, subscription } =
        subscribed(&hub, Budget::default());
    drop(reader);
    assert_eq!(hub.topic("news").publish("one half is left").accepted, 1);
    drop(writer);
    assert!(subscriber.is_closed());
    assert_eq!(hub.topic("news").publish("in vain").accepted, 0);
    drop((stream, subscription));
}

#[test]
fn a_connection_has_one_inbox() {
    let hub = Hub::new();
    let mut peer = subscribed(&hub, Budget::default());
    let again = peer.writer.clone().subscriber(Budget::new(0));
    again.send(&EncodedMessage::new("1"));
    let _sports = hub.topic("sports").subscribe(&again);
    hub.topic("sports").publish("2");
    hub.topic("news").publish("3");
    assert_eq!(read_exactly(&mut peer.stream, 9), [text("1"), text("2"), text("3")].concat());
    assert_eq!(peer.subscriber.counts().taken, 3);
}

/// A message for a connection that has sent its Close frame is not for it any more.
#[test]
fn nothing_follows_a_close_frame() {
    let hub = Hub::new();
    let mut peer = subscribed(&hub, Budget::default());
    peer.writer.start_close(CloseCode::NORMAL, "").unwrap();
    hub.topic("news").publish("too late");
    until("the inbox ends", || peer.subscriber.is_closed());
    peer.stream.write_all(&masked_close(1000)).unwrap();
    let reading = read(peer.reader);
    assert_eq!(read_to_end(&mut peer.stream), close_frame(1000));
    drop(peer.stream);
    reading.join().unwrap().1.unwrap();
}

/// The peer is gone; the peer closes; the program closes; the peer breaks the protocol. No message
/// is sent afterwards, and all that were not are counted.
#[test]
fn every_end_drops_what_waits_and_counts_it() {
    for end in 0..4 {
        let hub = Hub::new();
        let mut peer = subscribed(&hub, Budget::new(100_000).when_full(WhenFull::DropNewest));
        let published = overfill(&hub, &peer, 50_000) as u64;
        let reading = read(peer.reader);
        match end {
            0 => drop(peer.stream),
            1 => peer.stream.write_all(&masked_close(1000)).unwrap(),
            2 => {
                peer.writer.queue_close(CloseCode::NORMAL, "").unwrap();
                assert!(peer.subscriber.is_closed(), "at once");
            }
            _ => peer.stream.write_all(&[0xFF; 2]).unwrap(),
        }
        until("the inbox ends", || peer.subscriber.is_closed());
        let counts = peer.subscriber.counts();
        assert_eq!(counts.waiting, 0, "{end}");
        assert_eq!(counts.taken + counts.dropped, published, "{end}: {counts:?}");
        assert_eq!(hub.topic("news").publish("in vain").accepted, 0);
        assert_eq!(peer.subscriber.counts(), counts);
        peer.writer.abort().unwrap();
        let _ = reading.join().unwrap();
    }
}

/// A message that is published behind a Close frame is not taken either.
#[test]
fn there_is_no_inbox_for_a_connection_that_is_closing_or_over() {
    let hub = Hub::new();
    let peer = subscribed(&hub, Budget::default());
    peer.writer.queue_close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(hub.topic("news").publish("too late").accepted, 0);
    assert_eq!(peer.subscriber.counts().taken, 0);

    for is_over in [false, true] {
        let (reader, writer, stream) = split(Role::Server, Config::new());
        if is_over {
            drop(stream);
            read(reader).join().unwrap().1.unwrap_err();
        } else {
            writer.queue_close(CloseCode::NORMAL, "").unwrap();
        }
        assert!(writer.subscriber(Budget::default()).is_closed(), "over: {is_over}");
    }
}

/// A client's frames are masked, each with its own key.
#[test]
fn a_client_can_subscribe_too() {
    let hub = Hub::new();
    let (client, server) = pair(Config::new());
    let (_reader, writer) = client.split().unwrap();
    let mut server = server;
    let subscriber = writer.subscriber(Budget::default());
    let _subscription = hub.topic("news").subscribe(&subscriber);
    for length in [5, 200_000] {
        let payload = "x".repeat(length);
        hub.topic("news").publish(&payload);
        assert!(next_message(&mut server) == payload.as_bytes());
    }
}
