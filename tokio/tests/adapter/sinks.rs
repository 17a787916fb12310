//! `Stream` and `Sink`.

use futures_util::{SinkExt as _, StreamExt as _, stream};
use sansock_tokio::{Config, Message};

use crate::common::pair;

#[tokio::test]
async fn messages_are_forwarded_and_collected() {
    let (client, mut server) = pair(&Config::new());
    let messages: Vec<_> = (0..100).map(|i| Message::from(format!("message {i}"))).collect();
    let sending = tokio::spawn({
        let messages = messages.clone();
        // `forward` closes at the end.
        async move { stream::iter(messages).map(Ok).forward(client).await }
    });
    let mut all = Vec::new();
    while let Some(message) = server.next().await {
        all.push(message.unwrap());
    }
    assert_eq!(all, messages);
    assert!(server.next().await.is_none(), "and it stays so");
    sending.await.unwrap().unwrap();
    assert_eq!(server.outcome().unwrap().code(), 1000);
}

#[tokio::test]
async fn halves_are_stream_and_sink() {
    let (client, server) = pair(&Config::new());
    let (mut stream, mut sink) = client.split();
    let (from_client, to_client) = server.split();
    let echo = tokio::spawn(from_client.forward(to_client));
    for i in 0..10_u8 {
        sink.send(Message::from(vec![i; 100])).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().as_bytes(), [i; 100]);
    }
    sink.close().await.unwrap();
    assert!(stream.next().await.is_none());
    echo.await.unwrap().unwrap();
}
