//! A hub that publishes to connections which take everything, or nearly.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use sansock_tokio::hub::{self, Budget, Hub, Subscription, Topic};
use sansock_tokio::{
    CloseCode, Config, EncodedMessage, HandlerResult, Incoming, Message, Reader, WebSocket, Writer,
};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::common::{Running, SOON, drain, pair_over};

type Client = WebSocket<DuplexStream>;
type Halves = (Reader<DuplexStream>, Writer<DuplexStream>);

/// A client, and a server's connection that subscribes to the topic; nobody polls either.
fn subscribed(topic: &Topic, pipe: usize) -> (Client, Halves, Subscription) {
    let (client, server) = pair_over(&Config::new(), pipe);
    let halves = server.split();
    let subscription = topic.subscribe(&halves.1.subscriber(Budget::default()));
    (client, halves, subscription)
}

/// The next message's text, which must not take long.
async fn text_of(client: &mut Client) -> String {
    let message = tokio::time::timeout(SOON, client.next_message()).await.unwrap();
    message.unwrap().unwrap().as_text().unwrap().to_owned()
}

/// Counts how often a task is woken.
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Without the exemption from tokio's budget the pipes would take nothing after 128 messages, and
/// nobody is there who would go on.
#[tokio::test]
async fn one_poll_publishes_to_a_thousand_connections_and_wakes_no_task() {
    let topic = Hub::new().topic("news");
    let mut crowd: Vec<_> = (0..1_000).map(|_| subscribed(&topic, 100)).collect();
    let count = Arc::new(Wakes(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    for (_, (reader, _), _) in &mut crowd {
        let mut receiving = pin!(reader.recv());
        // The first time it flushes, and wakes itself for that.
        for _ in 0..2 {
            assert!(receiving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
    }
    let before = count.0.load(Ordering::SeqCst);
    for text in ["first", "second"] {
        assert_eq!(topic.publish(text).accepted, 1_000);
    }
    assert_eq!(count.0.load(Ordering::SeqCst), before);
    for (client, _, _) in &mut crowd {
        assert_eq!(text_of(client).await, "first");
        assert_eq!(text_of(client).await, "second");
    }
}

/// Short messages that have waited share a write; the order stays.
#[tokio::test]
async fn messages_arrive_in_order_also_through_a_pipe_that_is_often_full() {
    let topic = Hub::new().topic("numbers");
    let (mut client, (mut reader, writer), _subscription) = subscribed(&topic, 64);
    let reading = tokio::spawn(async move { reader.recv().await.map(|_| ()) });
    let sizes = [1, 20_000, 3, 100, 9_000, 40];
    let texts: Vec<String> =
        (0..300).map(|n| format!("{n} {}", "x".repeat(sizes[n % sizes.len()]))).collect();
    let publishing = tokio::spawn({
        let texts = texts.clone();
        async move {
            for text in &texts {
                while writer.subscriber(Budget::default()).counts().waiting_bytes > 100_000 {
                    tokio::task::yield_now().await;
                }
                topic.publish(text.as_str());
            }
            writer
        }
    });
    for text in &texts {
        assert_eq!(text_of(&mut client).await, *text);
    }
    let writer = publishing.await.unwrap();
    assert_eq!(writer.subscriber(Budget::default()).counts().taken, 300);
    drop(client);
    assert!(reading.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn messages_wait_for_the_last_fragment() {
    let topic = Hub::new().topic("news");
    let (mut client, (_reader, writer), _subscription) = subscribed(&topic, 1_000);
    writer.send_fragment("one ", false).await.unwrap();
    topic.publish("between");
    topic.publish("and more");
    let inbox = writer.subscriber(Budget::default());
    assert_eq!(inbox.counts().waiting, 2);
    writer.send_fragment("message", true).await.unwrap();
    for text in ["one message", "between", "and more"] {
        assert_eq!(text_of(&mut client).await, text);
    }
    assert_eq!(inbox.counts().waiting, 0);

    // A Close frame need not wait (RFC 6455, 5.4).
    writer.send_fragment("one ", false).await.unwrap();
    inbox.close(CloseCode::GOING_AWAY, "");
    drain(&mut client).await.unwrap();
    assert_eq!(client.outcome().unwrap().code(), 1001);
}

/// A thread of the program's own, and connections of a real server.
#[tokio::test]
async fn a_thread_outside_the_runtime_publishes() {
    let topic = Hub::new().topic("news");
    let (running, mut joined) = server_of(&topic).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(sansock_tokio::connect(&running.url).await.unwrap());
        joined.recv().await.unwrap();
    }
    let publishing = std::thread::spawn({
        let topic = topic.clone();
        move || {
            for number in 0..200 {
                topic.publish(&*format!("{number} {}", "x".repeat(10_000)));
            }
        }
    });
    for client in &mut clients {
        for number in 0..200 {
            let message = tokio::time::timeout(SOON, client.next_message()).await.unwrap();
            let message = message.unwrap().unwrap();
            assert!(message.as_text().unwrap().starts_with(&format!("{number} ")));
        }
    }
    publishing.join().unwrap();

    // A shutdown closes such connections too, and then the server ends.
    running.handle.shutdown_with(CloseCode::SERVICE_RESTART);
    for client in &mut clients {
        drain(client).await.unwrap();
        assert_eq!(client.outcome().unwrap().code(), 1012);
    }
    tokio::time::timeout(SOON, running.task).await.unwrap().unwrap().unwrap();
    assert_eq!(topic.subscriptions(), 0);
}

/// A server whose connections subscribe to a topic, and say so.
async fn server_of(topic: &Topic) -> (Running, mpsc::UnboundedReceiver<()>) {
    let (joined, joins) = mpsc::unbounded_channel();
    let topic = topic.clone();
    let serve = move |incoming: Incoming| {
        let (topic, joined) = (topic.clone(), joined.clone());
        async move {
            let (mut reader, writer) = incoming.accept().await?.split();
            let _subscription = topic.subscribe(&writer.subscriber(Budget::default()));
            let _ = joined.send(());
            while reader.next_message().await?.is_some() {}
            HandlerResult::Ok(())
        }
    };
    (Running::start(|server| server, serve).await, joins)
}

#[tokio::test]
async fn a_connection_has_one_inbox_which_does_not_keep_it_alive() {
    let topic = Hub::new().topic("news");
    let (mut client, (reader, writer), subscription) = subscribed(&topic, 1_000);
    let inbox = writer.subscriber(Budget::default());
    topic.publish("1");
    assert_eq!(writer.clone().subscriber(Budget::new(1)).counts(), inbox.counts());
    assert_eq!(text_of(&mut client).await, "1");
    drop((reader, writer));
    let end = tokio::time::timeout(SOON, client.recv()).await;
    assert!(end.unwrap().is_err(), "the transport was closed");
    assert!(inbox.is_closed());
    assert_eq!(topic.publish("2").accepted, 0);
    drop(subscription);

    // There is none for a connection that is closing.
    let (_client, (_reader, writer), _subscription) = subscribed(&topic, 1_000);
    writer.queue_close(CloseCode::NORMAL, "").unwrap();
    assert!(writer.subscriber(Budget::default()).is_closed());
    let (_client, server) = pair_over(&Config::new(), 1_000);
    let (_reader, writer) = server.split();
    writer.queue_close(CloseCode::NORMAL, "").unwrap();
    assert!(writer.subscriber(Budget::default()).is_closed());
}

/// Other tasks run meanwhile, and what is left is written if the future is dropped.
#[tokio::test]
async fn a_publication_can_be_split_up() {
    let topic = Hub::new().topic("news");
    let mut crowd: Vec<_> = (0..200).map(|_| subscribed(&topic, 100)).collect();
    let cx = &mut Context::from_waker(Waker::noop());
    for drops in [false, true] {
        let mut delivering = Box::pin(hub::deliver(topic.post(None, &EncodedMessage::new("news"))));
        let mut polls = 0;
        loop {
            polls += 1;
            match delivering.as_mut().poll(cx) {
                Poll::Ready(published) => break assert_eq!(published.accepted, 200),
                Poll::Pending if drops => break,
                Poll::Pending => {}
            }
        }
        assert!(drops || polls > 3, "{polls}");
        drop(delivering);
        for (client, _, _) in &mut crowd {
            assert_eq!(text_of(client).await, "news");
        }
    }
}

/// A writer's own messages and the hub's do not mix, whoever writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_threads_publish_and_a_task_sends() {
    const EACH: usize = 500;
    let topic = Hub::new().topic("news");
    let (mut client, (mut reader, writer), _subscription) = subscribed(&topic, 1_000);
    let _reading = tokio::spawn(async move { reader.recv().await.map(|_| ()) });
    let payload = |source: u8, n: usize| {
        let mut payload = vec![source; if n.is_multiple_of(50) { 9_000 } else { n % 20 + 3 }];
        payload[1..3].copy_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
        payload
    };
    let publishing = [1, 2].map(|source| {
        let topic = topic.clone();
        std::thread::spawn(move || {
            for n in 0..EACH {
                topic.publish(payload(source, n));
            }
        })
    });
    let sending = tokio::spawn(async move {
        for n in 0..EACH {
            writer.send(payload(3, n)).await.unwrap();
        }
        writer
    });
    let mut next = [0; 4];
    for _ in 0..3 * EACH {
        let message = tokio::time::timeout(SOON, client.next_message()).await.unwrap();
        let Some(Message::Binary(bytes)) = message.unwrap() else { unreachable!() };
        let source = bytes[0];
        assert_eq!(bytes, payload(source, next[usize::from(source)]));
        next[usize::from(source)] += 1;
    }
    sending.await.unwrap();
    for publisher in publishing {
        publisher.join().unwrap();
    }
}
