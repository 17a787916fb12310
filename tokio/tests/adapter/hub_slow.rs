//! A hub that publishes to connections whose peers do not read.

use std::time::Duration;

use sansock_tokio::hub::{Budget, Hub, Subscriber, Subscription, Topic, WhenFull};
use sansock_tokio::{
    CloseCode, Config, EncodedMessage, Error, Keepalive, Reader, Timeouts, WebSocket, Writer,
};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::common::{SOON, drain, pair_over};

const SECOND: Duration = Duration::from_secs(1);

/// The room of the pipe to a slow client: three messages of [`text`].
const PIPE: usize = 3 * 12;

/// Ten bytes, so twelve on the wire.
fn text(number: usize) -> String {
    format!("number {number:03}")
}

/// A budget for so many of them.
fn room_for(messages: usize, when_full: WhenFull) -> Budget {
    Budget::new(messages * (12 + Budget::OVERHEAD)).when_full(when_full)
}

/// A connection whose client does not read, while its server does.
struct Slow {
    client: WebSocket<DuplexStream>,
    serving: JoinHandle<Result<(), Error>>,
    writer: Writer<DuplexStream>,
    inbox: Subscriber,
    #[expect(dead_code, reason = "it is kept")]
    subscription: Subscription,
}

impl Slow {
    async fn new(topic: &Topic, timeouts: Timeouts, budget: Budget) -> Self {
        let (client, mut server) = pair_over(&Config::new().timeouts(timeouts), PIPE);
        server.set_write_timeout(30 * SECOND);
        let (reader, writer) = server.split();
        let inbox = writer.subscriber(budget);
        let subscription = topic.subscribe(&inbox);
        let serving = tokio::spawn(serve(reader));
        tokio::task::yield_now().await;
        Self { client, serving, writer, inbox, subscription }
    }

    /// Reads to the end of the connection: texts.
    async fn read(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(message) = self.client.next_message().await.unwrap() {
            texts.push(message.as_text().unwrap().to_owned());
        }
        texts
    }
}

async fn serve(mut reader: Reader<DuplexStream>) -> Result<(), Error> {
    while reader.next_message().await?.is_some() {}
    Ok(())
}

/// Publishes a hundred messages with three keys, then lets the client read; returns what it got and
/// the connection.
async fn overfilled(when_full: WhenFull) -> (Vec<String>, Slow) {
    let topic = Hub::new().topic("numbers");
    let mut slow = Slow::new(&topic, Timeouts::none(), room_for(5, when_full)).await;
    for number in 0..100 {
        let key = format!("key {}", number % 3);
        topic.publish_keyed(&key, &EncodedMessage::new(&*text(number)));
        tokio::task::yield_now().await;
    }
    slow.inbox.close(CloseCode::NORMAL, "");
    let texts = slow.read().await;
    let counts = slow.inbox.counts();
    assert_eq!(counts.taken, texts.len() as u64);
    // After the close nothing is accepted.
    let known = if matches!(when_full, WhenFull::Close(..)) { 9 } else { 100 };
    assert_eq!(counts.taken + counts.dropped + counts.replaced, known, "{counts:?}");
    (texts, slow)
}

fn numbers(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_dropped_as_the_policy_says() {
    // Three lie in the pipe, and one waits for it; the keys cost a message of the inbox.
    let (texts, slow) = overfilled(WhenFull::DropNewest).await;
    assert_eq!(texts, numbers(0..8));
    assert_eq!(slow.client.outcome().unwrap().code(), 1000);
    let (texts, _) = overfilled(WhenFull::DropOldest).await;
    assert_eq!(texts, numbers((0..4).chain(96..100)));
    // The latest of each key, in the order of their turns.
    let (mut texts, _) = overfilled(WhenFull::KeepLatest).await;
    assert_eq!(texts.drain(..4).collect::<Vec<_>>(), numbers(0..4));
    texts.sort();
    assert_eq!(texts, numbers(97..100));
    let (texts, slow) = overfilled(WhenFull::Close(CloseCode::TRY_AGAIN_LATER, "")).await;
    assert_eq!(texts, numbers(0..4));
    assert_eq!(slow.client.outcome().unwrap().code(), 1013);
    assert!(slow.serving.await.unwrap().is_ok(), "the handshake was completed");
}

/// The others need no task for it either.
#[tokio::test]
async fn one_slow_connection_delays_no_other() {
    let topic = Hub::new().topic("numbers");
    let budget = room_for(5, WhenFull::DropOldest);
    let slow = Slow::new(&topic, Timeouts::none(), budget).await;
    let mut others: Vec<_> = (0..100)
        .map(|_| {
            let (client, server) = pair_over(&Config::new(), 10_000);
            let halves = server.split();
            let subscription = topic.subscribe(&halves.1.subscriber(budget));
            (client, halves, subscription)
        })
        .collect();
    let slow_too = Slow::new(&topic, Timeouts::none(), budget).await;
    for number in 0..50 {
        topic.publish(&*text(number));
    }
    for (client, _, _) in &mut others {
        for number in 0..50 {
            let message = tokio::time::timeout(SOON, client.next_message()).await.unwrap();
            assert_eq!(message.unwrap().unwrap().as_text(), Some(&*text(number)));
        }
    }
    for slow in [slow, slow_too] {
        assert!(slow.inbox.counts().dropped > 30);
        assert!(slow.writer.buffered_amount() <= 12, "the rest waits where the policy holds");
    }
}

/// The reader slept without a timer, and looks at the clock now.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up() {
    let topic = Hub::new().topic("numbers");
    let budget = room_for(50, WhenFull::DropOldest);
    let slow = Slow::new(&topic, Timeouts::none(), budget).await;
    let start = Instant::now();
    for number in 0..10 {
        topic.publish(&*text(number));
    }
    let ended = tokio::time::timeout(60 * SECOND, slow.serving).await.unwrap().unwrap();
    assert!(
        matches!(&ended, Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut)
    );
    assert!(start.elapsed() >= 30 * SECOND && start.elapsed() <= 31 * SECOND);
    assert!(slow.inbox.is_closed());
    assert_eq!((slow.inbox.counts().dropped, slow.inbox.counts().taken), (6, 4));
}

/// What is published meanwhile is no sign of life.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_pings_is_given_up_whatever_is_published() {
    let topic = Hub::new().topic("numbers");
    let keepalive = Keepalive { interval: SECOND, timeout: 2 * SECOND };
    let budget = room_for(5, WhenFull::DropOldest);
    let slow = Slow::new(&topic, Timeouts::none().keepalive(keepalive), budget).await;
    let start = Instant::now();
    while !slow.serving.is_finished() {
        topic.publish(&*text(0));
        tokio::time::sleep(SECOND / 10).await;
        assert!(start.elapsed() < 10 * SECOND, "a write has 30 seconds");
    }
    let ended = slow.serving.await.unwrap();
    assert!(matches!(ended, Err(Error::Timeout(sansock::Timeout::Keepalive))), "{ended:?}");
    assert!(slow.inbox.is_closed());
}

/// It never reads the Close frame, nor what is before it.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_for_its_full_inbox_ends_in_time() {
    let topic = Hub::new().topic("numbers");
    let budget = room_for(5, WhenFull::Close(CloseCode::TRY_AGAIN_LATER, ""));
    let slow = Slow::new(&topic, Timeouts::none().closing(3 * SECOND), budget).await;
    let start = Instant::now();
    for number in 0..20 {
        topic.publish(&*text(number));
    }
    assert!(slow.inbox.is_closed() && slow.writer.is_closing());
    let ended = tokio::time::timeout(60 * SECOND, slow.serving).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Error::Timeout(sansock::Timeout::Closing))), "{ended:?}");
    assert!(start.elapsed() >= 3 * SECOND && start.elapsed() <= 4 * SECOND);
}

/// A Close frame of the hub starts the deadline of a reader that sleeps without a timer.
#[tokio::test(start_paused = true)]
async fn a_close_of_the_hub_has_a_deadline() {
    let topic = Hub::new().topic("numbers");
    let timeouts = Timeouts::none().closing(3 * SECOND);
    let slow = Slow::new(&topic, timeouts, Budget::default()).await;
    slow.inbox.close(CloseCode::GOING_AWAY, "");
    let ended = tokio::time::timeout(60 * SECOND, slow.serving).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Error::Timeout(sansock::Timeout::Closing))), "{ended:?}");
}

#[tokio::test]
async fn the_end_of_the_connection_drops_what_waits() {
    // The peer is gone; the peer closes; the program closes.
    for end in 0..3 {
        let topic = Hub::new().topic("numbers");
        let budget = room_for(20, WhenFull::DropOldest);
        let mut slow = Slow::new(&topic, Timeouts::none(), budget).await;
        for number in 0..10 {
            topic.publish(&*text(number));
        }
        assert_eq!(slow.inbox.counts().waiting, 6);
        match end {
            0 => drop(slow.client),
            1 => {
                slow.client.start_close(CloseCode::NORMAL, "").await.unwrap();
                drain(&mut slow.client).await.unwrap();
            }
            _ => {
                slow.writer.queue_close(CloseCode::NORMAL, "").unwrap();
                assert!(slow.inbox.is_closed(), "at once");
                drain(&mut slow.client).await.unwrap();
            }
        }
        let _ = slow.serving.await.unwrap();
        let counts = slow.inbox.counts();
        assert_eq!(counts.waiting, 0, "{end}");
        assert_eq!(counts.taken + counts.dropped, 10, "{end}");
        assert_eq!(topic.publish("more").accepted, 0);
    }
}
