//! A handler that panics.

use std::io::Write as _;

use testkit::frame::{FIN, TEXT};

use crate::common::Fallible;
use crate::peer::{End, Tally, frame, open, request, tcp};
use crate::server::Server;

pub(crate) const PANICS: usize = 200;

/// Handlers panic before they have answered the request, and after.
pub(crate) fn panics(server: &mut Server) -> Fallible<String> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for _ in 0..PANICS / 2 {
        let mut peer = tcp(server.address)?;
        peer.write_all(request("/panic/before").as_bytes())?;
        before.push(peer);
        let mut peer = open(server.address, "/panic/after")?;
        peer.write_all(&frame(FIN | TEXT, b"now"))?;
        after.push(peer);
    }
    let (before, after) = (Tally::of(&mut before)?, Tally::of(&mut after)?);
    before.all(End::Status(500))?;
    after.all(End::Close(1011))?;
    Ok(format!("{before}, {after}"))
}
