//! Peers that read slowly, or next to nothing, of a large message.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use testkit::frame::PING;

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
    let peers = asking(server, DRIPPING)?;
    let (mut tally, mut slowest) = (Tally::default(), Duration::ZERO);
    thread::scope(|scope| {
        let peers: Vec<_> = peers.into_iter().map(|peer| scope.spawn(|| dripped(peer))).collect();
        for peer in peers {
            slowest = slowest.max(join(peer)?);
            tally.add(End::Reset);
        }
        Ok::<(), Failure>(())
    })?;
    // The network's buffers fill up, and the server notices within a second write timeout.
    let most = 2 * WRITE + ms(3000);
    ensure(slowest < most, || format!("{slowest:?} instead of {most:?}"))?;
    Ok(format!("{tally}, at most {:.1} s after the first byte", slowest.as_secs_f64()))
}

/// The time until the server ended the connection: then a Ping to it fails.
fn dripped(mut peer: TcpStream) -> Fallible<Duration> {
    let start = Instant::now();
    let mut byte = [0];
    while start.elapsed() < Duration::from_secs(20) {
        let read = peer.read(&mut byte);
        // What the network has taken can be read for long, but nothing more can be sent.
        match read.and_then(|_| peer.write_all(&frame(PING, b""))) {
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
