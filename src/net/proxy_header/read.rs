//! Reads the header, within the deadline of the handshake.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::Deadline;
use crate::handshake::Incomplete;
use crate::net::Error;
use crate::net::blocking::{is_would_block, time_until};
use crate::proxy_protocol::{ProxyHeader, ProxyProtocol};

/// What the peer said about its client, if it is a proxy that is trusted.
#[derive(Debug, Default)]
pub(crate) struct Proxied(pub(super) Option<ProxyHeader>);

impl Proxied {
    /// The address of the client.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.0.as_ref()?.source()
    }
}

/// Reads the header of a peer that is to send one, and not a byte more.
pub(crate) fn read(
    settings: Option<&ProxyProtocol>,
    tcp: &TcpStream,
    peer: SocketAddr,
    deadline: &Deadline,
) -> Result<Proxied, Error> {
    let Some(settings) = settings.filter(|it| it.trusts(peer.ip())) else {
        return Ok(Proxied::default());
    };
    if settings.is_optional() {
        let mut first = [0];
        in_time(tcp, deadline, || tcp.peek(&mut first))?;
        // A request for WebSocket begins with GET, and TLS with 0x16.
        if !matches!(first, [b'P' | b'\r']) {
            return Ok(Proxied::default());
        }
    }
    let mut reader = settings.reader();
    let mut bytes = [0; 256];
    loop {
        let most = reader.wants().clamp(1, bytes.len());
        let (space, _) = bytes.split_at_mut(most);
        let n = in_time(tcp, deadline, || (&*tcp).read(space))?;
        let (arrived, _) = bytes.split_at(n.min(most));
        if let Some(header) = reader.read(arrived).map_err(io::Error::from)? {
            return Ok(Proxied(Some(header)));
        }
    }
}

/// Reads once, and waits for it until the deadline at most.
fn in_time(
    tcp: &TcpStream,
    deadline: &Deadline,
    mut read: impl FnMut() -> io::Result<usize>,
) -> Result<usize, Error> {
    loop {
        if deadline.handle_timeout(Instant::now()).is_err() {
            return Err(Incomplete::TimedOut.into());
        }
        tcp.set_read_timeout(deadline.poll_timeout().map(time_until))?;
        match read() {
            Ok(0) => return Err(Incomplete::UnexpectedEof.into()),
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted || is_would_block(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
