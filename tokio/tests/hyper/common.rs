//! A server and a client of hyper's at the two ends of a pipe.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansock_tokio::handshake::{Answer, Carrier, Offer};
use sansock_tokio::hyper::{ClientHandshake, Upgraded};
use sansock_tokio::{Config, Error, Message, WebSocket};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) type Socket = WebSocket<Upgraded>;
pub(crate) type Body = Full<Bytes>;

pub(crate) const CARRIERS: [Carrier; 2] = [Carrier::Upgrade, Carrier::ExtendedConnect];

/// A generous bound for what takes no time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Fails if it takes long.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap()
}

/// Serves one connection. The future ends with it.
pub(crate) fn serve<S, F>(
    io: DuplexStream,
    carrier: Carrier,
    service: S,
) -> JoinHandle<hyper::Result<()>>
where
    S: Fn(http::Request<Incoming>) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = http::Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let response = service(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let io = TokioIo::new(io);
    tokio::spawn(async move {
        match carrier {
            Carrier::Upgrade => {
                let server = hyper::server::conn::http1::Builder::new();
                server.serve_connection(io, service).with_upgrades().await
            }
            Carrier::ExtendedConnect => {
                let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                server.enable_connect_protocol().serve_connection(io, service).await
            }
        }
    })
}

/// hyper's client, of either version.
pub(crate) enum Client {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

impl Client {
    /// Over a connection that a task drives. Returns that too.
    pub(crate) async fn new(
        io: DuplexStream,
        carrier: Carrier,
    ) -> (Self, JoinHandle<hyper::Result<()>>) {
        let io = TokioIo::new(io);
        match carrier {
            Carrier::Upgrade => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                (Self::One(sender), tokio::spawn(connection.with_upgrades()))
            }
            Carrier::ExtendedConnect => {
                let builder = http2::Builder::new(TokioExecutor::new());
                let made = sansock_tokio::hyper::http2(builder, io, &Config::new()).await;
                let (sender, connection) = made.unwrap();
                (Self::Two(sender), tokio::spawn(connection))
            }
        }
    }

    pub(crate) async fn send(
        &mut self,
        request: http::Request<()>,
    ) -> hyper::Result<http::Response<Incoming>> {
        let request = request.map(|()| Body::default());
        match self {
            Self::One(sender) => sender.send_request(request).await,
            Self::Two(sender) => sender.send_request(request).await,
        }
    }

    pub(crate) async fn open(
        &mut self,
        offer: &Offer,
        carrier: Carrier,
        config: &Config,
    ) -> Result<Socket, Error> {
        let (handshake, request) = ClientHandshake::start(offer, carrier).unwrap();
        let response = self.send(request).await.unwrap();
        handshake.finish(response, config).await
    }
}

pub(crate) fn offer() -> Offer {
    Offer::new("ws://example.com/chat?room=1".parse().unwrap())
}

/// The connections of a service, as they are accepted.
pub(crate) type Accepted = mpsc::UnboundedReceiver<Result<Socket, Error>>;

/// A service that accepts with this answer and hands over each connection.
pub(crate) fn accepting(
    answer: Answer,
    config: Config,
) -> (impl Fn(http::Request<Incoming>) -> std::future::Ready<http::Response<Body>> + Clone, Accepted)
{
    let (accepted, sockets) = mpsc::unbounded_channel();
    let service = move |mut request: http::Request<Incoming>| {
        let accepted = accepted.clone();
        std::future::ready(match sansock_tokio::hyper::upgrade(&mut request, &answer, &config) {
            Ok((response, upgrade)) => {
                tokio::spawn(async move { accepted.send(upgrade.await) });
                response.map(|()| Body::default())
            }
            Err(refusal) => refusal.map(Body::from),
        })
    };
    (service, sockets)
}

/// A connection with both ends, and what drives it.
pub(crate) struct Pair {
    pub(crate) client: Socket,
    pub(crate) server: Socket,
    /// hyper's client keeps the connection as long as this lives.
    pub(crate) http: Client,
    pub(crate) serving: JoinHandle<hyper::Result<()>>,
    pub(crate) driving: JoinHandle<hyper::Result<()>>,
}

impl Pair {
    pub(crate) async fn new(carrier: Carrier) -> Self {
        Self::with(carrier, &offer(), Answer::new(), &Config::new()).await
    }

    pub(crate) async fn with(
        carrier: Carrier,
        offer: &Offer,
        answer: Answer,
        config: &Config,
    ) -> Self {
        let (a, b) = duplex(64 << 10);
        let (service, mut sockets) = accepting(answer, *config);
        let serving = serve(b, carrier, service);
        let (mut http, driving) = Client::new(a, carrier).await;
        let client = http.open(offer, carrier, config).await.unwrap();
        let server = soon(sockets.recv()).await.unwrap().unwrap();
        Self { client, server, http, serving, driving }
    }
}

/// Sends a message one way and checks that it arrives.
pub(crate) async fn pass(from: &mut Socket, to: &mut Socket, message: &str) {
    // At the same time: it may be larger than what the way holds.
    let (sent, received) =
        soon(async { tokio::join!(from.send(message), to.next_message()) }).await;
    sent.unwrap();
    assert_eq!(received.unwrap(), Some(Message::from(message.to_owned())));
}
