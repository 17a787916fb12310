//! Our client over hyper.

use std::future::Future;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansock_tokio::deflate::DeflateConfig;
use sansock_tokio::handshake::{Carrier, Offer};
use sansock_tokio::hyper::{ClientHandshake, Upgraded};
use sansock_tokio::{CloseCode, Config, Error, Event, Message, WebSocket};
use tokio::net::TcpStream;

use crate::program::TIMEOUT;

/// One connection of HTTP.
pub(crate) enum Client {
    One(http1::SendRequest<String>),
    Two(http2::SendRequest<String>),
}

impl Client {
    pub(crate) async fn new(address: &str, carrier: Carrier) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let io = TokioIo::new(tcp);
        match carrier {
            Carrier::Upgrade => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection.with_upgrades());
                Self::One(sender)
            }
            Carrier::ExtendedConnect => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                // Room for all that is on its way: see node_peer.js.
                builder
                    .initial_stream_window_size(2 << 20)
                    .initial_connection_window_size(128 << 20);
                let made = sansock_tokio::hyper::http2(builder, io, &Config::new()).await;
                let (sender, connection) = made.unwrap();
                tokio::spawn(connection);
                Self::Two(sender)
            }
        }
    }

    pub(crate) async fn open(&mut self, offer: &Offer) -> Result<WebSocket<Upgraded>, Error> {
        let carrier = match self {
            Self::One(_) => Carrier::Upgrade,
            Self::Two(_) => Carrier::ExtendedConnect,
        };
        let (handshake, request) = ClientHandshake::start(offer, carrier).unwrap();
        let request = request.map(|()| String::new());
        let response = match self {
            Self::One(sender) => soon(sender.send_request(request)).await,
            Self::Two(sender) => soon(sender.send_request(request)).await,
        };
        handshake.finish(response.unwrap(), &Config::new()).await
    }
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIMEOUT, future).await.expect("it takes too long")
}

pub(crate) fn offer(address: &str) -> Offer {
    let offer = Offer::new(format!("ws://{address}/chat?room=1").parse().unwrap());
    offer.subprotocol("other").subprotocol("chat").deflate(DeflateConfig::client())
}

/// Messages of all kinds and a Ping come back, and the connection ends clean.
pub(crate) async fn converse(socket: &mut WebSocket<Upgraded>) {
    for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let text = "\u{e9}".repeat(length / 2);
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        for message in [Message::from(text), Message::from(bytes)] {
            soon(socket.send(&message)).await.unwrap();
            assert_eq!(soon(socket.next_message()).await.unwrap(), Some(message));
        }
    }
    soon(socket.ping(b"beat")).await.unwrap();
    let pong = soon(socket.recv()).await.unwrap();
    assert!(matches!(pong, Some(Event::Pong(b"beat"))), "{pong:?}");
    let outcome = soon(socket.close(CloseCode::NORMAL, "bye")).await.unwrap();
    assert!(outcome.was_clean() && outcome.code() == 1000, "{outcome:?}");
}
