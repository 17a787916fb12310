//! A server that ends while a hub goes on publishing to its connections.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansock::drain::Drain;
use sansock::hub::{Budget, Hub, Topic, WhenFull};
use sansock::net::client;
use sansock::{Event, Outcome};
use testkit::pair::clean;

use crate::common::*;

const READERS: usize = 5;

/// A server with clients that read and one that does not, and a thread that publishes without end.
struct Broadcast {
    server: Running,
    topic: Topic,
    readers: Vec<JoinHandle<Outcome>>,
    slow: TcpStream,
    ends: Arc<AtomicBool>,
    publisher: JoinHandle<()>,
}

impl Broadcast {
    /// `closing` is the time for a closing handshake.
    fn start(closing: Duration, when_full: WhenFull) -> Self {
        let hub = Hub::new();
        let topic = hub.topic("news");
        let room = topic.clone();
        let server = Running::start(
            |server| server.config(timeouts(|it| it.closing(closing))),
            move |incoming| {
                let (mut reader, writer) = incoming.accept()?.split()?;
                let budget = Budget::new(200_000).when_full(when_full);
                let _subscription = room.subscribe(&writer.subscriber(budget));
                while reader.next_event()?.is_some() {}
                Ok(())
            },
        );
        let url = server.url();
        let readers = (0..READERS).map(|_| reader(&url)).collect();
        let (slow, _) = raw_client(server.address());
        until("all have subscribed", || topic.subscriptions() == READERS + 1);
        let ends = Arc::new(AtomicBool::new(false));
        let publisher = publisher(topic.clone(), Arc::clone(&ends));
        until("the slow one is behind", || hub.counts().dropped > 0);
        Self { server, topic, readers, slow, ends, publisher }
    }

    /// All readers were told, and everything has ended, within this time after `start`.
    fn assert_ended(self, start: Instant, time: Duration) {
        for reader in self.readers {
            assert_eq!(within(TIMEOUT, || reader.join().unwrap()), clean(1001));
        }
        self.server.join();
        assert!(start.elapsed() < time + TIMEOUT / 2, "{:?}", start.elapsed());
        assert_eq!(self.topic.subscriptions(), 0);
        self.ends.store(true, Ordering::Relaxed);
        self.publisher.join().unwrap();
        drop(self.slow);
    }
}

/// Receives numbers that grow, to the end.
fn reader(url: &str) -> JoinHandle<Outcome> {
    let mut socket = client::connect(url).unwrap();
    thread::spawn(move || {
        let mut last = 0;
        while let Some(event) = socket.next_event().unwrap() {
            if let Event::Message(message) = event {
                let number = u64::from_be_bytes(*message.as_bytes().first_chunk().unwrap());
                assert!(number > last);
                last = number;
            }
        }
        assert!(last > 0, "nothing arrived");
        socket.outcome().unwrap().clone()
    })
}

fn publisher(topic: Topic, ends: Arc<AtomicBool>) -> JoinHandle<()> {
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
#[test]
fn a_drain_tells_every_subscriber_though_publishing_goes_on() {
    let broadcast = Broadcast::start(ms(300), WhenFull::DropOldest);
    let (start, handle) = (Instant::now(), broadcast.server.handle.clone());
    handle.start_drain(Drain::new().spread(ms(200)).closing(ms(6_000)));
    broadcast.assert_ended(start, ms(500));
    let report = handle.drain_report().unwrap();
    assert_eq!((report.closed, report.failed, report.forced), (READERS, 1, 0), "{report}");
}

/// The one that does not read would have ten seconds, and is cut off at the deadline of the drain.
#[test]
fn a_drain_ends_by_its_deadline_though_publishing_goes_on() {
    let broadcast = Broadcast::start(ms(10_000), WhenFull::KeepLatest);
    let (start, handle) = (Instant::now(), broadcast.server.handle.clone());
    handle.start_drain(Drain::new().closing(ms(700)));
    broadcast.assert_ended(start, ms(700));
    assert!(start.elapsed() >= ms(700));
    let report = handle.drain_report().unwrap();
    assert_eq!((report.closed, report.failed, report.forced), (READERS, 0, 1), "{report}");
}

/// With the time for its closing handshakes, and a second.
#[test]
fn a_shutdown_ends_in_its_time_though_publishing_goes_on() {
    let broadcast = Broadcast::start(ms(500), WhenFull::DropNewest);
    let start = Instant::now();
    broadcast.server.handle.shutdown();
    broadcast.assert_ended(start, ms(1_500));
}
