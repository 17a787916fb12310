//! Opening handshakes that are never completed.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Fallible, ensure, ms};
use crate::peer::{End, Tally, request, tcp};
use crate::serve::HANDSHAKE;
use crate::server::Server;

pub(crate) const SLOW: usize = 200;
pub(crate) const VANISHING: usize = 1000;
pub(crate) const HALF_OPEN: usize = 2000;

/// Clients that send one byte of their request every 50 ms.
pub(crate) fn slow_handshakes(server: &mut Server) -> Fallible<String> {
    let mut peers = (0..SLOW).map(|_| tcp(server.address)).collect::<Fallible<Vec<_>>>()?;
    let start = Instant::now();
    for byte in request("/").bytes().take(200) {
        // After its timeout the server ends all of them; the remaining bytes are lost.
        if start.elapsed() > HANDSHAKE {
            break;
        }
        for peer in &mut peers {
            // An error is caused by the server; the ends are checked below.
            let _ = peer.write_all(&[byte]);
        }
        thread::sleep(ms(50));
    }
    let tally = Tally::of(&mut peers)?;
    tally.all(End::Status(408))?;
    let time = start.elapsed();
    ensure(time < HANDSHAKE + Duration::from_secs(2), || format!("over only after {time:?}"))?;
    Ok(format!("{tally}, after {:.1} s", time.as_secs_f64()))
}

/// Clients that connect and send half a request, and stay.
pub(crate) fn half_open(server: &mut Server) -> Fallible<String> {
    let request = request("/");
    let (half, _) = request.split_at(request.len() / 2);
    let mut peers = Vec::new();
    for _ in 0..HALF_OPEN {
        let mut peer = tcp(server.address)?;
        peer.write_all(half.as_bytes())?;
        peers.push(peer);
    }
    let start = Instant::now();
    let tally = Tally::of(&mut peers)?;
    tally.all(End::Status(408))?;
    let time = start.elapsed();
    ensure(time < HANDSHAKE + Duration::from_secs(3), || format!("over only after {time:?}"))?;
    Ok(tally.to_string())
}

/// Clients that connect, send nothing, half a request or all of it, and disconnect.
pub(crate) fn vanish(server: &mut Server) -> Fallible<String> {
    let request = request("/");
    let (half, _) = request.split_at(request.len() / 2);
    for n in 0..VANISHING {
        let mut peer: TcpStream = tcp(server.address)?;
        let what = [b"", half.as_bytes(), request.as_bytes()][n % 3];
        peer.write_all(what)?;
    }
    Ok(format!("{VANISHING} came and went"))
}
