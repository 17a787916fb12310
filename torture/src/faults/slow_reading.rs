//! Peers that read slowly, or next to nothing, of a large message.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use sansock::handshake::Answer;
use sansock::net::tls::Connector;
use sansock::net::{self, Client};
use sansock::{Config, Role};
use testkit::frame::PING;
use testkit::wire;

use crate::common::{Failure, Fallible, ensure, join, ms};
use crate::peer::{End, Tally, frame, is_reset, open};
use crate::serve::{CLOSING, LARGE, WRITE};
use crate::server::Server;

pub(crate) const DRIPPING: usize = 16;
pub(crate) const SLOW: usize = 4;
pub(crate) const FULL: usize = 20;

/// The paths at which the handler sends a large message, in one thread and on a split connection.
const PATHS: [&str; 2] = ["/large", "/split/large"];
/// The header of the message: it is longer than 64 KiB.
const HEADER: usize = 10;

fn asking(server: &Server, peers: usize) -> Fallible<Vec<TcpStream>> {
    (0..peers).map(|n| open(server.address, PATHS[n % 2])).collect()
}

/// Peers that ask for a large message and read one byte every 5 ms.
pub(crate) fn drip(server: &mut Server) -> Fallible<String> {
    let ping = frame(PING, b"");
    all_dripped(asking(server, DRIPPING)?, |mut peer| {
        let mut stream = peer.try_clone()?;
        dripped(&mut stream, || peer.write_all(&ping))
    })
}

/// The same over TLS: one byte of a record, none of which the peer decrypts.
pub(crate) fn drip_tls(server: &mut Server) -> Fallible<String> {
    let address = server.tls.ok_or("the server has no TLS")?;
    let connector = Connector::builder().dangerous_accept_any_certificate().build()?;
    let peers = (0..DRIPPING).map(|n| {
        let url = format!("wss://localhost:{}{}", address.port(), PATHS[n % 2]);
        Ok(Client::new(&url)?.tls(connector.clone()).connect()?)
    });
    all_dripped(peers.collect::<Fallible<Vec<_>>>()?, |mut peer| {
        let mut stream = peer.get_ref().get_ref().try_clone()?;
        stream.set_read_timeout(Some(ms(1000)))?;
        dripped(&mut stream, || match peer.ping(b"") {
            Err(net::Error::Io(error)) => Err(error),
            result => result.map_err(io::Error::other),
        })
    })
}

/// A server that reads next to nothing, for clients of the crate.
pub(crate) fn drip_web(server: &mut Server) -> Fallible<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let path = format!("/web/{}", listener.local_addr()?.port());
    let handlers = (0..SLOW).map(|_| open(server.address, &path)).collect::<Fallible<Vec<_>>>()?;
    let config = Config::new();
    let peers = (0..SLOW).map(|_| {
        let accepted = net::accept(listener.accept()?.0, &config, |_| Ok(Answer::new()))?;
        Ok(accepted.ok_or("no handshake")?)
    });
    let saw = all_dripped(peers.collect::<Fallible<Vec<_>>>()?, |peer| {
        let mut stream = peer.get_ref().try_clone()?;
        let mut writer = stream.try_clone()?;
        let ping = wire::frame(Role::Client, PING, b"");
        dripped(&mut stream, || writer.write_all(&ping))
    });
    drop(handlers);
    saw
}

/// Runs `drip` for each peer; it returns the time until the other end has ended the connection.
fn all_dripped<P: Send>(
    peers: Vec<P>,
    drip: impl Fn(P) -> Fallible<Duration> + Sync,
) -> Fallible<String> {
    let (mut tally, mut slowest) = (Tally::default(), Duration::ZERO);
    thread::scope(|scope| {
        let peers: Vec<_> = peers.into_iter().map(|peer| scope.spawn(|| drip(peer))).collect();
        for peer in peers {
            slowest = slowest.max(join(peer)?);
            tally.add(End::Reset);
        }
        Ok::<(), Failure>(())
    })?;
    // The network's buffers fill up, and the other end notices within a second write timeout.
    let most = 2 * WRITE + ms(3000);
    ensure(slowest < most, || format!("{slowest:?} instead of {most:?}"))?;
    Ok(format!("{tally}, at most {:.1} s after the first byte", slowest.as_secs_f64()))
}

/// The time until the other end has ended the connection: then a Ping to it fails.
fn dripped(stream: &mut TcpStream, mut ping: impl FnMut() -> io::Result<()>) -> Fallible<Duration> {
    let start = Instant::now();
    let mut byte = [0];
    while start.elapsed() < Duration::from_secs(20) {
        let read = stream.read(&mut byte);
        // What the network has taken can be read for long, but nothing more can be sent.
        match read.and_then(|_| ping()) {
            Ok(()) => thread::sleep(ms(5)),
            Err(error) if is_reset(&error) => return Ok(start.elapsed()),
            Err(error) => return Err(error.into()),
        }
    }
    Err("a peer that reads one byte at a time keeps its connection".into())
}

/// Peers on a slow link, which take a large message in for longer than keepalive allows a peer to
/// be silent, and send nothing.
pub(crate) fn slow_link(server: &mut Server) -> Fallible<String> {
    let peers = asking(server, SLOW)?;
    let mut slowest = Duration::ZERO;
    thread::scope(|scope| {
        let peers: Vec<_> = peers.into_iter().map(|peer| scope.spawn(|| taken(peer))).collect();
        for peer in peers {
            slowest = slowest.max(join(peer)?);
        }
        Ok::<(), Failure>(())
    })?;
    let size = LARGE >> 20;
    Ok(format!("{size} MiB whole × {SLOW}, in at most {:.1} s", slowest.as_secs_f64()))
}

fn taken(mut peer: TcpStream) -> Fallible<Duration> {
    let start = Instant::now();
    let mut piece = vec![0; 256 << 10];
    let mut left = HEADER + LARGE;
    while left > 0 {
        let n = left.min(piece.len());
        peer.read_exact(&mut piece[..n])?;
        left -= n;
        thread::sleep(ms(30));
    }
    Ok(start.elapsed())
}

/// The server shuts down while its send buffers are full: peers have asked for a large message and
/// do not read.
pub(crate) fn shutdown(mut server: Server) -> Fallible<String> {
    let peers = asking(&server, FULL)?;
    thread::sleep(ms(300));
    let start = Instant::now();
    server.tell_to_stop()?;
    server.ended()?;
    let took = start.elapsed();
    let most = CLOSING + WRITE + ms(3000);
    ensure(took < most, || format!("the shutdown took {took:?} instead of {most:?}"))?;
    drop(peers);
    Ok(format!(
        "the server ended {:.1} s after it was told, with {FULL} full send buffers",
        took.as_secs_f64()
    ))
}
