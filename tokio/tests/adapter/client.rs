//! Connecting.

use std::time::{Duration, Instant};

use sansock::handshake::Rejection;
use sansock_tokio::{Client, CloseCode, Config, Error, Message, Timeouts};
use tokio::net::TcpListener;

use crate::common::{Running, echo};

#[tokio::test]
async fn a_client_talks_and_closes() {
    let server = Running::start(|server| server, echo).await;
    let mut socket = sansock_tokio::connect(&server.url).await.unwrap();
    for text in ["Hello", "", "w\u{f6}rld"] {
        socket.send(text).await.unwrap();
        assert_eq!(socket.next_message().await.unwrap(), Some(Message::from(text.to_owned())));
    }
    let large = vec![7; 3 << 20];
    socket.queue(&large).unwrap();
    assert_eq!(socket.next_message().await.unwrap(), Some(Message::from(large)));
    let outcome = socket.close(CloseCode::NORMAL, "bye").await.unwrap();
    assert!(outcome.was_clean());
    assert_eq!(outcome.code(), 1000);
    assert!(socket.recv().await.unwrap().is_none(), "and it stays so");
    server.end().await;
}

#[tokio::test]
async fn subprotocol_headers_and_response() {
    let server = Running::start(
        |server| server,
        |incoming| async move {
            assert_eq!(incoming.request().headers().get("x-name"), Some(&b"value"[..]));
            let answer = sansock::handshake::Answer::new().subprotocol("b").header("X-Answer", "1");
            let socket = incoming.accept_with(&answer).await?;
            assert_eq!(socket.subprotocol(), Some("b"));
            Ok(())
        },
    )
    .await;
    let client =
        Client::new(&server.url).unwrap().subprotocols(["a", "b"]).header("X-Name", "value");
    let (mut socket, response) = client.connect_with_response().await.unwrap();
    assert_eq!(socket.subprotocol(), Some("b"));
    assert_eq!(response.headers().get("x-answer"), Some(&b"1"[..]));
    assert!(socket.recv().await.unwrap().is_some(), "the Close frame of a handler that returned");
    assert!(socket.recv().await.unwrap().is_none());
    assert_eq!(socket.outcome().unwrap().code(), 1000);
    server.end().await;
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_response() {
    let server = Running::start(
        |server| server,
        |incoming| async move {
            incoming.reject(&Rejection::new(403).body("members only")).await?;
            Ok(())
        },
    )
    .await;
    let Err(Error::Handshake(error)) = sansock_tokio::connect(&server.url).await else { panic!() };
    let response = error.response().unwrap();
    assert_eq!(response.status(), 403);
    server.end().await;
}

#[tokio::test]
async fn a_server_that_says_nothing_ends_in_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let timeouts = Timeouts::new().handshake(Duration::from_millis(200));
    let client = Client::new(&url).unwrap().config(Config::new().timeouts(timeouts));
    let start = Instant::now();
    let error = client.connect().await.unwrap_err();
    assert!(matches!(error, Error::Handshake(_)), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = sansock_tokio::connect(&format!("ws://{address}/")).await.unwrap_err();
    let Error::Connect(error) = error else { panic!("{error}") };
    assert_eq!((error.port(), error.attempts().len()), (address.port(), 1));
}

#[tokio::test]
async fn a_wrong_url_and_a_wrong_offer_do_not_connect() {
    assert!(matches!(Client::new("http://localhost/"), Err(Error::Uri(_))));
    let client = Client::new("ws://localhost:1/").unwrap().subprotocol("a b");
    assert!(matches!(client.connect().await, Err(Error::Handshake(_))));
}
