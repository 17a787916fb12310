//! The end of a server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sansock_tokio::{CloseCode, Config, Connections, Error, HandlerResult, ServerError, Timeouts};
use sansock_tokio::{Outcome, WebSocket};
use tokio::io::{AsyncRead, DuplexStream, ReadBuf, ReadHalf, join, split};

use crate::common::{Running, SOON, drain, echo, pair};

#[tokio::test]
async fn every_connection_is_closed_with_the_code() {
    for code in [CloseCode::GOING_AWAY, CloseCode::SERVICE_RESTART] {
        let running = Running::start(
            |server| server,
            |incoming| async move {
                let split = incoming.request().path() == "/split";
                let mut socket = incoming.accept().await?;
                socket.queue("welcome")?;
                if !split {
                    return Ok(drain(&mut socket).await?);
                }
                let (mut reader, writer) = socket.split();
                while reader.recv().await?.is_some() {}
                drop(writer);
                Ok(())
            },
        )
        .await;
        let mut sockets = Vec::new();
        for path in ["", "split"] {
            let mut socket =
                sansock_tokio::connect(&format!("{}{path}", running.url)).await.unwrap();
            assert_eq!(socket.next_message().await.unwrap().unwrap().as_text(), Some("welcome"));
            sockets.push(socket);
        }
        assert_eq!(running.handle.connections(), 2);
        running.handle.shutdown_with(code);
        for socket in &mut sockets {
            drain(socket).await.unwrap();
            assert_eq!(socket.outcome().unwrap().code(), code.get());
        }
        tokio::time::timeout(SOON, running.task).await.unwrap().unwrap().unwrap();
        assert_eq!(running.handle.connections(), 0);
    }
}

#[tokio::test]
async fn a_handler_that_does_not_look_is_cut_off() {
    let timeouts = Timeouts::new().closing(Duration::from_millis(100));
    let config = Config::new().timeouts(timeouts);
    let running = Running::start(
        |server| server.config(config),
        |incoming| async move {
            let _socket = incoming.accept().await?;
            std::future::pending().await
        },
    )
    .await;
    let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
    let start = Instant::now();
    running.end().await;
    assert!(start.elapsed() >= Duration::from_millis(1_100));
    assert!(drain(&mut socket).await.is_err());
}

#[tokio::test]
async fn nobody_is_accepted_afterwards() {
    let running = Running::start(|server| server, echo).await;
    let url = running.url.clone();
    running.end().await;
    assert!(sansock_tokio::connect(&url).await.is_err());
}

/// A handler that waits for its client.
async fn wait(opened: Result<WebSocket<DuplexStream>, Error>) -> HandlerResult {
    Ok(drain(&mut opened?).await?)
}

async fn closed_with(client: &mut WebSocket<DuplexStream>) -> u16 {
    tokio::time::timeout(SOON, drain(client)).await.unwrap().unwrap();
    client.outcome().map(Outcome::code).unwrap()
}

/// A pipe, and a shutdown by another thread while a connection looks whether something has arrived.
struct Interrupted(ReadHalf<DuplexStream>, Connections);

impl AsyncRead for Interrupted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.0).poll_read(cx, bytes);
        self.1.shutdown(CloseCode::GOING_AWAY);
        polled
    }
}

#[tokio::test]
async fn a_shutdown_is_noticed_directly_before_the_wait() {
    let (connections, config) = (Connections::new(), Config::new());
    let (mut client, server) = pair(&config);
    let (io, connection, input, output) = server.into_parts();
    let (reads, writes) = split(io);
    let io = join(Interrupted(reads, connections.clone()), writes);
    let server = WebSocket::new(io, connection, input, output);
    drop(
        connections.spawn(async { Ok(server) }, |opened| async { Ok(drain(&mut opened?).await?) }),
    );
    assert_eq!(closed_with(&mut client).await, 1001);
}

#[tokio::test(start_paused = true)]
async fn connections_of_another_server_are_closed_together() {
    let connections = Connections::new();
    let mut clients = Vec::new();
    for _ in 0..10 {
        let (client, server) = pair(&Config::new());
        connections.spawn(async { Ok(server) }, wait);
        clients.push(client);
    }
    // One is not yet open at the shutdown, another begins after it.
    let (client, server) = pair(&Config::new());
    let (open, opened) = tokio::sync::oneshot::channel();
    connections.spawn(async { Ok(opened.await.unwrap()) }, wait);
    clients.push(client);
    assert_eq!(connections.count(), 11);
    connections.shutdown(CloseCode::SERVICE_RESTART);
    open.send(server).unwrap();
    let (client, server) = pair(&Config::new());
    connections.spawn(async { Ok(server) }, wait);
    clients.push(client);

    let closing = tokio::spawn({
        let connections = connections.clone();
        async move { connections.drain(Duration::from_secs(5), async {}).await }
    });
    for client in &mut clients {
        assert!(!closing.is_finished());
        assert_eq!(closed_with(client).await, 1012);
    }
    closing.await.unwrap();
    assert_eq!(connections.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_end_is_cut_off_while_the_server_waits_for_it() {
    let (connections, start) = (Connections::new(), tokio::time::Instant::now());
    let (mut client, server) = pair(&Config::new());
    let deaf = |opened: Result<_, _>| async move {
        let _socket: WebSocket<DuplexStream> = opened?;
        std::future::pending().await
    };
    let task = connections.spawn(async { Ok(server) }, deaf);
    let server_ends = async { task.await.unwrap_err().is_cancelled() };
    tokio::spawn({
        let connections = connections.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(100)).await;
            connections.shutdown(CloseCode::GOING_AWAY);
        }
    });
    let drain_all = connections.drain(Duration::from_secs(5), server_ends);
    assert!(tokio::time::timeout(10 * SOON, drain_all).await.unwrap());
    assert_eq!(start.elapsed(), Duration::from_secs(105));
    assert!(matches!(drain(&mut client).await, Err(Error::Abnormal)));
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_leaves_is_closed_and_how_it_ended_is_returned() {
    let connections = Connections::new();
    for (path, code) in [("ok", 1000), ("error", 1011), ("panic", 1011), ("moved", 1000)] {
        let (mut client, server) = pair(&Config::new());
        let task = connections.spawn(async { Ok(server) }, move |opened| async move {
            let mut socket: WebSocket<_> = opened?;
            socket.queue("last words")?;
            match path {
                "error" => Err("an error".into()),
                "panic" => panic!("a panic"),
                "moved" => {
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        drop(socket.split());
                    });
                    Ok(())
                }
                _ => Ok(()),
            }
        });
        let message = client.next_message().await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some("last words"), "{path}");
        assert_eq!(closed_with(&mut client).await, code, "{path}");
        let fits = match tokio::time::timeout(SOON, task).await.unwrap().unwrap() {
            Ok(()) => code == 1000,
            Err(ServerError::Handler(error)) => error.to_string() == "an error",
            Err(ServerError::Panic(text)) => text == "a panic",
            Err(_) => false,
        };
        assert!(fits, "{path}");
    }
    // One that never opens has nothing to close.
    let never = async { Err(Error::Abnormal) };
    let task = connections.spawn(never, |opened| async {
        let _: WebSocket<DuplexStream> = opened?;
        Ok(())
    });
    let ended = tokio::time::timeout(SOON, task).await.unwrap();
    assert!(matches!(ended.unwrap(), Err(ServerError::Handler(_))));
    connections.closed().await;
}
