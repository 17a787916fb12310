//! A hub publishes to a connection whose futures are dropped at every poll.

use sansock::EncodedMessage;
use sansock_tokio::hub::{self, Budget, Hub, Subscriber, Topic};
use sansock_tokio::{CloseCode, Message, Reader, WebSocket, Writer};
use tokio::io::DuplexStream;

use crate::executor::{cut, run};
use crate::pair;
use crate::random::Random;

/// Who sends a message: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Source {
    Topic,
    Inbox,
    Writer,
}

/// The messages so far of each source, from which the next is made.
#[derive(Debug, Default)]
struct Sent(Vec<Vec<u8>>);

impl Sent {
    fn next(&mut self, source: Source, random: &mut Random) -> Vec<u8> {
        let number = u32::try_from(self.0.len()).unwrap().to_be_bytes();
        let message = [&[source as u8], &number[..], &vec![7; random.length()]].concat();
        self.0.push(message.clone());
        message
    }

    fn of(&self, source: Source) -> Vec<&Vec<u8>> {
        self.0.iter().filter(|it| it[0] == source as u8).collect()
    }
}

struct Server {
    reader: Reader<DuplexStream>,
    writer: Writer<DuplexStream>,
    topic: Topic,
    inbox: Subscriber,
}

impl Server {
    /// Does one thing, and drops its future after so many polls.
    async fn act(&mut self, random: &mut Random, sent: &mut Sent, polls: usize) {
        let Self { reader, writer, topic, inbox } = self;
        match random.below(6) {
            0 => assert_eq!(topic.publish(sent.next(Source::Topic, random)).accepted, 1),
            1 => {
                let message = EncodedMessage::new(sent.next(Source::Topic, random));
                cut(polls, hub::deliver(topic.post(None, &message))).await;
            }
            2 => {
                let message = EncodedMessage::new(sent.next(Source::Inbox, random));
                assert_eq!(inbox.send(&message).accepted, 1);
            }
            3 => {
                let message = sent.next(Source::Writer, random);
                cut(polls, writer.send(&message)).await;
            }
            4 => {
                let message = sent.next(Source::Writer, random);
                let (first, second) = message.split_at(message.len() / 2);
                cut(polls, writer.send_fragment(first, false)).await;
                topic.publish(sent.next(Source::Topic, random));
                cut(polls, writer.send_fragment(second, true)).await;
            }
            _ => {
                // Nothing else would wake it.
                let received = cut(1, reader.recv()).await;
                assert!(received.is_none(), "the client sends nothing");
            }
        }
    }

    /// Closes behind what waits, and serves the connection to its end.
    async fn end(mut self, polls: usize) {
        self.inbox.close(CloseCode::NORMAL, "");
        loop {
            let reading = async { self.reader.recv().await.map(|event| event.is_some()) };
            if let Some(false) = cut(polls, reading).await.transpose().unwrap() {
                return;
            }
        }
    }
}

async fn receive(mut client: WebSocket<DuplexStream>, polls: usize) -> Vec<Vec<u8>> {
    let mut received = Vec::new();
    loop {
        match cut(polls, client.next_message()).await.transpose().unwrap() {
            None => {}
            Some(None) => return received,
            Some(Some(Message::Binary(bytes))) => received.push(bytes.to_vec()),
            Some(Some(message)) => panic!("{message:?}"),
        }
    }
}

fn check(seed: u64) {
    let mut random = Random::new(seed);
    let pipe = [16, 64, 300, 5_000][usize::try_from(random.below(4)).unwrap()];
    let acts = random.below(8);
    let [ours, theirs] = [(); 2].map(|()| usize::try_from(1 + random.below(4)).unwrap());
    let (client, server) = pair(pipe);
    let (reader, writer) = server.split();
    let inbox = writer.subscriber(Budget::new(usize::MAX));
    let topic = Hub::new().topic("news");
    let _subscription = topic.subscribe(&inbox);
    let mut server = Server { reader, writer, topic, inbox: inbox.clone() };
    let mut sent = Sent::default();
    let serving = async {
        for _ in 0..acts {
            server.act(&mut random, &mut sent, ours).await;
        }
        server.end(ours).await;
    };
    let ((), received) = run(serving, receive(client, theirs));
    assert_eq!(inbox.counts().dropped, 0);
    let received = Sent(received);
    for source in [Source::Topic, Source::Inbox, Source::Writer] {
        assert!(received.of(source) == sent.of(source), "{source:?} of {sent:?}: {received:?}");
    }
    // They share the inbox.
    let of_hub = |sent: &Sent| -> Vec<_> {
        sent.0.iter().filter(|it| it[0] != Source::Writer as u8).cloned().collect()
    };
    assert!(of_hub(&received) == of_hub(&sent));
}

#[test]
fn what_is_published_arrives_once_and_in_order_whatever_is_dropped() {
    let count = std::env::var("SCHEDULES").map_or(2_000, |count| count.parse().unwrap());
    for seed in 1..=count {
        if let Err(panic) = std::panic::catch_unwind(|| check(seed)) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
