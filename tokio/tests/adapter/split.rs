//! A connection in two halves.

use std::time::Duration;

use sansock_tokio::{CloseCode, Config, Error, Event, Message};

use tokio::sync::oneshot;

use crate::common::{Running, SOON, drain, echo, pair, pair_over};

/// Two ends that send much before they read would block each other, if one half did not write and
/// read for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_saturated_ends_do_not_hang() {
    const MESSAGES: usize = 50;
    for _ in 0..100 {
        let (a, b) = pair_over(&Config::new(), 1_000);
        let (mut writers, mut readers) = (Vec::new(), Vec::new());
        for socket in [a, b] {
            let (mut reader, writer) = socket.split();
            writers.push(tokio::spawn(async move {
                for i in 0..MESSAGES {
                    writer.send(vec![7; 5_000]).await.unwrap();
                    if i % 10 == 0 {
                        writer.ping(b"are you there").await.unwrap();
                    }
                }
                writer
            }));
            let (all, received) = oneshot::channel();
            let reading = tokio::spawn(async move {
                let (mut messages, mut pongs, mut all) = (0, 0, Some(all));
                // It goes on reading, because the other end may still write.
                while let Some(event) = reader.recv().await.unwrap() {
                    messages += usize::from(matches!(event, Event::Message(_)));
                    pongs += usize::from(matches!(event, Event::Pong(_)));
                    if messages == MESSAGES && pongs > 0 {
                        all.take().map(|all| all.send(()));
                    }
                }
            });
            readers.push((reading, received));
        }
        for writer in &mut writers {
            tokio::time::timeout(SOON, writer).await.expect("they hang").unwrap();
        }
        for (reading, received) in readers {
            tokio::time::timeout(SOON, received).await.expect("they hang").unwrap();
            reading.abort();
        }
    }
}

#[tokio::test]
async fn the_reader_writes_what_is_queued_and_the_writer_the_answers() {
    let (mut client, server) = pair(&Config::new());
    let (mut reader, writer) = server.split();
    // Only the reader is polled.
    writer.queue("queued").unwrap();
    let reading = tokio::spawn(async move {
        while let Some(event) = reader.recv().await.unwrap() {
            if matches!(event, Event::Message(_)) {
                break;
            }
        }
        reader
    });
    assert_eq!(client.next_message().await.unwrap(), Some(Message::from("queued")));
    client.ping(b"answer me").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(Event::Pong(b"answer me")));
    client.send("enough").await.unwrap();
    let mut reader = reading.await.unwrap();
    // And a task that sleeps in `recv` is woken by what another one queues.
    let reading = tokio::spawn(async move { reader.close(CloseCode::NORMAL, "").await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    drain(&mut client).await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap().code(), 1000);
    assert!(matches!(writer.queue("too late"), Err(Error::Send(_))));
}

/// The reader sleeps, and nothing happens on the network.
#[tokio::test]
async fn what_is_queued_wakes_the_reader() {
    let (mut client, server) = pair(&Config::new());
    let (mut reader, writer) = server.split();
    let reading = tokio::spawn(async move { reader.recv().await.map(|event| event.is_some()) });
    tokio::time::sleep(Duration::from_millis(20)).await;
    writer.queue("wake up").unwrap();
    let message = tokio::time::timeout(SOON, client.next_message()).await.expect("it sleeps");
    assert_eq!(message.unwrap(), Some(Message::from("wake up")));
    reading.abort();
}

#[tokio::test]
async fn clones_send_whole_messages() {
    let running = Running::start(|server| server, echo).await;
    let (mut reader, writer) = sansock_tokio::connect(&running.url).await.unwrap().split();
    let tasks: Vec<_> = (0..4_u8)
        .map(|i| {
            let writer = writer.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    writer.send(vec![i; 10_000]).await.unwrap();
                }
            })
        })
        .collect();
    let mut seen = [0; 4];
    for _ in 0..80 {
        let message = reader.next_message().await.unwrap().unwrap();
        let bytes = message.as_bytes();
        assert!(bytes.len() == 10_000 && bytes.iter().all(|byte| *byte == bytes[0]));
        seen[usize::from(bytes[0])] += 1;
    }
    assert_eq!(seen, [20; 4]);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(reader.close(CloseCode::NORMAL, "bye").await.unwrap().code(), 1000);
    running.end().await;
}

#[tokio::test]
async fn a_writer_waits_for_room() {
    let config = Config::new().limits(sansock::Limits::new().buffered(10_000));
    let (mut client, server) = pair_over(&config, 1_000);
    let (mut reader, writer) = server.split();
    tokio::spawn(async move { while let Ok(Some(_)) = reader.recv().await {} });
    let sending = tokio::spawn(async move {
        for _ in 0..20 {
            writer.send(vec![1; 4_000]).await.unwrap();
            assert!(writer.buffered_amount() <= 10_000);
        }
        writer
    });
    for _ in 0..20 {
        assert_eq!(client.next_message().await.unwrap().unwrap().as_bytes().len(), 4_000);
    }
    drop(sending.await.unwrap());
}
