//! A message costs no allocation, from the socket of the system to the handler and back.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use axum::Router;
use axum::routing::any;
use sansock_axum::{Event, WebSocket, WebSocketUpgrade};
use testkit::frame::{BINARY, FIN, Frame};
use testkit::memory::{Counting, allocations};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

async fn echo(mut socket: WebSocket) {
    while let Ok(Some((event, mut outgoing))) = socket.exchange().await {
        if let Event::Message(message) = event {
            outgoing.queue(message).unwrap();
        }
    }
}

/// Opens a WebSocket, and returns the transport.
async fn open() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let app = Router::new().route("/", any(async |ws: WebSocketUpgrade| ws.on_upgrade(echo)));
    tokio::spawn(sansock_axum::serve(listener, app).into_future());
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Version: 13\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    tcp
}

#[test]
fn a_message_costs_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut tcp = runtime.block_on(open());
    for length in [16, 1_000, 30_000] {
        let payload = vec![7; length];
        let frame = Frame { first: FIN | BINARY, key: Some([1, 2, 3, 4]), payload }.bytes();
        // The answer has no mask.
        let mut answer = vec![0; frame.len() - 4];
        let mut talk = |messages: usize| {
            runtime.block_on(async {
                for _ in 0..messages {
                    tcp.write_all(&frame).await.unwrap();
                    tcp.read_exact(&mut answer).await.unwrap();
                }
            });
        };
        talk(100);
        assert_eq!(allocations(|| talk(1_000)), 0, "{length} bytes");
    }
}
