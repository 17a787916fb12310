//! A chat: the page and its WebSocket are served from one port.
//!
//! ```sh
//! cargo run --release --example chat
//! cargo run --release --example chat -- 0.0.0.0:9002 --host chat.example.com
//! cargo run --release --features rustls --example chat -- --cert cert.pem --key key.pem
//! ```
//!
//! The protocol is that of MDN's chat example (`protocol.rs`), so other pages can be clients too.

use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;

use sansock::handshake::{Answer, HandshakeError, OriginPolicy, Rejection, RequestError};
use sansock::net::{self, Incoming, ServerError};

use crate::options::{HELP, Options};
use crate::place::Place;
use crate::rooms::Rooms;

#[path = "../command_line/address.rs"]
mod address;
mod bucket;
#[path = "../command_line/mod.rs"]
mod command_line;
mod crowd;
mod link;
#[path = "../command_line/listen.rs"]
mod listen;
mod log;
mod metrics;
mod names;
mod options;
mod page;
mod place;
mod protocol;
mod room;
mod rooms;
mod seen;
#[path = "../command_line/values.rs"]
mod values;
mod visitor;

/// The name of the subprotocol, for clients that offer it.
const SUBPROTOCOL: &str = "chat";
/// The stack of a visitor's thread, in bytes. The standard library's 2 MiB are too much for a
/// thousand threads.
const STACK: usize = 512 << 10;

fn main() -> ExitCode {
    command_line::main(HELP, Options::parse, run)
}

/// Says which option lets clients in that name a host which the server does not know.
fn report(error: &ServerError, peer: Option<SocketAddr>) {
    let host_denied = HandshakeError::Request(RequestError::HostDenied);
    if let (ServerError::Opening(net::Error::Handshake(error)), Some(peer)) = (error, peer)
        && *error == host_denied
    {
        eprintln!(
            "{peer}: refused with 421: if the name in its Host header is ours, add --host NAME"
        );
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let (server, s) = options.listen.bind("127.0.0.1:9002")?;
    // `serve` decides which pages may connect.
    let server = server.config(options.config()).stack_size(STACK).hosts(options.hosts()?);
    let server = server.origins(OriginPolicy::Any).on_error(report);
    let handle = server.handle();
    listen::end_with_signals(&server, options.drain)?;
    let rooms = Rooms::start(options.rooms, options.redis)?;
    println!("the chat is at http{s}://{}/", server.local_addr());
    let others = OriginPolicy::List(options.origins);
    let of_visitors = Arc::clone(&rooms);
    server.run(move |incoming| {
        let peer = incoming.peer_addr();
        if let Some(answer) = metrics::answer_plain(incoming.request(), &handle, &of_visitors) {
            return Ok(incoming.reject(&answer)?);
        }
        serve(incoming, &others, &of_visitors, options.rate)
            .inspect_err(|error| eprintln!("{peer}: {error}"))?;
        Ok(())
    })?;
    rooms.finish();
    Ok(())
}

fn serve(
    incoming: &Incoming,
    others: &OriginPolicy,
    rooms: &Rooms,
    rate: NonZeroU32,
) -> Result<(), net::Error> {
    let request = incoming.request();
    if !request.is_websocket() {
        let page = page::answer(request.path());
        return incoming.reject(&page);
    }
    // A browser lets any page connect to any server, so the server must decide which pages may.
    if let Err(error) = OriginPolicy::SameHost.check(&request).or_else(|_| others.check(&request)) {
        incoming
            .reject(&Rejection::new(403).body("The page is of another site: see --origin.\n"))?;
        return Err(error.into());
    }
    let place = Place::parse(request.path(), request.query());
    let (entrance, place) = match place.and_then(|place| Ok((rooms.open(&place.room)?, place))) {
        Ok(both) => both,
        Err(refused) => return incoming.reject(&refused.into()),
    };
    let mut answer = Answer::new();
    if request.subprotocols().any(|name| name == SUBPROTOCOL) {
        answer = answer.subprotocol(SUBPROTOCOL);
    }
    visitor::attend(incoming.accept_with(&answer)?, entrance, place, rate)
}
