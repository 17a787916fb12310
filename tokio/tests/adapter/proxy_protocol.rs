//! A server behind a proxy that sends PROXY headers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sansock::handshake::{HandshakeError, Incomplete};
use sansock_tokio::handshake::Rejection;
use sansock_tokio::proxy_protocol::{ProxyProtocol, ProxyProtocolError, tlv};
use sansock_tokio::{Config, Error, Incoming, ServerError, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{Running, SOON};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
/// 192.0.2.9:1 to 192.0.2.2:443, with an identifier.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xc0\0\x02\x09\xc0\0\x02\x02\0\x01\x01\xbb\x05\0\x02id";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x03abc";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn trusting_loopback() -> ProxyProtocol {
    ProxyProtocol::from_networks(["127.0.0.0/8"]).unwrap()
}

/// A server that tells each client the address that it is taken for. It keeps what it reports.
async fn start(settings: ProxyProtocol) -> (Running, Arc<Mutex<Vec<String>>>) {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&reported);
    let timeouts = Timeouts::new().handshake(Duration::from_millis(800));
    let running = Running::start(
        |server| {
            let server = server.config(Config::new().timeouts(timeouts)).proxy_protocol(settings);
            server.on_error(move |error, _| {
                let ServerError::Opening(error) = error else { return };
                let is_typed = match error {
                    Error::Io(error) => {
                        let inner = error.get_ref();
                        inner.and_then(|it| it.downcast_ref::<ProxyProtocolError>()).is_some()
                    }
                    _ => true,
                };
                assert!(is_typed, "{error}");
                reports.lock().unwrap().push(error.to_string());
            })
        },
        |incoming: Incoming| async move {
            let id = incoming.proxy_header().and_then(|it| it.tlv(tlv::UNIQUE_ID));
            let id = id.map(|it| it.escape_ascii().to_string());
            assert!(incoming.peer_addr().is_some_and(|it| it.ip().is_loopback()));
            let text = format!("{} {id:?}", incoming.client_addr().unwrap());
            Ok(incoming.reject(&Rejection::new(200).body(text)).await?)
        },
    )
    .await;
    (running, reported)
}

/// Sends the bytes in pieces, and reads to the end. Returns the client's own address and the
/// response.
async fn response(running: &Running, bytes: &[u8], piece: usize) -> (String, String) {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let own = stream.local_addr().unwrap().to_string();
    for piece in bytes.chunks(piece) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut text = String::new();
    let _ = tokio::time::timeout(SOON, stream.read_to_string(&mut text)).await.unwrap();
    (own, text)
}

#[tokio::test]
async fn the_clients_address_is_that_of_the_header() {
    for settings in [trusting_loopback(), trusting_loopback().optional(true)] {
        let is_optional = settings.is_optional();
        let (running, reported) = start(settings).await;
        for (header, expected) in [
            (V1, Some("192.0.2.1:56324 None")),
            (V2, Some("192.0.2.9:1 Some(\"id\")")),
            (LOCAL, None),
            (b"PROXY UNKNOWN\r\n", None),
        ] {
            for piece in [1, 10, 1000] {
                let (own, text) = response(&running, &[header, GET].concat(), piece).await;
                let expected = expected.map_or(format!("{own} None"), str::to_owned);
                assert!(text.starts_with("HTTP/1.1 200") && text.ends_with(&expected), "{text}");
            }
        }
        let (own, text) = response(&running, GET, 1000).await;
        assert_eq!(text.ends_with(&format!("{own} None")), is_optional, "{text}");
        running.end().await;
        assert_eq!(reported.lock().unwrap().len(), usize::from(!is_optional));
    }
}

#[tokio::test]
async fn a_trusted_peer_must_send_a_header_that_is_right_and_in_time() {
    let (running, reported) = start(trusting_loopback().max_header(100)).await;
    let timed_out = HandshakeError::Incomplete(Incomplete::TimedOut).to_string();
    let rows: [(&[u8], String); 5] = [
        (GET, ProxyProtocolError::Missing.to_string()),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 +443\r\n", ProxyProtocolError::Line.to_string()),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x55", ProxyProtocolError::TooLong(100).to_string()),
        (&V2[..20], timed_out.clone()),
        (b"", timed_out),
    ];
    for (bytes, expected) in rows {
        assert_eq!(response(&running, bytes, 1000).await.1, "", "{expected}");
        while reported.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(std::mem::take(&mut *reported.lock().unwrap()), [expected]);
    }
    running.end().await;
}

/// Who is not trusted cannot choose an address: the header is no request.
#[tokio::test]
async fn a_peer_that_is_not_trusted_is_served_without_a_header_and_refused_with_one() {
    let (running, reported) = start(ProxyProtocol::from_networks(["127.0.0.2"]).unwrap()).await;
    let (own, text) = response(&running, GET, 1000).await;
    assert!(text.ends_with(&format!("{own} None")), "{text}");
    for header in [V1, V2, LOCAL] {
        let (_, text) = response(&running, &[header, GET].concat(), 1000).await;
        assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    }
    running.end().await;
    assert_eq!(reported.lock().unwrap().len(), 3);
}
