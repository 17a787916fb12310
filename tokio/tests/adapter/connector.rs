//! A connector of hyper-util's kind makes the transport.

use std::future::{Ready, ready};
use std::io::ErrorKind;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use sansock_tokio::{Client, CloseCode, Config, Error, Message};
use tokio::io::{DuplexStream, duplex};
use tower_service::Service;

use crate::common::{Running, echo};

#[tokio::test]
async fn the_connector_of_hyper_util_connects() {
    let server = Running::start(|server| server, echo).await;
    let client = Client::new(&server.url).unwrap();
    let mut connector = HttpConnector::new();
    let (mut socket, response) = client.connect_with(&mut connector).await.unwrap();
    assert_eq!(response.status(), 101);
    for length in [0, 5, 100_000, 2 << 20] {
        let message = Message::from(vec![7; length]);
        socket.queue(&message).unwrap();
        assert_eq!(socket.next_message().await.unwrap(), Some(message));
    }
    assert_eq!(socket.get_ref().get_ref().inner().peer_addr().unwrap(), server.address);
    assert_eq!(socket.close(CloseCode::NORMAL, "").await.unwrap().code(), 1000);
    // It makes no TLS, and says so.
    let secure = Client::new("wss://localhost/").unwrap();
    let error = secure.connect_with(&mut connector).await.unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::Other), "{error:?}");
    server.end().await;
}

/// Gives out one pipe, when it is ready.
struct Pipe {
    io: Option<DuplexStream>,
    uris: Vec<String>,
}

impl Service<http::Uri> for Pipe {
    type Response = TokioIo<DuplexStream>;
    type Error = std::io::Error;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.io.is_some() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        self.uris.push(uri.to_string());
        ready(self.io.take().map(TokioIo::new).ok_or(ErrorKind::NotConnected.into()))
    }
}

#[tokio::test(start_paused = true)]
async fn it_gets_the_url_of_http_and_the_time_to_connect() {
    for (url, uri) in [
        ("ws://user:password@chat.example/a?b", "http://chat.example/a?b"),
        ("wss://chat.example:444/", "https://chat.example:444/"),
        ("ws://[::1]:81/", "http://[::1]:81/"),
    ] {
        let (io, server) = duplex(1 << 10);
        let server = tokio::spawn(async move {
            let incoming = sansock_tokio::Incoming::read(server, &Config::new()).await.unwrap();
            incoming.accept().await.unwrap().close(CloseCode::NORMAL, "").await.unwrap();
        });
        let mut pipe = Pipe { io: Some(io), uris: Vec::new() };
        let client = Client::new(url).unwrap().connect_timeout(Duration::from_secs(3));
        let (mut socket, _) = client.connect_with(&mut pipe).await.unwrap();
        assert_eq!(socket.next_message().await.unwrap(), None);
        server.await.unwrap();
        // It is never ready again.
        let start = tokio::time::Instant::now();
        let error = client.connect_with(&mut pipe).await.unwrap_err();
        assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::TimedOut));
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        assert_eq!(pipe.uris, [uri]);
    }
    let mut pipe = Pipe { io: None, uris: Vec::new() };
    let zone = Client::new("ws://[fe80::1%25eth0]/").unwrap();
    let error = zone.connect_with(&mut pipe).await.unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::InvalidInput));
}
