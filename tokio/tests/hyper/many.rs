//! Many WebSocket connections on one connection of HTTP/2.

use hyper::client::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansock_tokio::handshake::{Answer, Carrier};
use sansock_tokio::hyper::{ClientHandshake, http2};
use sansock_tokio::{Config, Error, Event, Message};
use tokio::io::duplex;
use tokio::time::timeout;

use crate::common::{Body, SOON, Socket, accepting, offer, soon};

const SOCKETS: u32 = 1_000;
/// What one of them may hold unread.
const WINDOW: u32 = 64 << 10;

/// Opens so many, with connection windows of `window` at both ends. The server's ends come in the
/// order of the client's.
async fn open(sockets: u32, window: u32) -> Vec<(Socket, Socket)> {
    let (a, b) = duplex(256 << 10);
    let (service, mut accepted) = accepting(Answer::new(), Config::new());
    let service = service_fn(move |request| {
        let response = service(request);
        async move { Ok::<_, std::convert::Infallible>(response.await) }
    });
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    server
        .enable_connect_protocol()
        .max_concurrent_streams(sockets)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(window);
    tokio::spawn(server.serve_connection(TokioIo::new(b), service));

    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(WINDOW).initial_connection_window_size(window);
    let (mut http, connection) = http2(builder, TokioIo::new(a), &Config::new()).await.unwrap();
    tokio::spawn(connection);
    let mut pairs = Vec::new();
    for _ in 0..sockets {
        let (handshake, request) =
            ClientHandshake::start(&offer(), Carrier::ExtendedConnect).unwrap();
        let response = soon(http.send_request(request.map(|()| Body::default()))).await.unwrap();
        let client = handshake.finish(response, &Config::new()).await.unwrap();
        pairs.push((client, soon(accepted.recv()).await.unwrap().unwrap()));
    }
    pairs
}

async fn echo(mut socket: Socket) -> Result<(), Error> {
    while let Some((event, mut outgoing)) = socket.exchange().await? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

/// Sends as fast as it can, and never reads.
async fn flood(mut socket: Socket) -> Result<(), Error> {
    let message = vec![0; 16 << 10];
    loop {
        socket.send(&message).await?;
    }
}

async fn ask(mut socket: Socket, number: u32) {
    for round in 0..3 {
        let text = format!("{number} {round}");
        socket.send(&*text).await.unwrap();
        let answer = timeout(SOON * 3, socket.next_message()).await;
        assert_eq!(answer.unwrap().unwrap(), Some(Message::from(text)));
    }
}

/// One floods an echo and reads nothing; one floods a program that reads nothing.
#[tokio::test]
async fn each_of_1000_gets_its_echoes_while_others_flood() {
    let mut pairs = open(SOCKETS, SOCKETS * WINDOW).await;
    let (client, server) = pairs.pop().unwrap();
    tokio::spawn(flood(client));
    tokio::spawn(echo(server));
    let (client, _unread) = pairs.pop().unwrap();
    tokio::spawn(flood(client));
    let (_unread, server) = pairs.pop().unwrap();
    tokio::spawn(flood(server));
    // They have filled what they can.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let mut asking = Vec::new();
    for ((client, server), number) in pairs.into_iter().zip(0..) {
        tokio::spawn(echo(server));
        asking.push(tokio::spawn(ask(client, number)));
    }
    for asking in asking {
        asking.await.unwrap();
    }
}

/// What the documentation warns of: a connection whose window one stream may fill.
#[tokio::test]
async fn without_a_window_for_each_one_that_is_not_read_stops_the_others() {
    let mut pairs = open(2, WINDOW).await;
    let (client, _unread) = pairs.pop().unwrap();
    tokio::spawn(flood(client));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let (mut client, server) = pairs.pop().unwrap();
    tokio::spawn(echo(server));
    client.send("hello").await.unwrap();
    let answer = timeout(std::time::Duration::from_millis(300), client.next_message()).await;
    assert!(answer.is_err(), "{answer:?}");
}
