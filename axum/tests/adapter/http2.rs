//! Extended CONNECT (RFC 8441).

use axum::Router;
use axum::routing::{any, get};
use http_body_util::BodyExt as _;
use sansock_axum::handshake::Response;
use sansock_axum::{CloseCode, WebSocketUpgrade};

use crate::common::{Http2, Running, code_of, echo, talk};

#[tokio::test]
async fn many_sockets_and_pages_share_a_connection() {
    let app = Router::new().route("/ws", any(echo)).route("/page", get(|| async { "a page" }));
    let running = Running::start(app).await;
    let mut client = Http2::connect(running.address).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(client.open("/ws", |offer| offer.subprotocol("two")).await.unwrap());
    }
    for socket in &mut sockets {
        assert_eq!(socket.subprotocol(), Some("two"));
        talk(socket, "hello").await;
        talk(socket, &"long".repeat(100_000)).await;
    }
    let page = client.get("/page").await.into_body().collect().await.unwrap();
    assert_eq!(page.to_bytes(), "a page");
    for mut socket in sockets {
        let outcome = socket.close(CloseCode::NORMAL, "bye").await.unwrap();
        assert_eq!(outcome.code(), 1000);
    }
    running.end().await;
}

#[tokio::test]
async fn a_refusal_has_its_status() {
    let running = Running::start(Router::new().route("/ws", any(echo))).await;
    let mut client = Http2::connect(running.address).await;
    let opened = client.open("/ws", |offer| offer.origin("http://example.org")).await;
    let refused = opened.unwrap_err();
    assert_eq!(refused.response().map(Response::status), Some(403), "{refused}");
    let own = format!("http://{}", running.address);
    let mut socket = client.open("/ws", |offer| offer.origin(own)).await.unwrap();
    talk(&mut socket, "from the own host").await;
    // A page that asks for it without extended CONNECT.
    let response = client.get("/ws").await;
    assert_eq!(response.status(), 426);
    drop(socket);
    running.end().await;
}

#[tokio::test]
async fn what_the_handler_leaves_is_closed() {
    async fn handler(ws: WebSocketUpgrade) -> axum::response::Response {
        ws.on_upgrade(|mut socket| async move { socket.queue("last words").unwrap() })
    }
    let running = Running::start(Router::new().route("/ws", any(handler))).await;
    let mut client = Http2::connect(running.address).await;
    let mut socket = client.open("/ws", |offer| offer).await.unwrap();
    let message = socket.next_message().await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("last words"));
    assert_eq!(code_of(&mut socket).await, 1000);
    running.end().await;
}
