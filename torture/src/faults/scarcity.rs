//! An operating system that has run out of resources.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::common::{Fallible, ensure, ms};
use crate::good::Good;
use crate::peer::{Tally, tcp};
use crate::server::Server;

/// `ulimit`: 64 descriptors, of which about 60 are for connections.
pub(crate) const FEW_DESCRIPTORS: &str = "-n 64";
/// `ulimit`: 16 GiB of address space (in KiB), which 1 GiB for each thread's stack uses up.
/// A limit on processes would not bind the superuser.
pub(crate) const LITTLE_SPACE: &str = "-v 16777216";
/// `--stack`, in bytes.
pub(crate) const LARGE_STACK: &str = "1073741824";
/// Fewer than descriptors and the listener's backlog together.
const CLIENTS: usize = 150;
/// How long the shortage lasts.
const TIME: Duration = ms(2000);

/// More connections than there are descriptors.
pub(crate) fn descriptors(server: &mut Server) -> Fallible<String> {
    let peers = (0..CLIENTS).map(|_| tcp(server.address)).collect::<Fallible<Vec<_>>>()?;
    thread::sleep(ms(300));
    let held = server.gauge.read()?.descriptors;
    ensure(held >= 60, || format!("only {held} descriptors: nothing is exhausted"))?;
    let load = load(server)?;
    drop(peers);
    let waited = newcomer(server)?;
    Ok(format!(
        "{CLIENTS} came, {held} descriptors were taken, the others waited at {load:.1} % CPU; the next \
         one was served {waited} ms after they had left"
    ))
}

/// More connections than there can be threads.
pub(crate) fn threads(server: &mut Server) -> Fallible<String> {
    let mut peers = Vec::new();
    for _ in 0..CLIENTS / 3 {
        peers.push(tcp(server.address)?);
    }
    thread::sleep(ms(300));
    let held = server.gauge.read()?.threads;
    let load = load(server)?;
    let turned_away = Tally::of(&mut gone(&mut peers)?)?;
    ensure(turned_away.total() > 0, || format!("no client was turned away: {held} threads"))?;
    ensure(!peers.is_empty(), || "no client got a thread".into())?;
    drop(peers);
    let waited = newcomer(server)?;
    Ok(format!(
        "{turned_away}; the others got {held} threads, {load:.1} % CPU; the next one was served \
         {waited} ms after they had left"
    ))
}

/// The processor time of the server during the shortage, in percent: it must not spin.
fn load(server: &Server) -> Fallible<f64> {
    let before = server.gauge.cpu()?;
    thread::sleep(TIME);
    let used = server.gauge.cpu()?.saturating_sub(before);
    let load = 100.0 * used.as_secs_f64() / TIME.as_secs_f64();
    ensure(load < 20.0, || format!("{load:.1} % CPU: a busy loop"))?;
    Ok(load)
}

/// Removes the peers that the server has ended.
fn gone(peers: &mut Vec<TcpStream>) -> Fallible<Vec<TcpStream>> {
    let (mut gone, mut here) = (Vec::new(), Vec::new());
    for peer in peers.drain(..) {
        peer.set_nonblocking(true)?;
        let waits =
            peer.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        peer.set_nonblocking(false)?;
        if waits { here.push(peer) } else { gone.push(peer) }
    }
    *peers = here;
    Ok(gone)
}

/// How long a new client waits until it is served, in milliseconds.
fn newcomer(server: &Server) -> Fallible<u128> {
    let start = std::time::Instant::now();
    loop {
        match Good::connect(server.address).and_then(|mut good| good.exchange()) {
            Ok(_) => return Ok(start.elapsed().as_millis()),
            Err(error) if start.elapsed() > Duration::from_secs(5) => return Err(error),
            // The threads and descriptors of ended connections need a moment to become free.
            Err(_) => thread::sleep(ms(5)),
        }
    }
}
