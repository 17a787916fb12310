//! Every future is dropped at every poll: nothing is lost, doubled or torn.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod executor;
#[cfg(feature = "hub")]
mod hub;
mod random;

use sansock::{CloseCode, Config, Connection, Event, Message, ReceiveBuffer, SendBuffer};
use sansock_tokio::{Error, Outcome, Reader, WebSocket, Writer};
use testkit::masks::Keys;
use tokio::io::{DuplexStream, duplex};

use crate::executor::{Boxed, cut, run};

/// An event that owns its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

fn seen(event: Event<'_>) -> Seen {
    match event {
        Event::Message(Message::Text(text)) => Seen::Text(text.into()),
        Event::Message(Message::Binary(bytes)) => Seen::Binary(bytes.into()),
        Event::Ping(payload) => Seen::Ping(payload.into()),
        Event::Pong(payload) => Seen::Pong(payload.into()),
        Event::Close(close) => Seen::Close(close.code.map(CloseCode::get)),
        other => panic!("{other:?}"),
    }
}

/// A connected pair over a pipe that holds so many bytes each way.
pub(crate) fn pair(pipe: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(pipe);
    let config = Config::new();
    let client = Connection::client(&config, Keys(1));
    let server = Connection::server(&config);
    let [first, second] = [(a, client), (b, server)]
        .map(|(io, it)| WebSocket::new(io, it, ReceiveBuffer::new(), SendBuffer::new()));
    (first, second)
}

/// What one side sends.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Send(Seen),
    Queue(Seen),
    /// A text in so many fragments.
    Fragments(String, usize),
    Ping(Vec<u8>),
}

impl Act {
    fn makes(&self) -> Seen {
        match self {
            Self::Send(seen) | Self::Queue(seen) => seen.clone(),
            Self::Fragments(text, _) => Seen::Text(text.clone()),
            Self::Ping(payload) => Seen::Ping(payload.clone()),
        }
    }
}

fn message(seen: &Seen) -> Message<'_> {
    match seen {
        Seen::Text(text) => Message::Text(text),
        Seen::Binary(bytes) => Message::Binary(bytes),
        other => panic!("{other:?}"),
    }
}

/// What sends: a whole connection or a half.
trait Sends {
    fn send<'a>(&'a mut self, message: Message<'a>) -> Boxed<'a, Result<(), Error>>;
    fn queue(&mut self, message: Message<'_>) -> Result<(), Error>;
    fn fragment<'a>(&'a mut self, text: &'a str, fin: bool) -> Boxed<'a, Result<(), Error>>;
    fn ping<'a>(&'a mut self, payload: &'a [u8]) -> Boxed<'a, Result<(), Error>>;
    fn flush(&mut self) -> Boxed<'_, Result<(), Error>>;
}

macro_rules! sends {
    ($type:ty) => {
        impl Sends for $type {
            fn send<'a>(&'a mut self, message: Message<'a>) -> Boxed<'a, Result<(), Error>> {
                Box::pin(<$type>::send(self, message))
            }
            fn queue(&mut self, message: Message<'_>) -> Result<(), Error> {
                <$type>::queue(self, message)
            }
            fn fragment<'a>(
                &'a mut self,
                text: &'a str,
                fin: bool,
            ) -> Boxed<'a, Result<(), Error>> {
                Box::pin(<$type>::send_fragment(self, text, fin))
            }
            fn ping<'a>(&'a mut self, payload: &'a [u8]) -> Boxed<'a, Result<(), Error>> {
                Box::pin(<$type>::ping(self, payload))
            }
            fn flush(&mut self) -> Boxed<'_, Result<(), Error>> {
                Box::pin(<$type>::flush(self))
            }
        }
    };
}

sends!(WebSocket<DuplexStream>);
sends!(Writer<DuplexStream>);

/// A send that was polled once has accepted its message; one that never was has not.
async fn accepted(times: usize, send: Boxed<'_, Result<(), Error>>) {
    if let Some(sent) = cut(times, send).await {
        sent.unwrap();
    }
}

/// Does the acts; each future is dropped after so many polls.
async fn perform(sender: &mut impl Sends, acts: &[Act], mut polls: impl FnMut() -> usize) {
    for act in acts {
        match act {
            Act::Send(seen) => {
                drop(sender.send(message(seen)));
                accepted(polls(), sender.send(message(seen))).await;
            }
            Act::Queue(seen) => sender.queue(message(seen)).unwrap(),
            Act::Fragments(text, count) => {
                let (mut rest, step) = (&**text, text.len() / count);
                for _ in 1..*count {
                    let (piece, after) = rest.split_at(step);
                    accepted(polls(), sender.fragment(piece, false)).await;
                    rest = after;
                }
                accepted(polls(), sender.fragment(rest, true)).await;
            }
            Act::Ping(payload) => accepted(polls(), sender.ping(payload)).await,
        }
        if let Some(flushed) = cut(polls(), sender.flush()).await {
            flushed.unwrap();
        }
    }
}

/// Receives to the end. Each `recv` is dropped after so many polls, and called again.
async fn receive(
    socket: &mut WebSocket<DuplexStream>,
    mut polls: impl FnMut() -> usize,
) -> (Vec<Seen>, Option<Outcome>) {
    let mut all = Vec::new();
    loop {
        let recv = async { socket.recv().await.map(|event| event.map(seen)) };
        match cut(polls(), recv).await {
            None => {}
            Some(Ok(Some(event))) => all.push(event),
            Some(Ok(None)) => return (all, socket.outcome().cloned()),
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

async fn close(socket: &mut WebSocket<DuplexStream>, mut polls: impl FnMut() -> usize) -> Outcome {
    loop {
        if let Some(closed) = cut(polls(), socket.close(CloseCode::NORMAL, "bye")).await {
            return closed.unwrap();
        }
    }
}

/// Runs the acts from one end to the other, and compares what arrived.
pub(crate) fn check(acts: &[Act], pipe: usize, polls: &dyn Fn(usize) -> usize) {
    let counter = std::cell::Cell::new(0);
    let next = || {
        counter.set(counter.get() + 1);
        polls(counter.get()).max(1)
    };
    for from_client in [true, false] {
        let (client, server) = pair(pipe);
        let (mut from, mut to) = if from_client { (client, server) } else { (server, client) };
        let sending = async {
            perform(&mut from, acts, next).await;
            close(&mut from, next).await
        };
        let (outcome, (all, at_peer)) = run(sending, receive(&mut to, next));
        compare(acts, &all);
        assert_eq!(outcome.code(), 1000);
        assert_eq!(at_peer.unwrap().reason(), "bye");
    }
}

/// The same with halves: the sender's task sends, a second one receives.
pub(crate) fn check_split(acts: &[Act], pipe: usize, polls: &dyn Fn(usize) -> usize) {
    let counter = std::cell::Cell::new(0);
    let next = || {
        counter.set(counter.get() + 1);
        polls(counter.get()).max(1)
    };
    let (client, mut server) = pair(pipe);
    let (mut reader, mut writer) = client.split();
    let reading = async { read_to_end(&mut reader, next).await };
    let writing = async {
        perform(&mut writer, acts, next).await;
        writer.queue_close(CloseCode::NORMAL, "bye").unwrap();
        while cut(next(), writer.flush()).await.is_none() {}
    };
    let halves = async { run_both(reading, writing).await };
    let (outcome, (all, _)) = run(halves, receive(&mut server, next));
    compare(acts, &all);
    assert_eq!(outcome.unwrap().code(), 1000);
}

/// The halves in one task: each is polled whenever the task is woken.
async fn run_both<T>(a: impl Future<Output = T>, b: impl Future<Output = ()>) -> T {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let mut sent = false;
    std::future::poll_fn(|cx| {
        sent = sent || b.as_mut().poll(cx).is_ready();
        a.as_mut().poll(cx)
    })
    .await
}

async fn read_to_end(
    reader: &mut Reader<DuplexStream>,
    mut polls: impl FnMut() -> usize,
) -> Option<Outcome> {
    loop {
        let recv = async { reader.recv().await.map(|event| event.map(seen)) };
        match cut(polls(), recv).await {
            None | Some(Ok(Some(_))) => {}
            Some(Ok(None)) => return reader.outcome(),
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

fn compare(acts: &[Act], all: &[Seen]) {
    let expected: Vec<Seen> =
        acts.iter().map(Act::makes).chain([Seen::Close(Some(1000))]).collect();
    assert_eq!(all, expected);
}

fn acts() -> Vec<Act> {
    let text = "w\u{f6}rld, ".repeat(40);
    vec![
        Act::Send(Seen::Text("Hello".into())),
        Act::Queue(Seen::Binary(vec![1, 2, 3])),
        Act::Ping(b"are you there".to_vec()),
        Act::Fragments("a text in pieces".repeat(20), 4),
        Act::Send(Seen::Binary(vec![7; 9_000])),
        Act::Queue(Seen::Text(text)),
        Act::Send(Seen::Text(String::new())),
        Act::Send(Seen::Binary((0..200_000_u32).map(|i| i.to_be_bytes()[3]).collect())),
    ]
}

#[test]
fn every_future_may_be_dropped_at_every_poll() {
    for pipe in [1, 7, 64, 1_000] {
        for polls in [1, 2, 3, 5, 8, 1_000_000] {
            let mut acts = acts();
            if pipe == 1 {
                acts.pop();
            }
            check(&acts, pipe, &|_| polls);
            check_split(&acts, pipe, &|_| polls);
        }
    }
}
