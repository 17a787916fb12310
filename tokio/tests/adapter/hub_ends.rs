//! A server that ends while a hub goes on publishing to its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sansock_tokio::drain::Drain;
use sansock_tokio::hub::{Budget, Hub, Topic, WhenFull};
use sansock_tokio::{Config, HandlerResult, Incoming, Message, Timeouts, WebSocket};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::common::{Running, SOON};

const READERS: usize = 5;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A server with clients that read and one that does not, and a thread that publishes without end.
struct Broadcast {
    running: Running,
    topic: Topic,
    /// The codes that they are told.
    readers: Vec<JoinHandle<u16>>,
    slow: WebSocket,
    ends: Arc<AtomicBool>,
    publisher: thread::JoinHandle<()>,
}

impl Broadcast {
    /// `closing` is the time for a closing handshake.
    async fn start(closing: Duration, when_full: WhenFull) -> Self {
        let hub = Hub::new();
        let topic = hub.topic("news");
        let room = topic.clone();
        let serve = move |incoming: Incoming| {
            let room = room.clone();
            async move {
                let (mut reader, writer) = incoming.accept().await?.split();
                let budget = Budget::new(200_000).when_full(when_full);
                let _subscription = room.subscribe(&writer.subscriber(budget));
                while reader.next_message().await?.is_some() {}
                HandlerResult::Ok(())
            }
        };
        let config = Config::new().timeouts(Timeouts::new().closing(closing));
        let running = Running::start(|server| server.config(config), serve).await;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(tokio::spawn(read(sansock_tokio::connect(&running.url).await.unwrap())));
        }
        let slow = sansock_tokio::connect(&running.url).await.unwrap();
        until(|| topic.subscriptions() == READERS + 1).await;
        let ends = Arc::new(AtomicBool::new(false));
        let publisher = publisher(topic.clone(), Arc::clone(&ends));
        until(|| hub.counts().dropped > 0).await;
        Self { running, topic, readers, slow, ends, publisher }
    }

    /// All readers were told, and everything has ended, within this time after `start`.
    async fn assert_ended(self, start: Instant, time: Duration) {
        for reader in self.readers {
            assert_eq!(tokio::time::timeout(SOON, reader).await.unwrap().unwrap(), 1001);
        }
        tokio::time::timeout(SOON, self.running.task).await.unwrap().unwrap().unwrap();
        assert!(start.elapsed() < time + ms(4_000), "{:?}", start.elapsed());
        assert_eq!(self.topic.subscriptions(), 0);
        self.ends.store(true, Ordering::Relaxed);
        self.publisher.join().unwrap();
        drop(self.slow);
    }
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(ms(2)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap();
}

/// Receives numbers that grow, to the end.
async fn read(mut client: WebSocket) -> u16 {
    let mut last = 0;
    while let Some(message) = client.next_message().await.unwrap() {
        let Message::Binary(bytes) = message else { unreachable!() };
        let number = u64::from_be_bytes(*bytes.first_chunk().unwrap());
        assert!(number > last);
        last = number;
    }
    assert!(last > 0, "nothing arrived");
    client.outcome().unwrap().code()
}

fn publisher(topic: Topic, ends: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut message = vec![0; 20_000];
        for number in 1_u64.. {
            if ends.load(Ordering::Relaxed) {
                return;
            }
            message[..8].copy_from_slice(&number.to_be_bytes());
            topic.publish(&message);
            thread::sleep(ms(1));
        }
    })
}

/// Clients that read get 1001. The one that does not read ends when its closing handshake times out.
#[tokio::test]
async fn a_drain_tells_every_subscriber_though_publishing_goes_on() {
    let broadcast = Broadcast::start(ms(300), WhenFull::DropOldest).await;
    let (start, handle) = (Instant::now(), broadcast.running.handle.clone());
    handle.start_drain(Drain::new().spread(ms(200)).closing(ms(6_000)));
    broadcast.assert_ended(start, ms(500)).await;
    let report = handle.drain_report().unwrap();
    assert_eq!((report.closed, report.failed, report.forced), (READERS, 1, 0), "{report}");
}

/// The one that does not read would have ten seconds, and is cut off at the deadline of the drain.
#[tokio::test]
async fn a_drain_ends_by_its_deadline_though_publishing_goes_on() {
    let broadcast = Broadcast::start(ms(10_000), WhenFull::KeepLatest).await;
    let (start, handle) = (Instant::now(), broadcast.running.handle.clone());
    handle.start_drain(Drain::new().closing(ms(700)));
    broadcast.assert_ended(start, ms(700)).await;
    assert!(start.elapsed() >= ms(700));
    let report = handle.drain_report().unwrap();
    assert_eq!((report.closed, report.failed, report.forced), (READERS, 0, 1), "{report}");
}

/// With the time for its closing handshakes, and a second.
#[tokio::test]
async fn a_shutdown_ends_in_its_time_though_publishing_goes_on() {
    let broadcast = Broadcast::start(ms(500), WhenFull::DropNewest).await;
    let start = Instant::now();
    broadcast.running.handle.shutdown();
    broadcast.assert_ended(start, ms(1_500)).await;
}
