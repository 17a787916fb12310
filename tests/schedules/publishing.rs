//! A hub that publishes to a connection.

use sansock::EncodedMessage;
use sansock_tokio::hub::{Budget, Hub, Subscriber, Topic};
use sansock_tokio::{CloseCode, Event, Reader};
use shuttle::future::{JoinHandle, spawn};

use crate::pipe::{End, check, count, ends, task};

/// How many messages each publisher has.
const EACH: u32 = 3;

/// Two tasks that publish the numbers from 10 and from 20.
fn publishers(topic: &Topic) -> [JoinHandle<()>; 2] {
    [10, 20].map(|first| {
        let topic = topic.clone();
        spawn(task(async move {
            for number in first..first + EACH {
                topic.publish(&*number.to_string());
            }
        }))
    })
}

/// Receives numbers until the end of the connection.
async fn numbers(mut reader: Reader<End>) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(event) = reader.recv().await.unwrap() {
        if let Event::Message(message) = event {
            numbers.push(message.as_text().unwrap().parse().unwrap());
        }
    }
    numbers
}

/// Receives as many numbers, and leaves the connection open.
async fn first_numbers(reader: &mut Reader<End>, number: u32) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < number as usize {
        let message = reader.next_message().await.unwrap().unwrap();
        numbers.push(message.as_text().unwrap().parse().unwrap());
    }
    numbers
}

/// Each source's numbers are there once, and in their order.
fn assert_whole(numbers: &[u32], sources: &[u32]) {
    assert_eq!(numbers.len(), sources.len() * EACH as usize, "{numbers:?}");
    for first in sources {
        let of_source = numbers.iter().copied().filter(|it| it / 10 == first / 10);
        let of_source: Vec<u32> = of_source.collect();
        assert_eq!(of_source, [*first, first + 1, first + 2], "{numbers:?}");
    }
}

async fn join<T>(tasks: impl IntoIterator<Item = JoinHandle<T>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

fn subscriber(writer: &sansock_tokio::Writer<End>) -> Subscriber {
    writer.subscriber(Budget::default())
}

/// Two publishers and a writer, on a transport that takes one byte or two messages at a time.
#[test]
fn what_is_published_arrives_once_and_in_order() {
    async fn over(room: usize) {
        let [(here, _to_there), (there, from_there)] = ends(room);
        let hub = Hub::new();
        let topic = hub.topic("numbers");
        let inbox = subscriber(&from_there);
        let _subscription = topic.subscribe(&inbox);
        let received = spawn(task(numbers(here)));
        let served = spawn(task(count(there)));
        let publishing = publishers(&topic);
        let sending = spawn(task(async move {
            for number in 30..30 + EACH {
                from_there.send(&*number.to_string()).await.unwrap();
            }
        }));
        join(publishing.into_iter().chain([sending])).await;
        inbox.close(CloseCode::NORMAL, "");
        assert_whole(&received.await.unwrap(), &[10, 20, 30]);
        served.await.unwrap();
        assert_eq!(inbox.counts().dropped, 0);
    }
    check(|| over(1));
    check(|| over(8));
    check(|| over(4_096));
}

/// Nobody polls the reader, and the transport takes all: who publishes writes, or the other one
/// does who is just writing.
#[test]
fn publishers_write_for_each_other() {
    check(|| async {
        let [(mut here, _to_there), (_there, from_there)] = ends(4_096);
        let hub = Hub::new();
        let topic = hub.topic("numbers");
        let _subscription = topic.subscribe(&subscriber(&from_there));
        join(publishers(&topic)).await;
        assert_whole(&first_numbers(&mut here, 2 * EACH).await, &[10, 20]);
    });
}

/// The task that sends the last fragment writes what has waited for it.
#[test]
fn messages_wait_for_the_last_fragment_and_then_go_on() {
    check(|| async {
        let [(mut here, _to_there), (_there, from_there)] = ends(4_096);
        let hub = Hub::new();
        let topic = hub.topic("numbers");
        let _subscription = topic.subscribe(&subscriber(&from_there));
        let fragments = spawn(task(async move {
            for number in 30..30 + EACH {
                let text = number.to_string();
                from_there.send_fragment(&text[..1], false).await.unwrap();
                from_there.send_fragment(&text[1..], true).await.unwrap();
            }
            from_there
        }));
        join(publishers(&topic)).await;
        let _from_there = fragments.await.unwrap();
        assert_whole(&first_numbers(&mut here, 3 * EACH).await, &[10, 20, 30]);
    });
}

/// A large message of a publisher is written from where it lies, and a writer's is as well.
#[test]
fn large_messages_stay_whole() {
    check(|| async {
        let [(here, _to_there), (there, from_there)] = ends(4_096);
        let hub = Hub::new();
        let topic = hub.topic("pictures");
        let inbox = subscriber(&from_there);
        let _subscription = topic.subscribe(&inbox);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let publishing = [1, 2].map(|n| {
            let topic = topic.clone();
            spawn(task(async move {
                topic.publish_encoded(&EncodedMessage::new(vec![n; 9_000]));
            }))
        });
        let sending = spawn(task(async move { from_there.send(vec![3; 9_000]).await.unwrap() }));
        join(publishing.into_iter().chain([sending])).await;
        inbox.close(CloseCode::NORMAL, "");
        let [here, there] = counts;
        assert_eq!((here.await.unwrap(), there.await.unwrap()), (3, 0));
    });
}

/// The writer of a large message goes on with what was published meanwhile, though nobody polls the
/// reader.
#[test]
fn a_task_that_sends_a_large_message_writes_what_is_published() {
    check(|| async {
        let [(mut here, _to_there), (_there, from_there)] = ends(16_384);
        let hub = Hub::new();
        let topic = hub.topic("news");
        let _subscription = topic.subscribe(&subscriber(&from_there));
        let publishing = spawn(task(async move {
            topic.publish("news");
        }));
        from_there.send(vec![3; 9_000]).await.unwrap();
        publishing.await.unwrap();
        for _ in 0..2 {
            here.next_message().await.unwrap().unwrap();
        }
    });
}

/// A connection subscribes, and leaves the topic again, while messages are published.
#[test]
fn a_subscription_has_no_hole() {
    check(|| async {
        let [(here, _to_there), (there, from_there)] = ends(8);
        let hub = Hub::new();
        let topic = hub.topic("numbers");
        let inbox = subscriber(&from_there);
        let received = spawn(task(numbers(here)));
        let served = spawn(task(count(there)));
        let publishing = spawn(task({
            let topic = topic.clone();
            async move {
                for number in 0..4 {
                    topic.publish(&*number.to_string());
                }
            }
        }));
        let subscribing = spawn(task(async move {
            let subscription = topic.subscribe(&inbox);
            shuttle::future::yield_now().await;
            drop(subscription);
            inbox.close(CloseCode::NORMAL, "");
        }));
        join([publishing, subscribing]).await;
        let received = received.await.unwrap();
        let is_next = |pair: &[u32]| pair[0] + 1 == pair[1];
        assert!(received.windows(2).all(is_next), "{received:?}");
        served.await.unwrap();
    });
}

/// The connection ends while messages are published: no task hangs, and what is not sent is counted.
#[test]
fn the_end_of_the_connection_ends_the_inbox() {
    check(|| async {
        let [(here, to_there), (there, from_there)] = ends(8);
        let hub = Hub::new();
        let topic = hub.topic("numbers");
        let inbox = subscriber(&from_there);
        let _subscription = topic.subscribe(&inbox);
        let received = spawn(task(numbers(here)));
        let served = spawn(task(count(there)));
        let publishing = publishers(&topic);
        to_there.start_close(CloseCode::NORMAL, "").await.unwrap();
        join(publishing).await;
        let received = received.await.unwrap();
        served.await.unwrap();
        drop(from_there);
        let counts = inbox.counts();
        assert!(inbox.is_closed() && counts.waiting == 0);
        assert!(counts.taken >= received.len() as u64, "{counts:?}");
    });
}
