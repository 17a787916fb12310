//! PROXY headers of the proxies in front of a server (feature `proxy-protocol`).

use std::io;
use std::net::SocketAddr;

use sansock::Deadline;
use sansock::handshake::Incomplete;
use sansock::proxy_protocol::ProxyHeader;
pub(crate) use sansock::proxy_protocol::ProxyProtocol;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;

use crate::opening::in_time;
use crate::{Error, Incoming, Server};

/// What the peer said about its client, if it is a proxy that is trusted.
#[derive(Default)]
pub(crate) struct Proxied(Option<ProxyHeader>);

impl Proxied {
    /// The address of the client.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.0.as_ref()?.source()
    }
}

impl Server {
    /// Reads the PROXY header of the peers that these settings trust, before TLS and within
    /// [`Timeouts::handshake`](sansock::Timeouts::handshake). A header that is wrong or missing ends
    /// the connection with an [`Error::Io`] of a
    /// [`ProxyProtocolError`](sansock::proxy_protocol::ProxyProtocolError). Other peers are served
    /// without a header; one of theirs is refused as no valid request.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sansock_tokio::Server;
    /// use sansock_tokio::proxy_protocol::ProxyProtocol;
    ///
    /// Server::bind("0.0.0.0:9001")
    ///     .await?
    ///     .proxy_protocol(ProxyProtocol::from_networks(["10.0.0.0/8"])?)
    ///     .run(|incoming| async move {
    ///         println!("{:?} through {:?}", incoming.client_addr(), incoming.peer_addr());
    ///         let mut socket = incoming.accept().await?;
    ///         while socket.next_message().await?.is_some() {}
    ///         Ok(())
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn proxy_protocol(mut self, settings: ProxyProtocol) -> Self {
        self.options_mut().proxy = Some(settings);
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Returns the PROXY header that the peer has sent; `None` if it has sent none.
    #[must_use]
    pub fn proxy_header(&self) -> Option<&ProxyHeader> {
        self.proxied().0.as_ref()
    }
}

/// Reads the header of a peer that is to send one, and not a byte more.
pub(crate) async fn read(
    settings: Option<&ProxyProtocol>,
    tcp: &mut TcpStream,
    peer: SocketAddr,
    deadline: &Deadline,
) -> Result<Proxied, Error> {
    match settings.filter(|it| it.trusts(peer.ip())) {
        None => Ok(Proxied::default()),
        Some(settings) => match in_time(deadline, read_of_proxy(settings, tcp)).await {
            Some(read) => read.map(Proxied),
            None => Err(Incomplete::TimedOut.into()),
        },
    }
}

async fn read_of_proxy(
    settings: &ProxyProtocol,
    tcp: &mut TcpStream,
) -> Result<Option<ProxyHeader>, Error> {
    if settings.is_optional() {
        let mut first = [0];
        let n = tcp.peek(&mut first).await?;
        // A request for WebSocket begins with GET, and TLS with 0x16.
        if n > 0 && !matches!(first, [b'P' | b'\r']) {
            return Ok(None);
        }
    }
    let mut reader = settings.reader();
    let mut bytes = [0; 256];
    loop {
        let most = reader.wants().clamp(1, bytes.len());
        let n = tcp.read(&mut bytes[..most]).await?;
        if n == 0 {
            return Err(Incomplete::UnexpectedEof.into());
        }
        if let Some(header) = reader.read(&bytes[..n]).map_err(io::Error::from)? {
            return Ok(Some(header));
        }
    }
}
