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
use std::thread;
use std::time::Duration;

use lexopt::Arg;
use sansock::handshake::{
    Answer, HandshakeError, Host, HostPolicy, InvalidHost, Origin, OriginPolicy, Rejection,
    RequestError,
};
use sansock::net::{self, Incoming, ServerError};
use sansock::{Config, Keepalive, Limits, Timeouts};

use crate::listen::Listen;
use crate::room::Room;
use crate::values::value;

#[path = "../command_line/address.rs"]
mod address;
mod bucket;
#[path = "../command_line/mod.rs"]
mod command_line;
#[path = "../command_line/listen.rs"]
mod listen;
mod names;
mod page;
mod protocol;
mod room;
#[path = "../command_line/values.rs"]
mod values;
mod visitor;

const HELP: &str = "\
A chat server with its page.

Usage: chat [ADDR] [OPTIONS]

ADDR is HOST:PORT, default 127.0.0.1:9002; with port 0 the system chooses a port.

Options:
  --origin ORIGIN        also accept pages of this site, such as https://example.com; may be
                         repeated. Pages of the server's own host are always accepted
  --host HOST            also answer to this name or address; may be repeated. Always answered to
                         are localhost, 127.0.0.1, [::1], and the HOST of ADDR
  --rate MESSAGES        how many messages per second a visitor may send, and four times as many
                         at once; default 5
  --buffer BYTES         how many bytes may wait for a slow visitor before the server closes the
                         connection; default 1048576 (1 MiB), at least 65536
  --keepalive SECONDS    send a Ping after this time of silence, and allow the same time for the
                         answer; default 20
  --cert PEM --key PEM   serve https: and wss: with the certificate chain in the first file and
                         its key in the second
  --help                 show this

Ctrl-C and SIGTERM close every connection with 1001; a second signal ends the program at once.
";

/// The name of the subprotocol, for clients that offer it.
const SUBPROTOCOL: &str = "chat";
/// The stack of a visitor's thread, in bytes. The standard library's 2 MiB are too much for a
/// thousand threads.
const STACK: usize = 512 << 10;
/// The largest message: a text of [`protocol::MAX_TEXT`] characters, even if all are escaped, and
/// some more, so that the sender of a longer text gets an error message.
const MAX_MESSAGE: u64 = 64 << 10;
/// The least number of bytes that may wait for a visitor: one largest message.
const LEAST_BUFFER: usize = 64 << 10;

fn main() -> ExitCode {
    command_line::main(HELP, Options::parse, run)
}

struct Options {
    listen: Listen,
    origins: Vec<Origin>,
    hosts: Vec<Host>,
    rate: NonZeroU32,
    buffer: usize,
    keepalive: Duration,
}

impl Options {
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self {
            listen: Listen::default(),
            origins: Vec::new(),
            hosts: Vec::new(),
            rate: NonZeroU32::MIN.saturating_add(4),
            buffer: 1 << 20,
            keepalive: Duration::from_secs(20),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("origin") => options.origins.push(value(&mut arguments, "origin")?),
                Arg::Long("host") => options.hosts.push(value(&mut arguments, "host")?),
                Arg::Long("rate") => options.rate = value(&mut arguments, "rate")?,
                Arg::Long("buffer") => options.buffer = value(&mut arguments, "buffer")?,
                Arg::Long("keepalive") => {
                    let seconds: NonZeroU32 = value(&mut arguments, "keepalive")?;
                    options.keepalive = Duration::from_secs(seconds.get().into());
                }
                Arg::Long("cert") => options.listen.cert = Some(arguments.value()?.into()),
                Arg::Long("key") => options.listen.key = Some(arguments.value()?.into()),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(address) if options.listen.address.is_none() => {
                    options.listen.at(address)?;
                    let address = options.listen.address.as_deref().unwrap_or_default();
                    options.hosts.push(host_of(address).map_err(|error| {
                        format!("pages could not name the HOST of {address}: {error}")
                    })?);
                }
                argument => return Err(argument.unexpected()),
            }
        }
        if options.buffer < LEAST_BUFFER {
            return Err(format!("--buffer: at least {LEAST_BUFFER}, one largest message").into());
        }
        options.listen.check()?;
        Ok(Some(options))
    }

    /// Pages that have their site's name resolve to this server are refused.
    fn hosts(&self) -> Result<HostPolicy, InvalidHost> {
        let mut hosts = self.hosts.clone();
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            hosts.push(host.parse()?);
        }
        Ok(HostPolicy::List(hosts))
    }

    fn config(&self) -> Config {
        let limits = Limits::new().message(MAX_MESSAGE).frame(MAX_MESSAGE).buffered(self.buffer);
        let keepalive = Keepalive { interval: self.keepalive, timeout: self.keepalive };
        Config::new().limits(limits).timeouts(Timeouts::new().keepalive(keepalive))
    }
}

/// The host of an address that can be listened on, as a Host header has it: without the zone of an
/// IPv6 address, which clients do not send.
fn host_of(address: &str) -> Result<Host, InvalidHost> {
    match (address.parse(), address.rsplit_once(':')) {
        (Ok(SocketAddr::V6(address)), _) => format!("[{}]", address.ip()).parse(),
        (_, Some((host, _))) => host.parse(),
        (_, None) => Err(InvalidHost),
    }
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
    listen::end_with_signals(&server)?;
    let room = Arc::new(Room::new());
    let herald = Arc::clone(&room);
    thread::Builder::new().name("herald".into()).spawn(move || herald.send_lists())?;
    println!("the chat is at http{s}://{}/", server.local_addr());
    let others = OriginPolicy::List(options.origins);
    server.run(move |incoming| {
        let peer = incoming.peer_addr();
        serve(incoming, &others, &room, options.rate)
            .inspect_err(|error| eprintln!("{peer}: {error}"))?;
        Ok(())
    })?;
    Ok(())
}

fn serve(
    incoming: &Incoming,
    others: &OriginPolicy,
    room: &Room,
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
    let mut answer = Answer::new();
    if request.subprotocols().any(|name| name == SUBPROTOCOL) {
        answer = answer.subprotocol(SUBPROTOCOL);
    }
    visitor::attend(incoming.accept_with(&answer)?, room, rate)
}
