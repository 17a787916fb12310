//! The end of a server.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Extension, Router};
use sansock_axum::drain::{Drain, DrainReport};
use sansock_axum::{CloseCode, Connections, WebSocket, WebSocketUpgrade};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Graceful, Http2, Running, SOON, code_of, echo, echo_socket, ended, talk};

/// Does not look at its connection.
async fn deaf(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(|_socket: WebSocket| std::future::pending())
}

/// Accepts after a while.
async fn late(ws: WebSocketUpgrade) -> Response {
    tokio::time::sleep(Duration::from_millis(500)).await;
    ws.on_upgrade(echo_socket)
}

fn app() -> Router {
    Router::new().route("/ws", any(echo)).route("/deaf", any(deaf)).route("/late", any(late)).route(
        "/slow",
        get(|| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            "done"
        }),
    )
}

#[tokio::test]
async fn each_socket_gets_1001_and_only_then_the_server_ends() {
    for code in [CloseCode::GOING_AWAY, CloseCode::SERVICE_RESTART] {
        let running = Running::start_with(app(), |server| match code {
            CloseCode::GOING_AWAY => server,
            _ => server.close_code(code),
        })
        .await;
        let mut sockets = Vec::new();
        for _ in 0..50 {
            let mut socket = sansock_tokio::connect(&running.url("/ws")).await.unwrap();
            talk(&mut socket, "hello").await;
            sockets.push(socket);
        }
        let task = running.stop();
        for socket in &mut sockets {
            // A client that does not read has not answered the Close frame.
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(!task.is_finished());
            assert_eq!(code_of(socket).await, code.get());
        }
        ended(task).await;
    }
}

#[tokio::test]
async fn sockets_of_http_2_are_closed_too() {
    let running = Running::start(app()).await;
    let mut client = Http2::connect(running.address).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(client.open("/ws", |offer| offer).await.unwrap());
    }
    let task = running.stop();
    for socket in &mut sockets {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!task.is_finished());
        assert_eq!(code_of(socket).await, 1001);
    }
    ended(task).await;
}

#[tokio::test]
async fn one_that_does_not_answer_is_cut_off_at_the_deadline() {
    const LIMIT: Duration = Duration::from_millis(700);
    for version in ["1.1", "2"] {
        let limited = |server: Graceful| server.shutdown_timeout(LIMIT);
        let running = Running::start_with(app(), limited).await;
        let mut http2 = Http2::connect(running.address).await;
        let (mut of_http_1, mut of_http_2) = (None, None);
        for path in ["/ws", "/deaf"] {
            if version == "2" {
                of_http_2 = Some(http2.open(path, |offer| offer).await.unwrap());
            } else {
                let opened = sansock_tokio::connect(&running.url(path)).await;
                of_http_1 = Some(opened.unwrap());
            }
        }
        let start = Instant::now();
        ended(running.stop()).await;
        assert!(start.elapsed() >= LIMIT, "HTTP/{version}");
        // The client finds its connection cut off. It did not read before.
        if let Some(socket) = &mut of_http_1 {
            assert!(socket.recv().await.is_err());
        }
        if let Some(socket) = &mut of_http_2 {
            assert!(socket.recv().await.is_err());
        }
    }
}

/// A limit beyond the clock is none.
#[tokio::test]
async fn a_limit_that_never_comes_cuts_nothing_off() {
    let endless = |server: Graceful| server.shutdown_timeout(Duration::MAX);
    let running = Running::start_with(app(), endless).await;
    let mut socket = sansock_tokio::connect(&running.url("/ws")).await.unwrap();
    let task = running.stop();
    assert_eq!(code_of(&mut socket).await, 1001);
    ended(task).await;
}

#[tokio::test]
async fn requests_in_progress_are_answered_and_their_sockets_closed() {
    let running = Running::start(app()).await;
    let mut page = TcpStream::connect(running.address).await.unwrap();
    page.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let late = tokio::spawn({
        let url = running.url("/late");
        async move { code_of(&mut sansock_tokio::connect(&url).await.unwrap()).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let task = running.stop();
    assert_eq!(late.await.unwrap(), 1001, "it began after the signal");
    assert!(!task.is_finished(), "the page is not yet sent");
    let mut answer = String::new();
    page.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    ended(task).await;
}

/// Nothing reads from its HTTP/2 connection any more, which is not closed either.
#[tokio::test]
async fn a_client_of_http_2_that_is_frozen_is_cut_off_at_the_deadline() {
    const LIMIT: Duration = Duration::from_millis(300);
    for path in ["/ws", "/deaf"] {
        let limited = |server: Graceful| server.shutdown_timeout(LIMIT);
        let running = Running::start_with(app(), limited).await;
        let _client = Http2::connect(running.address).await.freeze(path).await;
        let start = Instant::now();
        ended(running.stop()).await;
        assert!(start.elapsed() >= LIMIT, "{path}");
    }
}

/// It would hold up the shutdown of axum as long as it likes.
#[tokio::test]
async fn a_request_that_never_ends_holds_the_server_up_until_the_http_timeout() {
    const LIMIT: Duration = Duration::from_millis(500);
    let running = Running::start_with(app(), |server| server.http_timeout(LIMIT)).await;
    let mut half = TcpStream::connect(running.address).await.unwrap();
    half.write_all(b"GET /ws HTTP/1.1\r\nHost:").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    ended(running.stop()).await;
    assert!(start.elapsed() >= LIMIT);
}

#[tokio::test]
async fn the_program_counts_and_closes_while_the_server_goes_on() {
    let connections = Connections::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let server = sansock_axum::serve(listener, app()).connections(connections.clone());
    let server = tokio::spawn(server.into_future());
    let mut sockets = Vec::new();
    for number in 1..=3 {
        sockets.push(sansock_tokio::connect(&url).await.unwrap());
        assert_eq!(connections.count(), number);
    }
    talk(&mut sockets[0], "hello").await;
    let counts = connections.counts();
    assert_eq!((counts.connected, counts.accepted, counts.open_now), (3, 3, 3));
    assert_eq!((counts.received.payload_bytes, counts.sent.payload_bytes), (5, 5));
    connections.shutdown(CloseCode::TRY_AGAIN_LATER);
    for socket in &mut sockets {
        assert_eq!(code_of(socket).await, 1013);
    }
    tokio::time::timeout(SOON, connections.closed()).await.unwrap();
    let counts = connections.counts();
    assert_eq!((counts.close_sent.get(1013), counts.close_received.get(1013)), (3, 3));
    assert!(!server.is_finished());
    server.abort();
}

/// For another server, such as one with TLS.
#[tokio::test]
async fn connections_among_the_extensions_are_enough() {
    let connections = Connections::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let app = app().layer(axum::Extension(connections.clone()));
    let server = tokio::spawn(axum::serve(listener, app).into_future());
    let mut socket = sansock_tokio::connect(&url).await.unwrap();
    connections.shutdown(CloseCode::GOING_AWAY);
    assert_eq!(code_of(&mut socket).await, 1001);
    server.abort();
}

fn health(connections: &Connections) -> StatusCode {
    if connections.is_draining() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// A response, and what the client must know.
async fn response(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

#[tokio::test]
async fn a_drain_turns_the_health_check_red_refuses_and_counts() {
    const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade, close\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let ms = Duration::from_millis;
    let connections = Connections::new();
    let check =
        |Extension(connections): Extension<Connections>| async move { health(&connections) };
    let app = app().route("/healthz", get(check));
    let drain = Drain::new().code(CloseCode::SERVICE_RESTART).grace(ms(1500)).spread(ms(500));
    let drain = drain.closing(ms(2500)).retry_after(ms(3000));
    let running = Running::start_with_connections(app, &connections, |it| it.drain(drain)).await;
    let address = running.address;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(sansock_tokio::connect(&running.url("/ws")).await.unwrap());
    }
    let _deaf = sansock_tokio::connect(&running.url("/deaf")).await.unwrap();
    let mut http2 = Http2::connect(address).await;
    let mut of_http_2 = http2.open("/ws", |offer| offer).await.unwrap();
    assert!(response(address, HEALTH).await.starts_with("HTTP/1.1 200"));

    let start = Instant::now();
    let task = running.stop();
    while !connections.is_draining() {
        tokio::task::yield_now().await;
    }
    assert!(response(address, HEALTH).await.starts_with("HTTP/1.1 503"));
    sockets.push(sansock_tokio::connect(&format!("ws://{address}/ws")).await.unwrap());
    for socket in &mut sockets {
        assert_eq!(code_of(socket).await, 1012);
        assert!(start.elapsed() >= drain.grace);
    }
    assert_eq!(code_of(&mut of_http_2).await, 1012);
    let text = response(address, UPGRADE).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("retry-after: 3\r\n"), "{text}");
    let refused = http2.open("/ws", |offer| offer).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("503")));
    assert!(response(address, HEALTH).await.starts_with("HTTP/1.1 503"));
    assert!(!task.is_finished());
    drop(http2);
    ended(task).await;
    assert!(start.elapsed() >= drain.total());
    let DrainReport { closed, failed, forced, ended, refused, open, .. } =
        connections.drain_report().unwrap();
    assert_eq!([closed, failed, forced, ended, refused, open], [22, 0, 1, 0, 2, 0]);
}
