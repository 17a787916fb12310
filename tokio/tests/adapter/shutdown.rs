//! The end of a server.

use std::time::{Duration, Instant};

use sansock_tokio::{CloseCode, Config, Timeouts};

use crate::common::{Running, SOON, drain, echo};

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
