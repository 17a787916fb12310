//! Rooms, over HTTP/1.1 and HTTP/2.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use sansock_axum::WebSocketUpgrade;
use sansock_axum::hub::{Budget, Hub};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::common::{Http2, Running, SOON, code_of, ended, talk};

async fn room(State(hub): State<Hub>, ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(move |socket| async move {
        let (mut reader, writer) = socket.split();
        let topic = hub.topic("room");
        let _subscription = topic.subscribe(&writer.subscriber(Budget::default()));
        while let Ok(Some(message)) = reader.next_message().await {
            topic.publish(message);
        }
    })
}

async fn expect<S>(socket: &mut sansock_tokio::WebSocket<S>, text: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let message = tokio::time::timeout(SOON, socket.next_message()).await.unwrap();
    assert!(message.unwrap().unwrap().as_text() == Some(text), "{} bytes", text.len());
}

/// Each message is longer than a stream of HTTP/2 takes at once.
#[tokio::test]
async fn everybody_in_a_room_gets_all_messages_over_both_versions() {
    let hub = Hub::new();
    let running = Running::start(Router::new().route("/", any(room)).with_state(hub.clone())).await;
    let mut first = sansock_tokio::connect(&running.url("/")).await.unwrap();
    // What comes back shows that it has subscribed.
    talk(&mut first, "first").await;
    let mut client = Http2::connect(running.address).await;
    let mut second = client.open("/", |offer| offer).await.unwrap();
    talk(&mut second, "second").await;
    expect(&mut first, "second").await;
    let texts = ["short".to_owned(), "long".repeat(100_000), "x".repeat(20_000)];
    let publishing = std::thread::spawn({
        let texts = texts.clone();
        move || {
            for text in texts {
                hub.topic("room").publish(text.as_str());
            }
        }
    });
    for text in &texts {
        expect(&mut first, text).await;
        expect(&mut second, text).await;
    }
    publishing.join().unwrap();
    let stopping = running.stop();
    let (first, second) = tokio::join!(code_of(&mut first), code_of(&mut second));
    assert_eq!((first, second), (1001, 1001));
    ended(stopping).await;
}
