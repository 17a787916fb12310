//! Connections whose peer disappears without a Close frame, completely or half.

use std::io::Write as _;
use std::net::Shutdown;

use testkit::frame::{BINARY, FIN, PING};

use crate::common::{Fallible, ensure};
use crate::peer::{End, Tally, frame, header, open, rest};
use crate::server::Server;

pub(crate) const RESETS: usize = 200;
pub(crate) const HALF_OPEN: usize = 100;

/// A reset in the middle of a frame.
pub(crate) fn resets(server: &mut Server) -> Fallible<String> {
    for n in 0..RESETS {
        let mut peer = open(server.address, if n % 2 == 0 { "/" } else { "/split" })?;
        peer.write_all(&frame(PING, b"?"))?;
        // Closing a socket with unread bytes (here the Pong) sends a reset; no option is needed.
        peer.peek(&mut [0])?;
        peer.write_all(&header(FIN | BINARY, 1000))?;
        peer.write_all(&[0; 10])?;
    }
    Ok(format!("{RESETS} reset"))
}

/// Peers that stay connected but silent, as after a cut cable, and peers that have ended only their
/// own side.
pub(crate) fn half_open(server: &mut Server) -> Fallible<String> {
    let paths = ["/", "/split"].into_iter().cycle().take(HALF_OPEN / 2);
    let open = |path| open(server.address, path);
    let mut silent = paths.clone().map(open).collect::<Fallible<Vec<_>>>()?;
    let mut half = paths.map(open).collect::<Fallible<Vec<_>>>()?;
    for peer in &half {
        peer.shutdown(Shutdown::Write)?;
    }
    let mut tally = Tally::default();
    for peer in &mut silent {
        let rest = rest(peer)?;
        ensure(rest.pings == 1, || format!("{} Pings to a silent peer", rest.pings))?;
        tally.add(rest.end.unwrap_or(End::Eof));
    }
    tally.all(End::Close(1011))?;
    let ended = Tally::of(&mut half)?;
    ended.all(End::Eof)?;
    Ok(format!("one Ping and {tally}; {ended}"))
}
