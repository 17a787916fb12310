//! Options of TCP sockets, set before they connect.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, io};

use socket2::{Domain, Protocol, Socket, Type};

use super::blocking::time_until;

/// What the program does with each socket before it connects.
#[derive(Clone)]
pub(super) struct SocketOptions(pub(super) Arc<SetOptions>);

type SetOptions = dyn Fn(&Socket, SocketAddr) -> io::Result<()> + Send + Sync;

impl SocketOptions {
    pub(super) fn connect(
        &self,
        address: SocketAddr,
        until: Option<Instant>,
    ) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        (self.0)(&socket, address)?;
        match until {
            None => socket.connect(&address.into())?,
            Some(until) => socket.connect_timeout(&address.into(), time_until(until))?,
        }
        Ok(socket.into())
    }
}

impl fmt::Debug for SocketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketOptions")
    }
}
