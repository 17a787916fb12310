//! In steady state a message costs no allocation, and one in an owned message.
#![expect(clippy::panic, reason = "helpers of tests")]

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use sansock::{Config, Connection, ReceiveBuffer, SendBuffer};
use sansock_tokio::{Event, Keepalive, Reader, Server, Timeouts, WebSocket, Writer};
use testkit::frame::{BINARY, FIN, Frame};
use testkit::memory::{Counting, allocations, held};
use tokio::io::{AsyncRead, Join, ReadBuf, Sink, join, sink};

const HOUR: Duration = Duration::from_secs(3600);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Brings the same frame again and again.
#[derive(Debug)]
struct Endless {
    frame: Vec<u8>,
    at: usize,
    /// Whether it brings nothing once behind each frame.
    pauses: bool,
    has_paused: bool,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pauses && self.at == 0 && !self.has_paused {
            self.has_paused = true;
            return Poll::Pending;
        }
        self.has_paused = false;
        let n = bytes.remaining().min(self.frame.len() - self.at);
        bytes.put_slice(&self.frame[self.at..self.at + n]);
        self.at = (self.at + n) % self.frame.len();
        Poll::Ready(Ok(()))
    }
}

fn socket(length: usize) -> WebSocket<Join<Endless, Sink>> {
    with(length, false)
}

fn with(length: usize, pauses: bool) -> WebSocket<Join<Endless, Sink>> {
    let frame = Frame { first: FIN | BINARY, key: Some([1, 2, 3, 4]), payload: vec![7; length] };
    let input = Endless { frame: frame.bytes(), at: 0, pauses, has_paused: false };
    let connection = Connection::server(&Config::new());
    WebSocket::new(join(input, sink()), connection, ReceiveBuffer::new(), SendBuffer::new())
}

/// Brings one message, and then nothing.
#[derive(Debug)]
struct Once(Vec<u8>);

impl AsyncRead for Once {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let n = bytes.remaining().min(self.0.len());
        bytes.put_slice(&self.0.drain(..n).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

/// Polls once, without a runtime.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

const LENGTHS: [usize; 6] = [16, 125, 1_000, 10_000, 30_000, 60_000];

/// Asserts what `messages` messages allocate, once the buffers have found their size.
fn assert_steady(length: usize, most: usize, mut message: impl FnMut()) {
    const MESSAGES: usize = 100;
    (0..20).for_each(|_| message());
    let count = allocations(|| (0..MESSAGES).for_each(|_| message()));
    assert!(count <= most * MESSAGES, "{length} bytes: {count} for {MESSAGES} messages");
}

#[test]
fn an_idle_connection_holds_next_to_nothing() {
    let (mut whole, mut halves) = (Vec::with_capacity(400), Vec::with_capacity(400));
    // The first round fills the pool.
    for (split, measured) in [(false, false), (false, true), (true, true)] {
        let held = held(|| {
            for _ in 0..100 {
                let frame =
                    Frame { first: FIN | BINARY, key: Some([0; 4]), payload: vec![7; 9_000] };
                let connection = Connection::server(&Config::new());
                let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
                let io = join(Once(frame.bytes()), sink());
                let mut socket = WebSocket::new(io, connection, input, output);
                let message = |event| matches!(event, Ok(Some(Event::Message(_))));
                let mut cx = Context::from_waker(Waker::noop());
                if split {
                    let (mut reader, writer) = socket.split();
                    assert!(message(now(reader.recv())));
                    assert!(pin!(reader.recv()).poll(&mut cx).is_pending());
                    halves.push((reader, writer));
                } else {
                    assert!(message(now(socket.recv())));
                    assert!(pin!(socket.recv()).poll(&mut cx).is_pending());
                    whole.push(socket);
                }
            }
        });
        // The test's transport keeps the memory of its frame.
        let each = held / 100 - 9_008;
        assert!(
            !measured || each < if split { 1_300 } else { 800 },
            "{each} bytes, split: {split}"
        );
    }
}

/// What a server keeps for a client that says nothing: its task, the runtime's part of the socket, the
/// connection, and its place in the server with its part of the timer.
#[test]
fn an_idle_client_of_a_server_takes_1200_bytes() {
    const NUMBER: usize = 500;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::bind("127.0.0.1:0")).unwrap();
    let address = server.local_addr();
    let keepalive = Keepalive { interval: HOUR, timeout: HOUR };
    let server = server.config(Config::new().timeouts(Timeouts::new().keepalive(keepalive)));
    let serving = runtime.spawn(server.run(async |incoming| {
        let mut socket = incoming.accept().await?;
        while let Some((event, mut outgoing)) = socket.exchange().await? {
            if let Event::Message(message) = event {
                outgoing.queue(message)?;
            }
        }
        Ok(())
    }));
    let connect = |number: usize| {
        let echo = move |_| {
            let url = format!("ws://{address}/");
            let mut client = sansock::net::Client::new(&url).unwrap().connect().unwrap();
            client.send("hello").unwrap();
            assert!(matches!(client.next_event(), Ok(Some(Event::Message(_)))));
            client
        };
        let clients = runtime.spawn_blocking(move || (0..number).map(echo).collect::<Vec<_>>());
        runtime.block_on(clients).unwrap()
    };
    // The first ones leave buffers in the pool. The clients' own memory is of another thread.
    let mut clients = [connect(100), Vec::new()];
    let held = held(|| clients[1] = connect(NUMBER));
    let each = usize::try_from(held).unwrap() / NUMBER;
    assert!((1_000..=1_200).contains(&each), "{each} bytes");
    serving.abort();
}

#[test]
fn an_echo_allocates_nothing() {
    for length in LENGTHS {
        let mut socket = socket(length);
        assert_steady(length, 0, || {
            let (event, mut outgoing) = now(socket.exchange()).unwrap().unwrap();
            let Event::Message(message) = event else { panic!("{event:?}") };
            outgoing.queue(message).unwrap();
        });
    }
}

#[test]
fn an_echo_through_halves_allocates_nothing() {
    for length in LENGTHS {
        let (mut reader, writer): (Reader<_>, Writer<_>) = socket(length).split();
        assert_steady(length, 0, || {
            let event = now(reader.recv()).unwrap().unwrap();
            let Event::Message(message) = event else { panic!("{event:?}") };
            writer.queue(message).unwrap();
        });
    }
}

/// A connection that waits for each message gives its buffers back in between.
#[test]
fn a_pause_before_each_message_allocates_nothing() {
    for length in LENGTHS {
        let mut socket = with(length, true);
        assert_steady(length, 0, || {
            let mut exchange = pin!(async {
                let (event, mut outgoing) = socket.exchange().await.unwrap().unwrap();
                let Event::Message(message) = event else { panic!("{event:?}") };
                outgoing.send(message).await.unwrap();
            });
            let mut cx = Context::from_waker(Waker::noop());
            assert!(exchange.as_mut().poll(&mut cx).is_pending(), "it is idle");
            assert!(exchange.as_mut().poll(&mut cx).is_ready());
        });
    }
}

/// A large message leaves from where it lies, through a half too.
#[test]
fn a_large_message_is_not_copied() {
    let payload = vec![7; 4 << 20];
    let (_reader, writer): (Reader<_>, Writer<_>) = socket(1).split();
    now(writer.send("the buffers have found their size")).unwrap();
    let encoded = sansock::EncodedMessage::new(&payload);
    let count = allocations(|| {
        now(writer.send(&payload)).unwrap();
        now(writer.send_encoded(&encoded)).unwrap();
    });
    assert_eq!(count, 0);
}

#[test]
fn an_owned_message_is_one_allocation() {
    for length in LENGTHS {
        let mut socket = socket(length);
        assert_steady(length, 1, || {
            let message = now(socket.next()).unwrap().unwrap();
            now(socket.feed(message)).unwrap();
        });
    }
}

/// The number in the documentation of `sansock::hub::Subscriber`: 256 bytes, and 32 of the adapter.
#[cfg(feature = "hub")]
#[test]
fn an_idle_subscriber_takes_288_bytes() {
    use sansock_tokio::hub::{Budget, Hub};

    const NUMBER: usize = 1_000;

    let topic = Hub::new().topic("news");
    let halves: Vec<_> = (0..NUMBER).map(|_| socket(10).split()).collect();
    let mut subscriptions = Vec::with_capacity(NUMBER);
    let subscribed = held(|| {
        let inboxes = halves.iter().map(|(_, writer)| writer.subscriber(Budget::default()));
        subscriptions.extend(inboxes.map(|inbox| topic.subscribe(&inbox)));
    });
    let each = usize::try_from(subscribed).unwrap_or_default() / NUMBER;
    assert!((1..=288).contains(&each), "{each} bytes");

    // Messages that the transports take leave the list of those that were written to.
    let list = size_of::<sansock_tokio::hub::Subscriber>() * NUMBER * 2;
    let published = held(|| {
        for _ in 0..3 {
            topic.publish("news");
        }
    });
    assert!(published <= isize::try_from(list).unwrap_or_default(), "{published} bytes");
}

/// Also a large message leaves from where it lies.
#[cfg(feature = "hub")]
#[test]
fn publishing_allocates_once_for_all_connections() {
    use sansock_tokio::hub::{Budget, Hub};

    for length in [10, 1_000, 1 << 20] {
        let topic = Hub::new().topic("news");
        let halves: Vec<_> = (0..100).map(|_| socket(10).split()).collect();
        let inboxes = halves.iter().map(|(_, writer)| writer.subscriber(Budget::default()));
        let _subscriptions: Vec<_> = inboxes.map(|inbox| topic.subscribe(&inbox)).collect();
        let message = sansock::EncodedMessage::new(vec![7; length]);
        topic.publish_encoded(&message);
        assert_eq!(allocations(|| _ = topic.publish_encoded(&message)), 1, "{length} bytes");
    }
}

/// Besides its budget: the messages themselves are here, and all inboxes share them.
#[cfg(feature = "hub")]
#[test]
fn a_slow_reader_takes_a_copy_of_one_message_besides_its_budget() {
    use sansock_tokio::hub::{Budget, Hub, WhenFull};
    use testkit::memory::peak;

    const BUDGET: usize = 64 << 10;

    for length in [100, 20_000, 4 << 20] {
        let topic = Hub::new().topic("news");
        let (pipe, _client) = tokio::io::duplex(100);
        let connection = Connection::server(&Config::new());
        let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
        let (_reader, writer) = WebSocket::new(pipe, connection, input, output).split();
        let budget = Budget::new(BUDGET).when_full(WhenFull::DropOldest);
        let _subscription = topic.subscribe(&writer.subscriber(budget));
        let message = sansock::EncodedMessage::new(vec![7; length]);
        let most = peak(|| (0..2_000).for_each(|_| _ = topic.publish_encoded(&message)));
        let most = usize::try_from(most).unwrap_or_default();
        // A batch of short messages has 16 KiB.
        let bound = BUDGET + (length + length / 4).max(20 << 10);
        assert!(most <= bound, "{length}: {most} bytes");
    }
}
