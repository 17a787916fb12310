//! Peers that do not read, and a handler that does not.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use testkit::frame::{BINARY, FIN, PING};

use crate::common::{Failure, Fallible, ensure, join};
use crate::peer::{End, Tally, frame, is_reset, open};
use crate::serve::DEAF;
use crate::server::Server;

pub(crate) const MUTE: usize = 16;
/// It takes some 100,000 Pongs to fill the network's buffers of each.
pub(crate) const PINGING: usize = 4;
pub(crate) const DEAF_PEERS: usize = 8;
/// How many messages of 64 KiB each peer sends to a handler that does not read.
const DEAF_MESSAGES: usize = 256;
/// How long a peer that does not read may stay connected: until the network's buffers are full, and
/// two write timeouts more.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Peers that send messages and never read the echoes.
pub(crate) fn never_read(server: &mut Server) -> Fallible<String> {
    let mut echoed = frame(FIN | BINARY, &[7; 16 << 10]);
    for _ in 0..6 {
        echoed.extend_from_within(..);
    }
    flood(server.address, &echoed, MUTE)
}

/// Peers that send Pings and never read the Pongs.
pub(crate) fn unread_pongs(server: &mut Server) -> Fallible<String> {
    let pings = frame(PING, &[7; 125]).repeat(8000);
    flood(server.address, &pings, PINGING)
}

/// Writes the same bytes repeatedly, and reads nothing, until the server ends the connection.
fn flood(address: SocketAddr, bytes: &[u8], peers: usize) -> Fallible<String> {
    let mut tally = Tally::default();
    let mut slowest = Duration::ZERO;
    thread::scope(|scope| {
        let peers: Vec<_> = (0..peers)
            .map(|n| {
                scope.spawn(move || {
                    let mut peer = open(address, ["/", "/split"][n % 2])?;
                    peer.set_write_timeout(Some(TIMEOUT))?;
                    write_until_refused(&mut peer, bytes)
                })
            })
            .collect();
        for peer in peers {
            slowest = slowest.max(join(peer)?);
            tally.add(End::Reset);
        }
        Ok::<(), Failure>(())
    })?;
    Ok(format!("{tally}, at most {:.1} s after the first byte", slowest.as_secs_f64()))
}

/// Returns the time until the server ended the connection.
fn write_until_refused(peer: &mut TcpStream, bytes: &[u8]) -> Fallible<Duration> {
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        match peer.write_all(bytes) {
            Ok(()) => {}
            Err(error) if is_reset(&error) => return Ok(start.elapsed()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    Err("a peer that does not read keeps its connection".into())
}

/// Peers that send at full speed to a handler that sleeps, and get every byte back when it wakes.
pub(crate) fn deaf_handler(server: &mut Server) -> Fallible<String> {
    let message = frame(FIN | BINARY, &vec![9; 64 << 10]);
    let (address, mut blocked) = (server.address, Duration::ZERO);
    thread::scope(|scope| {
        let peers: Vec<_> =
            (0..DEAF_PEERS).map(|_| scope.spawn(|| send_and_count(address, &message))).collect();
        for peer in peers {
            blocked = blocked.max(join(peer)?);
        }
        Ok::<(), Failure>(())
    })?;
    Ok(format!(
        "every byte of {DEAF_PEERS} × {} MiB back, {:.1} s after the first write",
        DEAF_MESSAGES * 64 / 1024,
        blocked.as_secs_f64()
    ))
}

fn send_and_count(address: SocketAddr, message: &[u8]) -> Fallible<Duration> {
    let start = Instant::now();
    let mut peer = open(address, "/deaf")?;
    let mut writer = peer.try_clone()?;
    thread::scope(|scope| {
        let sent = scope.spawn(move || {
            for _ in 0..DEAF_MESSAGES {
                writer.write_all(message)?;
            }
            Ok(start.elapsed())
        });
        // The echo's header has no mask: 10 bytes instead of 14.
        let mut echo = vec![0; DEAF_MESSAGES * (message.len() - 4)];
        peer.read_exact(&mut echo)?;
        let sent = join(sent)?;
        let intact = echo.chunks(message.len() - 4).all(|echo| echo[10..].iter().all(|&b| b == 9));
        ensure(intact, || "an echo differs from the sent message".into())?;
        ensure(sent >= DEAF, || {
            format!("the network took everything after {sent:?}, although the handler did not read")
        })
    })?;
    Ok(start.elapsed())
}
