//! Where the server listens: at a socket of systemd, or at an address.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use listenfd::ListenFd;
use socket2::{Domain, Socket, Type};

use crate::options::Options;

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 1024;

pub(crate) fn open(options: &Options) -> Result<TcpListener, Box<dyn Error>> {
    let mut passed = ListenFd::from_env();
    match passed.len() {
        0 => {}
        // Of systemd: clients that came while no program was running wait in it already.
        1 => return passed.take_tcp_listener(0)?.ok_or_else(|| "LISTEN_FDS: no socket".into()),
        n => return Err(format!("LISTEN_FDS: {n} sockets, and this program serves one").into()),
    }
    let address = &options.address;
    let opened = address.to_socket_addrs()?.next().ok_or_else(|| io::ErrorKind::NotFound.into());
    opened
        .and_then(|address| bind(address, options.reuse_port))
        .map_err(|error| format!("cannot listen on {address}: {error}").into())
}

/// With `SO_REUSEPORT` the system shares the clients among the programs that listen there: a new
/// version can start before the old one drains.
fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(cfg!(unix))?;
    if reuse_port {
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        #[cfg(not(unix))]
        return Err(io::ErrorKind::Unsupported.into());
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
