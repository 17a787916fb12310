//! A server, or a set of connections, that ends gradually.

use std::time::Duration;

use sansock_tokio::drain::{Drain, DrainReport};
use sansock_tokio::handshake::Rejection;
use sansock_tokio::{CloseCode, Config, Connections, Outcome, ServerHandle, WebSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::common::{Running, SOON, drain as read_all, echo, server_over};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn counts(report: DrainReport) -> [usize; 6] {
    let DrainReport { closed, failed, forced, ended, refused, open, .. } = report;
    [closed, failed, forced, ended, refused, open]
}

/// What a client does when it gets the Close frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Answers,
    /// Reads on without an answer.
    Mute,
    /// Cuts its connection off.
    Breaks,
}

/// When a client got its Close frame and the end of the stream.
type Times = (Kind, Instant, Instant);

/// A Close frame with this code, masked with a key of zeros.
fn masked_close(code: u16) -> [u8; 8] {
    let [a, b] = code.to_be_bytes();
    [0x88, 0x82, 0, 0, 0, 0, a, b]
}

/// A client at the other end of a pipe.
fn client_of(kind: Kind, mut pipe: DuplexStream, code: u16) -> JoinHandle<Times> {
    tokio::spawn(async move {
        let mut frame = [0; 4];
        pipe.read_exact(&mut frame).await.unwrap();
        let [a, b] = code.to_be_bytes();
        assert_eq!(frame, [0x88, 2, a, b]);
        let told = Instant::now();
        match kind {
            Kind::Answers => pipe.write_all(&masked_close(code)).await.unwrap(),
            Kind::Mute => {}
            Kind::Breaks => return (kind, told, told),
        }
        let _ = pipe.read_to_end(&mut Vec::new()).await;
        (kind, told, Instant::now())
    })
}

/// A connection of the set, split or not, and the other end of its pipe.
fn spawn(connections: &Connections, splits: bool) -> DuplexStream {
    let (server, pipe) = server_over(&Config::new(), 64 << 10);
    drop(connections.spawn(async { Ok(server) }, move |opened| async move {
        let mut socket: WebSocket<_> = opened?;
        if splits {
            let (mut reader, _writer) = socket.split();
            while reader.recv().await?.is_some() {}
        } else {
            read_all(&mut socket).await?;
        }
        Ok(())
    }));
    pipe
}

/// By the virtual clock all is exact.
#[tokio::test(start_paused = true)]
async fn two_hundred_connections_are_told_over_the_time_and_the_report_counts_them() {
    let connections = Connections::new();
    let kinds = |n| match n {
        0..20 => Kind::Mute,
        20..30 => Kind::Breaks,
        _ => Kind::Answers,
    };
    let clients: Vec<_> =
        (0..180).map(|n| client_of(kinds(n), spawn(&connections, n % 2 == 0), 1012)).collect();
    let leaving: Vec<_> = (0..20).map(|n| spawn(&connections, n % 2 == 0)).collect();
    tokio::time::sleep(ms(1)).await;
    assert!(!connections.is_draining() && connections.drain_report().is_none());
    let start = Instant::now();
    let drain = Drain::new().code(CloseCode::SERVICE_RESTART).grace(ms(700)).spread(ms(3600));
    let drain = drain.closing(ms(1000));
    connections.start_drain(drain);
    assert!(connections.is_draining() && connections.refusal().is_none());
    for mut pipe in leaving {
        pipe.write_all(&masked_close(1000)).await.unwrap();
        pipe.read_to_end(&mut Vec::new()).await.unwrap();
    }
    tokio::time::sleep(ms(701)).await;
    assert_eq!(counts(connections.drain_report().unwrap())[3], 20);
    for _ in 0..5 {
        assert_eq!(connections.refusal().unwrap().status(), 503);
    }
    let mut told = Vec::new();
    for client in clients {
        let (kind, at, end) = client.await.unwrap();
        told.push(at - start);
        if kind == Kind::Mute {
            assert_eq!(end - start, drain.total());
        }
    }
    told.sort_unstable();
    let due: Vec<_> = (0..180).map(|n| drain.grace + drain.spread * n / 180).collect();
    assert_eq!(told, due);
    connections.closed().await;
    let report = connections.drain_report().unwrap();
    assert_eq!(counts(report), [150, 10, 20, 20, 5, 0], "{report}");
}

/// A peer that is mute for longer than its closing handshake may take has not closed.
#[tokio::test(start_paused = true)]
async fn a_closing_handshake_that_takes_too_long_is_a_failure() {
    let connections = Connections::new();
    let client = client_of(Kind::Mute, spawn(&connections, false), 1001);
    tokio::time::sleep(ms(1)).await;
    connections.start_drain(Drain::new());
    client.await.unwrap();
    connections.closed().await;
    assert_eq!(counts(connections.drain_report().unwrap()), [0, 1, 0, 0, 0, 0]);
}

/// It has nothing to tell its peer, and the drain must leave it the time to run. By the real clock:
/// a drain that does not wait would stop the virtual one.
#[tokio::test]
async fn a_handler_that_outlives_its_connection_is_waited_for() {
    let connections = Connections::new();
    let (server, mut pipe) = server_over(&Config::new(), 64 << 10);
    drop(connections.spawn(async { Ok(server) }, |opened| async move {
        read_all(&mut opened?).await?;
        tokio::time::sleep(ms(300)).await;
        Ok(())
    }));
    pipe.write_all(&masked_close(1000)).await.unwrap();
    pipe.read_to_end(&mut Vec::new()).await.unwrap();
    drop(pipe);
    tokio::time::sleep(ms(50)).await;
    connections.start_drain(Drain::new().closing(ms(5000)));
    connections.closed().await;
    assert_eq!(counts(connections.drain_report().unwrap()), [0, 0, 0, 1, 0, 0]);
}

/// Whoever waits with [`Connections::drain`] has the deadline of the drain, and not its own.
#[tokio::test(start_paused = true)]
async fn a_server_without_its_listener_waits_for_the_deadline_of_the_drain() {
    let connections = Connections::new();
    let (server, _pipe) = server_over(&Config::new(), 64 << 10);
    drop(connections.spawn(async { Ok(server) }, |opened| async move {
        let _deaf: WebSocket<_> = opened?;
        std::future::pending().await
    }));
    tokio::time::sleep(ms(1)).await;
    let start = Instant::now();
    let drain = Drain::new().grace(ms(2000)).spread(ms(3000)).closing(ms(5000));
    connections.start_drain(drain.keep_listening(false));
    let stopped = async {
        connections.shutdown_started().await;
        start.elapsed()
    };
    assert_eq!(connections.drain(ms(1), stopped).await, ms(2000));
    assert_eq!(start.elapsed(), drain.total());
    assert_eq!(counts(connections.drain_report().unwrap()), [0, 0, 1, 0, 0, 0]);
    // What begins later is told at once.
    let late = client_of(Kind::Answers, spawn(&connections, false), 1001);
    late.await.unwrap();
    connections.closed().await;
}

/// A second signal.
#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_a_drain_early() {
    for code in [None, Some(CloseCode::TRY_AGAIN_LATER)] {
        let running = Running::start(|server| server, echo).await;
        let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
        let hour = Duration::from_secs(3600);
        let drain = Drain::new().code(CloseCode::SERVICE_RESTART).grace(hour).spread(hour);
        running.handle.start_drain(drain);
        // It keeps its settings.
        running.handle.start_drain(Drain::new());
        match code {
            Some(code) => running.handle.shutdown_with(code),
            None => running.handle.shutdown(),
        }
        read_all(&mut socket).await.unwrap();
        let expected = code.unwrap_or(CloseCode::SERVICE_RESTART).get();
        assert_eq!(socket.outcome().map(Outcome::code), Some(expected));
        let handle = running.handle.clone();
        running.end().await;
        assert_eq!(counts(handle.drain_report().unwrap()), [1, 0, 0, 0, 0, 0]);
    }
}

async fn response(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

/// The server answers health checks, refuses new clients, and ends at the deadline.
#[tokio::test]
async fn a_server_refuses_new_clients_while_its_health_check_fails() {
    const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let (sender, health) = tokio::sync::watch::channel(None);
    let running = Running::start(
        |server| {
            sender.send(Some(server.handle())).unwrap();
            server
        },
        move |incoming| {
            let health = health.clone();
            async move {
                if incoming.request().path() != "/healthz" {
                    return echo(incoming).await;
                }
                let is_draining = health.borrow().as_ref().is_some_and(ServerHandle::is_draining);
                let status = if is_draining { 503 } else { 200 };
                Ok(incoming.reject(&Rejection::new(status)).await?)
            }
        },
    )
    .await;
    let address = running.address;
    // It reads nothing, and so never answers.
    let mute = sansock_tokio::connect(&running.url).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert!(response(address, HEALTH).await.starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    let drain = Drain::new().grace(ms(1500)).closing(ms(2500)).retry_after(ms(7000));
    running.handle.start_drain(drain);
    assert!(response(address, HEALTH).await.starts_with("HTTP/1.1 503"));
    let mut late = sansock_tokio::connect(&running.url).await.unwrap();
    read_all(&mut late).await.unwrap();
    assert!(start.elapsed() >= drain.grace, "{:?}", start.elapsed());
    let text = response(address, UPGRADE).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("\r\nRetry-After: 7\r\n"), "{text}");
    assert!(response(address, HEALTH).await.starts_with("HTTP/1.1 503"));
    tokio::time::timeout(SOON, running.task).await.unwrap().unwrap().unwrap();
    assert!(start.elapsed() >= drain.total());
    drop(mute);
    assert_eq!(counts(running.handle.drain_report().unwrap()), [1, 0, 1, 0, 1, 0]);
}

#[tokio::test]
async fn a_closed_listener_takes_no_more_clients() {
    let running = Running::start(|server| server, echo).await;
    let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
    running.handle.start_drain(Drain::new().grace(ms(50)).keep_listening(false));
    assert!(socket.recv().await.unwrap().is_some(), "the Close frame");
    tokio::time::timeout(SOON, async {
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::time::sleep(ms(5)).await;
        }
    })
    .await
    .unwrap();
    assert!(!running.task.is_finished());
    read_all(&mut socket).await.unwrap();
    tokio::time::timeout(ms(5000), running.task).await.unwrap().unwrap().unwrap();
    assert_eq!(counts(running.handle.drain_report().unwrap()), [1, 0, 0, 0, 0, 0]);
}
