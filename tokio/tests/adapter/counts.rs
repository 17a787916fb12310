//! The counts of a server: what moves which number, and that no other moves.

use std::pin::Pin;
use std::time::Duration;

use sansock_tokio::counts::ServerCounts;
use sansock_tokio::drain::Drain;
use sansock_tokio::handshake::{HostPolicy, Rejection};
use sansock_tokio::{
    CloseCode, Config, Connections, Error, Event, HandlerResult, Incoming, Keepalive, Server,
    Timeouts, WebSocket,
};
use testkit::counts::{expected, numbers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::common::{Running, SOON, server_over};

type Handling = Pin<Box<dyn Future<Output = HandlerResult> + Send>>;
/// A handler, and what it is called.
pub(crate) type Way = (&'static str, fn(Incoming) -> Handling);

/// Whole and split connections count the same.
pub(crate) const WAYS: [Way; 2] =
    [("whole", |it| Box::pin(crate::common::echo(it))), ("split", |it| Box::pin(echo_split(it)))];

async fn echo_split(incoming: Incoming) -> HandlerResult {
    let (mut reader, writer) = incoming.accept().await?.split();
    while let Some(event) = reader.recv().await? {
        if let Event::Message(message) = event {
            writer.queue(message)?;
        }
    }
    Ok(())
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Waits until the counts are these and no others.
pub(crate) async fn assert_counts(way: &str, counts: impl Fn() -> ServerCounts, text: &str) {
    let (wanted, start) = (expected(text), Instant::now());
    while numbers(&counts()) != wanted && start.elapsed() < SOON {
        tokio::time::sleep(ms(5)).await;
    }
    assert_eq!(numbers(&counts()), wanted, "{way}");
}

/// The request of RFC 6455, 1.3, without the empty line.
const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";

/// What a client does.
enum Act<'a> {
    /// Sends a request, and reads to the end.
    Ask(&'a str),
    /// Sends a part of a request, and goes.
    Leave(&'a str),
    /// Connects, and then sends these bytes and reads to the end.
    Send(&'a [u8]),
    /// Connects, answers the Close frame with the same code, and reads to the end.
    Answer,
    /// Connects, and goes.
    Cut,
}

async fn act(mut stream: TcpStream, act: Act<'_>) {
    match act {
        Act::Ask(request) => stream.write_all(request.as_bytes()).await.unwrap(),
        Act::Leave(request) => return stream.write_all(request.as_bytes()).await.unwrap(),
        Act::Send(bytes) => {
            upgrade(&mut stream).await;
            stream.write_all(bytes).await.unwrap();
        }
        Act::Answer => {
            upgrade(&mut stream).await;
            let mut frame = [0; 4];
            stream.read_exact(&mut frame).await.unwrap();
            stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, frame[2], frame[3]]).await.unwrap();
        }
        Act::Cut => {
            upgrade(&mut stream).await;
            return;
        }
    }
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// Returns the lengths of the request and of the response.
pub(crate) async fn upgrade(stream: &mut TcpStream) -> (usize, usize) {
    let request = format!("{REQUEST}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (request.len(), head.len())
}

/// Serves one client, and asserts what was counted at its end.
async fn assert_client(
    set: impl FnOnce(Server) -> Server,
    (way, handler): Way,
    acts: Act<'_>,
    text: &str,
) {
    let running = Running::start(set, handler).await;
    act(TcpStream::connect(running.address).await.unwrap(), acts).await;
    assert_counts(way, || running.handle.counts(), text).await;
    running.end().await;
}

fn same(server: Server) -> Server {
    server
}

fn with(set: fn(Timeouts) -> Timeouts) -> impl FnOnce(Server) -> Server {
    move |server| server.config(Config::new().timeouts(set(Timeouts::new()))).keepalive(None)
}

/// A handler that only accepts, and does not mind if that fails.
fn accepts(incoming: Incoming) -> Handling {
    Box::pin(async move {
        let _ = incoming.accept().await;
        Ok(())
    })
}

#[tokio::test]
async fn a_client_that_the_server_refuses_is_counted_by_the_reason() {
    let quiet: Way = ("", accepts);
    let origin = format!("{REQUEST}Origin: https://elsewhere.example\r\n\r\n");
    assert_client(same, quiet, Act::Ask(&origin), "connected 1, refused.origin 1").await;
    let hosts = |server: Server| server.hosts(HostPolicy::list(["localhost"]).unwrap());
    let request = format!("{REQUEST}\r\n");
    assert_client(hosts, quiet, Act::Ask(&request), "connected 1, refused.host 1").await;
    let old = request.replace("Version: 13", "Version: 12");
    for wrong in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &old] {
        assert_client(same, quiet, Act::Ask(wrong), "connected 1, refused.bad_request 1").await;
    }
    for half in ["", "GET / HT"] {
        assert_client(same, quiet, Act::Leave(half), "connected 1, refused.transport 1").await;
    }
    let late = "connected 1, refused.timeout 1, timeouts.handshake 1";
    let hasty = with(|it| it.handshake(ms(100)));
    assert_client(hasty, quiet, Act::Ask("GET / HTTP/1.1\r\n"), late).await;
}

async fn reject(incoming: Incoming, status: u16) -> HandlerResult {
    Ok(incoming.reject(&Rejection::new(status)).await?)
}

#[tokio::test]
async fn a_client_that_the_handler_refuses_is_counted_by_the_reason() {
    let request = format!("{REQUEST}\r\n");
    let rejects: Way = ("", |it| Box::pin(reject(it, 403)));
    assert_client(same, rejects, Act::Ask(&request), "connected 1, refused.rejected 1").await;
    let plain = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_client(same, rejects, Act::Ask(plain), "connected 1, answered 1").await;
    let silent: Way = ("", |_| Box::pin(async { Ok(()) }));
    let unanswered = "connected 1, refused.unanswered 1";
    assert_client(same, silent, Act::Ask(&request), unanswered).await;
    let wrong: Way = ("", |it| Box::pin(reject(it, 101)));
    let failed = "connected 1, refused.unanswered 1, handlers_failed 1";
    assert_client(same, wrong, Act::Ask(&request), failed).await;
    let fails: Way = ("", |_| Box::pin(async { Err("no luck".into()) }));
    assert_client(same, fails, Act::Ask(&request), failed).await;
    let panics: Way = ("", |_| Box::pin(async { panic!("of the test") }));
    let panicked = "connected 1, refused.unanswered 1, handlers_panicked 1";
    assert_client(same, panics, Act::Ask(&request), panicked).await;
}

#[tokio::test]
async fn a_slow_handshake_that_gives_its_place_counts_as_displaced() {
    let running = Running::start(|server| server.max_connections(1), WAYS[0].1).await;
    let counts = || running.handle.counts();
    let slow = TcpStream::connect(running.address).await.unwrap();
    assert_counts("", counts, "connected 1, handshakes_now 1").await;
    let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
    let open = "connected 2, refused.displaced 1, accepted 1, open_now 1";
    assert_counts("", counts, open).await;
    socket.close(CloseCode::NORMAL, "").await.unwrap();
    drop(slow);
    let closed = "connected 2, refused.displaced 1, accepted 1, \
        close_received.1000 1, close_sent.1000 1";
    assert_counts("", counts, closed).await;
    running.end().await;
}

#[tokio::test]
async fn clients_during_a_drain_are_counted_and_its_code_too() {
    for (way, handler) in WAYS {
        let running = Running::start(same, handler).await;
        let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
        let counts = || running.handle.counts();
        assert_counts(way, counts, "connected 1, accepted 1, open_now 1").await;
        running.handle.start_drain(Drain::new().code(CloseCode::SERVICE_RESTART));
        // The client has not read the Close frame yet, so the drain goes on.
        while running.handle.counts().refused.total() == 0 {
            tokio::time::sleep(ms(20)).await;
            let refused = sansock_tokio::connect(&running.url).await;
            assert!(matches!(refused, Err(Error::Handshake(_))), "{refused:?}");
        }
        let handle = running.handle.clone();
        assert!(matches!(socket.recv().await.unwrap(), Some(Event::Close(_))));
        assert!(socket.recv().await.unwrap().is_none());
        running.task.await.unwrap().unwrap();
        let closed = "connected 2, accepted 1, refused.draining 1, \
            close_sent.1012 1, close_received.1012 1";
        assert_counts(way, || handle.counts(), closed).await;
    }
}

#[tokio::test]
async fn what_a_shutdown_cuts_off_is_counted() {
    let deaf: Way = ("", |incoming| {
        Box::pin(async move {
            let _socket = incoming.accept().await?;
            std::future::pending().await
        })
    });
    let set =
        |server: Server| server.config(Config::new().timeouts(Timeouts::new().closing(ms(9))));
    let running = Running::start(set, deaf.1).await;
    let _socket = sansock_tokio::connect(&running.url).await.unwrap();
    let _silent = TcpStream::connect(running.address).await.unwrap();
    let open = "connected 2, accepted 1, open_now 1, handshakes_now 1";
    assert_counts("", || running.handle.counts(), open).await;
    let handle = running.handle.clone();
    running.end().await;
    let cut = "connected 2, accepted 1, refused.draining 1, \
        close_sent.1006 1, close_received.1006 1";
    assert_counts("", || handle.counts(), cut).await;
}

#[tokio::test]
async fn each_end_of_a_connection_is_counted_by_the_codes_of_both_sides() {
    for way in WAYS {
        let check = async |bytes: &[u8], ends: &str| {
            let ends = format!("connected 1, accepted 1, {ends}");
            assert_client(with(|it| it.closing(ms(300))), way, Act::Send(bytes), &ends).await;
        };
        let closed = "close_received.1000 1, close_sent.1000 1";
        check(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8], closed).await;
        let closed = "close_received.4001 1, close_sent.4001 1";
        check(&[0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa1], closed).await;
        check(&[0x88, 0x80, 0, 0, 0, 0], "close_received.1005 1, close_sent.1005 1").await;
        // The peer broke the protocol: its handler gets an error.
        let failed = "close_received.1006 1, close_sent.1002 1, handlers_failed 1";
        check(&[0x81, 1, b'a'], failed).await;
        let cut = "connected 1, accepted 1, handlers_failed 1, \
            close_received.1006 1, close_sent.1006 1";
        assert_client(same, way, Act::Cut, cut).await;
    }
}

#[tokio::test]
async fn a_handler_that_returns_first_closes_with_a_code_that_is_counted() {
    let split: Way = ("split", |incoming| {
        Box::pin(async move {
            let _halves = incoming.accept().await?.split();
            Ok(())
        })
    });
    for way in [("whole", accepts as fn(Incoming) -> Handling), split] {
        let closed = "connected 1, accepted 1, close_sent.1000 1, close_received.1000 1";
        assert_client(same, way, Act::Answer, closed).await;
        let silent = "connected 1, accepted 1, close_sent.1000 1, \
            close_received.1006 1, timeouts.closing 1";
        assert_client(with(|it| it.closing(ms(100))), way, Act::Send(&[]), silent).await;
    }
    let panics: Way = ("panics", |incoming| {
        Box::pin(async move {
            let _socket = incoming.accept().await?;
            panic!("of the test")
        })
    });
    let panicked = "connected 1, accepted 1, handlers_panicked 1, \
        close_sent.1011 1, close_received.1011 1";
    assert_client(same, panics, Act::Answer, panicked).await;
}

#[tokio::test]
async fn a_deadline_that_passes_is_counted_by_its_kind() {
    let ended = |kind: &str, sent: u16| {
        format!(
            "connected 1, accepted 1, handlers_failed 1, timeouts.{kind} 1, \
             close_received.1006 1, close_sent.{sent} 1"
        )
    };
    // The first bytes of a message of 100.
    let begins = [0x82, 0xe4, 0, 0, 0, 0, 1, 2, 3];
    for way in WAYS {
        let dead = with(|it| it.keepalive(Keepalive::every(ms(100))));
        assert_client(dead, way, Act::Send(&[]), &ended("keepalive", 1011)).await;
        let endless = with(|it| it.message(ms(100)));
        assert_client(endless, way, Act::Send(&begins), &ended("message", 1008)).await;
        // An idle connection is closed in order, and then its client does not answer.
        let idle = with(|it| it.idle(ms(100)).closing(ms(100)));
        assert_client(idle, way, Act::Send(&[]), &ended("closing", 1001)).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_counted() {
    const MUCH: usize = 32 << 20;
    let whole: Way = ("whole", |incoming| {
        Box::pin(async move { Ok(incoming.accept().await?.send(vec![7; MUCH]).await?) })
    });
    let split: Way = ("split", |incoming| {
        Box::pin(async move {
            let (mut reader, writer) = incoming.accept().await?.split();
            writer.queue(vec![7; MUCH])?;
            while reader.recv().await?.is_some() {}
            Ok(())
        })
    });
    for (way, handler) in [whole, split] {
        let config = Config::new().timeouts(Timeouts::new().closing(ms(100)));
        let set = |server: Server| server.config(config).write_timeout(ms(300));
        let running = Running::start(set, handler).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        upgrade(&mut stream).await;
        let start = Instant::now();
        while running.handle.connections() > 0 {
            assert!(start.elapsed() < SOON, "{way}");
            tokio::time::sleep(ms(5)).await;
        }
        let counts = numbers(&running.handle.counts());
        assert_eq!((counts["timeouts.write"], counts["close_received.1006"]), (1, 1), "{way}");
        running.end().await;
    }
}

/// The connections of a server with an accept loop of its own.
#[tokio::test]
async fn a_set_of_connections_counts_what_was_spawned() {
    let connections = Connections::new();
    let (socket, mut peer) = server_over(&Config::new(), 1 << 10);
    let opening = async { Ok(socket) };
    let task = connections.spawn(opening, |opened: Result<WebSocket<_>, _>| async move {
        let mut socket = opened?;
        while let Some(message) = socket.next_message().await? {
            socket.send(message).await?;
        }
        Ok(())
    });
    peer.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut frame = [0; 4];
    peer.read_exact(&mut frame).await.unwrap();
    let open = "connected 1, accepted 1, open_now 1, received.messages 1, \
        received.payload_bytes 2, sent.messages 1, sent.payload_bytes 2";
    assert_counts("", || connections.counts(), open).await;
    let fails = async { Err::<WebSocket, _>(Error::Abnormal) };
    let failed = connections.spawn(fails, |opened| async move { Ok(opened.map(drop)?) });
    assert!(failed.await.unwrap().is_err());
    connections.shutdown(CloseCode::GOING_AWAY);
    assert!(connections.refusal().is_some());
    peer.read_exact(&mut frame).await.unwrap();
    peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe9]).await.unwrap();
    drop(peer);
    task.await.unwrap().unwrap();
    let closed = "connected 3, accepted 1, close_received.1001 1, close_sent.1001 1, \
        refused.transport 1, refused.draining 1, handlers_failed 1, received.messages 1, \
        received.payload_bytes 2, sent.messages 1, sent.payload_bytes 2";
    assert_counts("", || connections.counts(), closed).await;
}
