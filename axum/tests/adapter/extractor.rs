//! The extractor, over HTTP/1.1.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::response::Response;
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use sansock_axum::handshake::{HandshakeError, HostPolicy, OriginPolicy};
use sansock_axum::{Error, Message, WebSocket, WebSocketUpgrade};
use sansock_tokio::Client;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::common::{Running, SOON, code_of, echo, echo_socket, talk};

/// A router with one route.
fn app<H, T>(handler: H) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    Router::new().route("/ws", any(handler))
}

/// The status with which a server refuses.
fn status_of(error: &Error) -> Option<u16> {
    match error {
        Error::Handshake(error) => error.response().map(sansock_axum::handshake::Response::status),
        _ => None,
    }
}

#[tokio::test]
async fn messages_of_both_types_come_back() {
    let running = Running::start(app(echo)).await;
    let mut socket = sansock_tokio::connect(&running.url("/ws")).await.unwrap();
    talk(&mut socket, "hello").await;
    let bytes = Message::from(vec![7; 100_000]);
    socket.send(bytes.clone()).await.unwrap();
    assert_eq!(socket.next_message().await.unwrap(), Some(bytes));
    assert_eq!(socket.close(None, "").await.unwrap().code(), 1005);
    running.end().await;
}

#[tokio::test]
async fn it_runs_below_the_server_of_axum() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/api/ws", listener.local_addr().unwrap());
    let nested = Router::new().nest("/api", app(echo));
    let server = tokio::spawn(axum::serve(listener, nested).into_future());
    let mut socket = sansock_tokio::connect(&url).await.unwrap();
    talk(&mut socket, "hello").await;
    server.abort();
}

#[tokio::test]
async fn stream_sink_and_halves_work() {
    async fn combinators(ws: WebSocketUpgrade) -> Response {
        ws.on_upgrade(|socket| async move {
            let (sink, stream) = StreamExt::split(socket);
            stream.forward(sink).await.unwrap();
        })
    }
    async fn halves(ws: WebSocketUpgrade) -> Response {
        ws.on_upgrade(|socket| async move {
            let (mut reader, mut writer) = socket.split();
            while let Some(Ok(message)) = reader.next().await {
                SinkExt::send(&mut writer, message).await.unwrap();
            }
        })
    }
    for app in [app(combinators), app(halves)] {
        let running = Running::start(app).await;
        let mut socket = sansock_tokio::connect(&running.url("/ws")).await.unwrap();
        talk(&mut socket, "hello").await;
        socket.close(None, "").await.unwrap();
        running.end().await;
    }
}

#[tokio::test]
async fn state_and_other_extractors_stand_beside_it() {
    async fn handler(
        State(state): State<Arc<str>>,
        Path(room): Path<String>,
        Query(query): Query<Vec<(String, String)>>,
        ConnectInfo(peer): ConnectInfo<SocketAddr>,
        ws: WebSocketUpgrade,
    ) -> Response {
        let greeting = format!("{state} {room} {query:?} {}", peer.ip());
        ws.on_upgrade(|mut socket| async move { socket.send(greeting).await.unwrap() })
    }
    let app = Router::new().route("/{room}", any(handler)).with_state(Arc::<str>::from("state"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/lobby?a=b", listener.local_addr().unwrap());
    let make_service = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(sansock_axum::serve(listener, make_service).into_future());
    let mut socket = sansock_tokio::connect(&url).await.unwrap();
    let message = socket.next_message().await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some(r#"state lobby [("a", "b")] 127.0.0.1"#));
    assert_eq!(code_of(&mut socket).await, 1000);
    server.abort();
}

#[tokio::test]
async fn the_server_chooses_the_subprotocol_by_its_own_preference() {
    async fn handler(ws: WebSocketUpgrade) -> Response {
        let requested: Vec<_> =
            ws.requested_protocols().map(|it| it.to_str().unwrap().to_owned()).collect();
        let ws = ws.protocols(["one", "two"]);
        let selected = ws.selected_protocol().map(|it| it.to_str().unwrap().to_owned());
        ws.on_upgrade(move |mut socket| async move {
            assert_eq!(socket.subprotocol(), selected.as_deref());
            socket.send(requested.join(" ")).await.unwrap();
        })
    }
    let running = Running::start(app(handler)).await;
    for (offered, selected) in [
        (&["two", "one"][..], Some("one")),
        (&["three", "two"], Some("two")),
        (&["three"], None),
        (&[], None),
    ] {
        let client = Client::new(&running.url("/ws")).unwrap();
        let client = offered.iter().fold(client, |client, name| client.subprotocol(*name));
        let mut socket = client.connect().await.unwrap();
        assert_eq!(socket.subprotocol(), selected);
        let message = socket.next_message().await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(&*offered.join(" ")));
    }
    running.end().await;
}

#[tokio::test]
async fn a_subprotocol_that_is_not_offered_is_the_programs_fault() {
    async fn handler(mut ws: WebSocketUpgrade) -> Response {
        ws.set_selected_protocol("one".parse().unwrap());
        ws.header("X-A", "b").on_upgrade(echo_socket)
    }
    let running = Running::start(app(handler)).await;
    let refused = sansock_tokio::connect(&running.url("/ws")).await.unwrap_err();
    assert_eq!(status_of(&refused), Some(500));
    let client = Client::new(&running.url("/ws")).unwrap();
    let socket = client.subprotocol("two").subprotocol("one").connect().await.unwrap();
    assert_eq!(socket.subprotocol(), Some("one"));
    drop(socket);
    running.end().await;
}

#[tokio::test]
async fn pages_of_other_sites_and_other_hosts_are_refused() {
    async fn of_list(ws: WebSocketUpgrade) -> Response {
        let origins = OriginPolicy::list(["https://example.org"]).unwrap();
        ws.origins(origins).on_upgrade(echo_socket)
    }
    async fn of_host(ws: WebSocketUpgrade) -> Response {
        ws.hosts(HostPolicy::list(["example.com"]).unwrap()).on_upgrade(echo_socket)
    }
    let app = app(echo).route("/list", any(of_list)).route("/host", any(of_host));
    let running = Running::start(app).await;
    let own = format!("http://{}", running.address);
    for (path, origin, status) in [
        ("/ws", "https://example.org", Some(403)),
        ("/ws", &own, None),
        ("/list", "https://example.org", None),
        ("/list", &own, Some(403)),
        ("/host", &own, Some(421)),
    ] {
        let client = Client::new(&running.url(path)).unwrap();
        let opened = client.origin(origin).connect().await;
        assert_eq!(opened.err().map(|error| status_of(&error).unwrap()), status, "{path} {origin}");
    }
    running.end().await;
}

#[tokio::test]
async fn what_is_over_a_limit_ends_with_1009() {
    const MIB: usize = 1 << 20;
    async fn message(ws: WebSocketUpgrade) -> Response {
        ws.max_message_size(2 * MIB).on_upgrade(echo_socket)
    }
    async fn frame(ws: WebSocketUpgrade) -> Response {
        ws.max_frame_size(10).max_message_size(20).on_upgrade(echo_socket)
    }
    let app = app(echo).route("/message", any(message)).route("/frame", any(frame));
    let running = Running::start(app).await;
    for (path, largest) in [("/ws", MIB), ("/message", 2 * MIB), ("/frame", 10)] {
        let mut socket = sansock_tokio::connect(&running.url(path)).await.unwrap();
        talk(&mut socket, &"x".repeat(largest)).await;
        socket.send("x".repeat(largest + 1)).await.unwrap();
        assert_eq!(code_of(&mut socket).await, 1009, "{path}");
    }
    let mut socket = sansock_tokio::connect(&running.url("/frame")).await.unwrap();
    for (fragment, fin) in [("0123456789", false), ("0123456789", false), ("0", true)] {
        socket.send_fragment(fragment, fin).await.unwrap();
    }
    assert_eq!(code_of(&mut socket).await, 1009);
    running.end().await;
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn messages_are_compressed_if_both_ends_agree() {
    use sansock_axum::deflate::DeflateConfig;

    async fn handler(ws: WebSocketUpgrade) -> Response {
        ws.deflate(DeflateConfig::server()).on_upgrade(echo_socket)
    }
    let running = Running::start(app(handler).route("/plain", any(echo))).await;
    for (path, offers, agreed) in
        [("/ws", true, true), ("/ws", false, false), ("/plain", true, false)]
    {
        let client = Client::new(&running.url(path)).unwrap();
        let client = if offers { client.deflate(DeflateConfig::client()) } else { client };
        let mut socket = client.connect().await.unwrap();
        assert_eq!(socket.established().unwrap().deflate().is_some(), agreed, "{path}");
        talk(&mut socket, &"compressible ".repeat(1_000)).await;
    }
    running.end().await;
}

#[tokio::test]
async fn a_callback_that_panics_closes_with_1011() {
    async fn handler(ws: WebSocketUpgrade) -> Response {
        ws.on_upgrade(|_socket: WebSocket| async { panic!("a panic") })
    }
    let running = Running::start(app(handler)).await;
    let mut socket = sansock_tokio::connect(&running.url("/ws")).await.unwrap();
    assert_eq!(code_of(&mut socket).await, 1011);
    running.end().await;
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_response_is_reported() {
    let (report, mut reports) = mpsc::unbounded_channel();
    let (accept, mut accepted) = mpsc::unbounded_channel();
    let handler = move |ws: WebSocketUpgrade| async move {
        let failed = report.clone();
        let response = ws
            .on_failed_upgrade(move |error| failed.send(error).unwrap())
            .on_upgrade(|_| async { panic!("it has no connection") });
        accept.send(()).unwrap();
        tokio::time::sleep(2 * SOON).await;
        response
    };
    let running = Running::start(app(handler)).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();
    let request = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Version: 13\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    accepted.recv().await.unwrap();
    drop(client);
    let error = tokio::time::timeout(SOON / 2, reports.recv()).await.unwrap().unwrap();
    assert!(matches!(error, Error::Io(_)), "{error}");
    running.end().await;
}

#[tokio::test]
async fn a_response_that_takes_longer_than_the_handshake_may_is_reported() {
    use sansock_axum::{Timeouts, handshake::Incomplete};

    let (report, mut reports) = mpsc::unbounded_channel();
    let handler = move |ws: WebSocketUpgrade| async move {
        let failed = report.clone();
        let response = ws
            .timeouts(Timeouts::new().handshake(Duration::from_millis(100)))
            .on_failed_upgrade(move |error| failed.send(error).unwrap())
            .on_upgrade(|_| async { panic!("it has no connection") });
        tokio::time::sleep(Duration::from_secs(1)).await;
        response
    };
    let running = Running::start(app(handler)).await;
    let client = tokio::spawn({
        let url = running.url("/ws");
        async move { sansock_tokio::connect(&url).await }
    });
    let error = tokio::time::timeout(SOON, reports.recv()).await.unwrap().unwrap();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::Incomplete(Incomplete::TimedOut))),
        "{error}"
    );
    let mut socket = client.await.unwrap().unwrap();
    assert!(socket.recv().await.is_err(), "the server has dropped the connection");
    running.end().await;
}
