//! What several tests need.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansock::ReceiveBuffer;
use sansock_axum::{
    Config, Connections, Event, WebSocket, WebSocketUpgrade, WithGracefulShutdown, handshake,
};
use sansock_tokio::handshake::http::HttpClientHandshake;
use sansock_tokio::handshake::{Carrier, Offer};
use sansock_tokio::{Error, Outcome};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// A generous bound for what takes no time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A server of a router, before it runs.
pub(crate) type Graceful =
    WithGracefulShutdown<TcpListener, Router, Router, Pin<Box<dyn Future<Output = ()> + Send>>>;

/// A server that runs until it is shut down.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
    stop: oneshot::Sender<()>,
}

impl Running {
    pub(crate) async fn start(app: Router) -> Self {
        Self::start_with(app, |server| server).await
    }

    pub(crate) async fn start_with(app: Router, change: impl FnOnce(Graceful) -> Graceful) -> Self {
        Self::start_with_connections(app, &Connections::new(), change).await
    }

    pub(crate) async fn start_with_connections(
        app: Router,
        connections: &Connections,
        change: impl FnOnce(Graceful) -> Graceful,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let signal: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(async { drop(stopped.await) });
        let server = sansock_axum::serve(listener, app).connections(connections.clone());
        let server = server.with_graceful_shutdown(signal);
        let task = tokio::spawn(change(server).into_future());
        Self { address, task, stop }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Gives the signal for the shutdown.
    pub(crate) fn stop(self) -> JoinHandle<std::io::Result<()>> {
        self.stop.send(()).unwrap();
        self.task
    }

    /// Shuts the server down, and waits for its end.
    pub(crate) async fn end(self) {
        ended(self.stop()).await;
    }
}

/// Waits for the server's end.
pub(crate) async fn ended(task: JoinHandle<std::io::Result<()>>) {
    tokio::time::timeout(SOON, task).await.unwrap().unwrap().unwrap();
}

pub(crate) async fn echo(ws: WebSocketUpgrade) -> Response {
    ws.protocols(["one", "two"]).on_upgrade(echo_socket)
}

pub(crate) async fn echo_socket(mut socket: WebSocket) {
    while let Ok(Some((event, mut outgoing))) = socket.exchange().await {
        if let Event::Message(message) = event {
            outgoing.queue(message).unwrap();
        }
    }
}

/// Reads to the end, and returns the code with which the connection ended.
pub(crate) async fn code_of<S>(socket: &mut sansock_tokio::WebSocket<S>) -> u16
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let drain = async {
        while socket.recv().await?.is_some() {}
        Ok::<_, Error>(())
    };
    tokio::time::timeout(SOON, drain).await.unwrap().unwrap();
    socket.outcome().map(Outcome::code).unwrap()
}

/// Sends a text and expects it back.
pub(crate) async fn talk<S>(socket: &mut sansock_tokio::WebSocket<S>, text: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    socket.send(text).await.unwrap();
    let message = tokio::time::timeout(SOON, socket.next_message()).await.unwrap();
    assert_eq!(message.unwrap().unwrap().as_text(), Some(text));
}

/// A client's WebSocket on one stream of HTTP/2.
pub(crate) type OverHttp2 = sansock_tokio::WebSocket<TokioIo<hyper::upgrade::Upgraded>>;

/// A client of HTTP/2 with prior knowledge.
pub(crate) struct Http2 {
    sender: SendRequest<Body>,
    /// The task of the connection, which reads and writes as long as this is set.
    runs: watch::Sender<bool>,
    address: SocketAddr,
}

impl Http2 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let executor = TokioExecutor::new();
        let (sender, connection) =
            hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        let (runs, mut running) = watch::channel(true);
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let frozen = async { drop(running.wait_for(|it| !it).await) };
            tokio::select! {
                _ = &mut connection => {}
                // It stays open.
                () = frozen => std::future::pending().await,
            }
        });
        let mut client = Self { sender, runs, address };
        // The settings of the server have arrived with its first answer.
        client.get("/").await;
        client
    }

    /// Opens a WebSocket, and then neither reads nor writes any more.
    pub(crate) async fn freeze(mut self, path: &str) -> (Self, OverHttp2) {
        let socket = self.open(path, |offer| offer).await.unwrap();
        self.runs.send(false).unwrap();
        (self, socket)
    }

    pub(crate) async fn get(&mut self, path: &str) -> http::Response<hyper::body::Incoming> {
        let uri = format!("http://{}{path}", self.address);
        let request = http::Request::builder().uri(uri).body(Body::empty()).unwrap();
        self.send(request).await
    }

    pub(crate) async fn send(&mut self, request: Request) -> http::Response<hyper::body::Incoming> {
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request);
        tokio::time::timeout(SOON, response).await.unwrap().unwrap()
    }

    /// Opens a WebSocket by extended CONNECT.
    pub(crate) async fn open(
        &mut self,
        path: &str,
        change: impl FnOnce(Offer) -> Offer,
    ) -> Result<OverHttp2, handshake::HandshakeError> {
        let uri = format!("ws://{}{path}", self.address).parse().unwrap();
        let offer = change(Offer::new(uri));
        let (handshake, mut request) =
            HttpClientHandshake::start(&offer, [0; 16], Carrier::ExtendedConnect).unwrap();
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let mut response = self.send(request.map(|()| Body::empty())).await;
        let established = handshake.verify(&response)?;
        let io = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
        Ok(OverHttp2::from_established(io, established, &Config::new(), ReceiveBuffer::new()))
    }
}
