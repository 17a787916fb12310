//! What a server does with its clients.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sansock_tokio::{CloseCode, Config, Error, Limits, ServerError, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{Running, SOON, drain, echo};

/// Collects what `on_error` reports.
fn reports() -> (Arc<Mutex<Vec<String>>>, impl Fn(&ServerError) + Send + Sync + 'static) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&all);
    (all, move |error: &ServerError| to.lock().unwrap().push(error.to_string()))
}

async fn answer(running: &Running, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_handler_that_returns_closes_with_its_code() {
    let (all, report) = reports();
    let running = Running::start(
        |server| server.on_error(move |error, _| report(error)),
        |incoming| async move {
            let what = incoming.request().path().to_owned();
            let mut socket = incoming.accept().await?;
            socket.queue("last words")?;
            match &*what {
                "/ok" => Ok(()),
                "/error" => Err("no luck".into()),
                _ => panic!("out of order"),
            }
        },
    )
    .await;
    for (path, code) in [("ok", 1000), ("error", 1011), ("panic", 1011)] {
        let mut socket = sansock_tokio::connect(&format!("{}{path}", running.url)).await.unwrap();
        let message = socket.next_message().await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some("last words"), "{path}");
        drain(&mut socket).await.unwrap();
        assert_eq!(socket.outcome().unwrap().code(), code, "{path}");
    }
    running.end().await;
    let all = all.lock().unwrap();
    assert_eq!(*all, ["no luck", "the handler panicked: out of order"]);
}

#[tokio::test]
async fn a_split_connection_is_closed_when_both_halves_are_dropped() {
    let running = Running::start(
        |server| server,
        |incoming| async move {
            let (reader, writer) = incoming.accept().await?.split();
            writer.queue("behind the return of the handler")?;
            // The connection outlives the handler.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                writer.queue("and later").unwrap();
                drop(reader);
                tokio::time::sleep(Duration::from_millis(20)).await;
                drop(writer);
            });
            Ok(())
        },
    )
    .await;
    let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
    for expected in ["behind the return of the handler", "and later"] {
        assert_eq!(socket.next_message().await.unwrap().unwrap().as_text(), Some(expected));
    }
    drain(&mut socket).await.unwrap();
    assert_eq!(socket.outcome().unwrap().code(), 1000);
    running.end().await;
}

#[tokio::test]
async fn a_request_without_an_answer_gets_500() {
    let (all, report) = reports();
    let running = Running::start(
        |server| server.on_error(move |error, _| report(error)),
        |incoming| async move {
            drop(incoming);
            Ok(())
        },
    )
    .await;
    let error = sansock_tokio::connect(&running.url).await.unwrap_err();
    let Error::Handshake(error) = error else { panic!("{error}") };
    assert_eq!(error.response().unwrap().status(), 500);
    running.end().await;
    assert_eq!(*all.lock().unwrap(), [ServerError::Unanswered.to_string()]);
}

#[tokio::test]
async fn wrong_requests_get_their_status() {
    let running = Running::start(|server| server, echo).await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Version: 12\r\n{key}\r\n"), "426"),
        ("no HTTP\r\n\r\n".into(), "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "426"),
        (
            format!(
                "GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Version: 13\r\n{key}\
                 Origin: https://other.example\r\n\r\n"
            ),
            "403",
        ),
    ] {
        let answer = answer(&running, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    running.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_gets_408() {
    let timeouts = Timeouts::new().handshake(Duration::from_millis(200));
    let config = Config::new().timeouts(timeouts);
    let running = Running::start(|server| server.config(config), echo).await;
    let answer = answer(&running, b"GET / HTTP/1.1\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    running.end().await;
}

#[tokio::test]
async fn handshakes_in_progress_do_not_keep_others_out() {
    let (all, report) = reports();
    let running = Running::start(
        |server| server.max_handshakes(2).on_error(move |error, _| report(error)),
        echo,
    )
    .await;
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    let connecting = sansock_tokio::connect(&running.url);
    let mut socket = tokio::time::timeout(SOON, connecting).await.unwrap().unwrap();
    socket.close(CloseCode::NORMAL, "").await.unwrap();
    drop(silent);
    running.end().await;
    assert!(all.lock().unwrap().contains(&ServerError::Displaced.to_string()));
}

#[tokio::test]
async fn max_connections_is_kept() {
    let running = Running::start(|server| server.max_connections(2), echo).await;
    let mut first = sansock_tokio::connect(&running.url).await.unwrap();
    let _second = sansock_tokio::connect(&running.url).await.unwrap();
    let third = tokio::spawn({
        let url = running.url.clone();
        async move { sansock_tokio::connect(&url).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!third.is_finished() && running.handle.connections() == 2);
    first.close(CloseCode::NORMAL, "").await.unwrap();
    let mut third = tokio::time::timeout(SOON, third).await.unwrap().unwrap().unwrap();
    third.send("in").await.unwrap();
    assert_eq!(third.next_message().await.unwrap().unwrap().as_text(), Some("in"));
    running.end().await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_answered_with_1009() {
    let config = Config::new().limits(Limits::new().message(1_000));
    let running = Running::start(|server| server.config(config), echo).await;
    let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
    socket.send(vec![0; 1_001]).await.unwrap();
    drain(&mut socket).await.unwrap();
    assert_eq!(socket.outcome().unwrap().code(), 1009);
    running.end().await;
}
