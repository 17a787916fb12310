//! What several tests need.

use std::net::SocketAddr;
use std::time::Duration;

use sansock::{Config, Connection, ReceiveBuffer, SendBuffer};
use sansock_tokio::{Error, Event, HandlerResult, Incoming, Server, ServerHandle, WebSocket};
use testkit::masks::Keys;
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

/// A generous bound for what takes no time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A connected pair over a pipe: client and server.
pub(crate) fn pair(config: &Config) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    pair_over(config, 64 << 10)
}

/// The same over a pipe that holds so many bytes each way.
pub(crate) fn pair_over(
    config: &Config,
    pipe: usize,
) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(pipe);
    (over(a, Connection::client(config, Keys(1))), over(b, Connection::server(config)))
}

/// A server's connection, and the other end of its pipe.
pub(crate) fn server_over(config: &Config, pipe: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (a, b) = duplex(pipe);
    (over(a, Connection::server(config)), b)
}

fn over(io: DuplexStream, connection: Connection) -> WebSocket<DuplexStream> {
    WebSocket::new(io, connection, ReceiveBuffer::new(), SendBuffer::new())
}

/// A server that runs until it is shut down.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start<F, H>(change: impl FnOnce(Server) -> Server, handler: F) -> Self
    where
        F: Fn(Incoming) -> H + Send + Sync + 'static,
        H: Future<Output = HandlerResult> + Send + 'static,
    {
        let server = change(Server::bind("127.0.0.1:0").await.unwrap());
        let (address, handle) = (server.local_addr(), server.handle());
        let task = tokio::spawn(server.run(handler));
        Self { url: format!("ws://{address}/"), address, handle, task }
    }

    /// Shuts the server down, and waits for its end.
    pub(crate) async fn end(self) {
        self.handle.shutdown();
        tokio::time::timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
    }
}

pub(crate) async fn echo(incoming: Incoming) -> HandlerResult {
    let mut socket = incoming.accept().await?;
    while let Some((event, mut outgoing)) = socket.exchange().await? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

/// Receives to the end.
pub(crate) async fn drain<S>(socket: &mut WebSocket<S>) -> Result<(), Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while socket.recv().await?.is_some() {}
    Ok(())
}
