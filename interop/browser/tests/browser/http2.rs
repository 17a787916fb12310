//! WebSocket over HTTP/2 (RFC 8441). Chromium uses it if a connection to the same origin already speaks
//! HTTP/2 and its server has announced extended CONNECT, so the page comes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::driver::{Browser, Device};
use crate::server::{Over, Server};

/// Opens a socket, sends a text and 100,000 bytes, and closes. Returns what came back, and over what
/// the page came.
const CONVERSE: &str = "
    const done = arguments[arguments.length - 1];
    const page = performance.getEntriesByType('navigation')[0].nextHopProtocol;
    const socket = new WebSocket(location.href.replace('http', 'ws'), ['other', 'chat']);
    socket.binaryType = 'arraybuffer';
    const heard = [page];
    socket.onopen = () => {
      heard.push(socket.protocol);
      socket.send('h\u{e9}llo');
      socket.send(new Uint8Array(100000).fill(7));
    };
    socket.onmessage = (event) => {
      if (typeof event.data === 'string') return heard.push(event.data);
      heard.push(event.data.byteLength, new Uint8Array(event.data).every((byte) => byte === 7));
      socket.close(3000, 'bye');
    };
    socket.onerror = () => heard.push('error');
    socket.onclose = (event) => done([...heard, event.code, event.wasClean]);
";

/// Passes connections on to a server, and counts them.
async fn counting(server: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let mut server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move {
                // Whichever end breaks it off.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn the_socket_uses_the_connection_of_the_page() {
    let arguments = ["127.0.0.1:0", "--subprotocol", "chat"];
    let server = Server::start_with("hyper_echo_server", Over::Https, &arguments);
    let (address, connections) = counting(server.address().to_owned()).await;
    let browser = Browser::start(Device::Desk).await;
    let window = browser.window(&format!("https://{address}/")).await;
    window.shows("body", "HTTP/2.0").await;
    let before = connections.load(Ordering::Relaxed);
    for _ in 0..3 {
        let heard = browser.client.execute_async(CONVERSE, Vec::new()).await.unwrap();
        assert_eq!(heard, json!(["h2", "chat", "h\u{e9}llo", 100_000, true, 3000, true]));
    }
    assert_eq!(connections.load(Ordering::Relaxed), before, "a socket has a connection of its own");
    assert_eq!(browser.console().await, [""; 0]);
    browser.end().await;
}
