//! A server as service managers and proxies want it: socket activation, readiness, health checks,
//! PROXY headers and a gradual end. `docs/DEPLOY.md` has its unit files.
//!
//! ```sh
//! cargo run --release --features proxy-protocol --example service -- --grace 1 --spread 5
//! systemd-socket-activate -l 9001 target/release/examples/service
//! ```

use std::error::Error;
use std::process::{ExitCode, exit};

use sansock::handshake::Rejection;
use sansock::net::{HandlerResult, Incoming, Server, ServerHandle};
use sansock::proxy_protocol::ProxyProtocol;
use sansock::{Config, Event};

use crate::options::Options;

#[path = "../command_line/mod.rs"]
mod command_line;
#[path = "../command_line/host_port.rs"]
mod host_port;
mod listener;
mod options;
mod systemd;
#[path = "../command_line/values.rs"]
mod values;

const HELP: &str = "\
A WebSocket server that sends every message back, for service managers and proxies.

Usage: service [ADDR] [OPTIONS]

ADDR is HOST:PORT, default 127.0.0.1:9001; with port 0 the system chooses a port. A socket that
systemd has opened (LISTEN_FDS) comes first.

Options:
  --reuse-port             several of these programs may listen at ADDR (SO_REUSEPORT)
  --proxy-from NETWORK     peers that send PROXY headers, such as 10.0.0.0/8; may be repeated
  --forwarded-from NETWORK peers whose X-Forwarded-For is believed; may be repeated
  --keepalive SECONDS      the silence after which a Ping is sent; default 20
  --grace SECONDS          how long the health check fails before the first close; default 0
  --spread SECONDS         over which time the clients are closed; default 0
  --closing SECONDS        how long after that the last one is cut off; default 11
  --help                   show this

GET /healthz is answered with 200, and with 503 as soon as a signal was received. A WebSocket at
/address gets its client's address first.

Ctrl-C and SIGTERM close every connection with 1012, as --grace and --spread say; a second signal
ends the program at once.
";

fn main() -> ExitCode {
    command_line::main(HELP, Options::parse, |options| run(&options))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let listener = listener::open(options)?;
    let config = Config::public_server();
    let config = config.timeouts(config.timeouts.keepalive(options.keepalive));
    let server = Server::from_listener(listener)?.config(config);
    let mut server = server.on_error(|error, peer| match peer {
        Some(peer) => eprintln!("{peer}: {error}"),
        None => eprintln!("{error}"),
    });
    if !options.proxies.is_empty() {
        let networks = options.proxies.iter().map(String::as_str);
        server = server.proxy_protocol(ProxyProtocol::from_networks(networks)?);
    }
    let forwarders = ProxyProtocol::from_networks(options.forwarders.iter().map(String::as_str))?;
    let handle = server.handle();
    end_with_signals(handle.clone(), options)?;
    println!("listening on ws://{}/", server.local_addr());
    // Clients are accepted from here on: they wait in the listener's backlog until `run`.
    systemd::notify("READY=1")?;
    let health = handle.clone();
    server.run(move |incoming| serve(incoming, &health, &forwarders))?;
    println!("{}", handle.drain_report().unwrap_or_default());
    Ok(())
}

/// Drains the server at Ctrl-C or SIGTERM; a second signal ends the program.
fn end_with_signals(handle: ServerHandle, options: &Options) -> Result<(), ctrlc::Error> {
    let drain = options.drain;
    ctrlc::set_handler(move || {
        if handle.is_draining() {
            exit(130);
        }
        handle.start_drain(drain);
        if let Err(error) = systemd::notify("STOPPING=1") {
            eprintln!("cannot notify the service manager: {error}");
        }
    })
}

fn serve(incoming: &Incoming, handle: &ServerHandle, forwarders: &ProxyProtocol) -> HandlerResult {
    let request = incoming.request();
    if request.path() == "/healthz" {
        let status = if handle.is_draining() { 503 } else { 200 };
        return Ok(incoming.reject(&Rejection::new(status))?);
    }
    let tells_address = request.path() == "/address";
    let mut socket = incoming.accept()?;
    if tells_address {
        socket.queue(&*client(incoming, forwarders))?;
    }
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

/// The client's address: of X-Forwarded-For the last entry, which the proxy next to us has added.
/// What stands before it, the client may have made up.
fn client(incoming: &Incoming, forwarders: &ProxyProtocol) -> String {
    let address = incoming.client_addr();
    let request = incoming.request();
    let forwarded = request.headers().get_all("x-forwarded-for").last();
    match forwarded.and_then(|value| value.rsplit(|byte| *byte == b',').next()) {
        Some(last) if forwarders.trusts(address.ip()) => {
            String::from_utf8_lossy(last.trim_ascii()).into_owned()
        }
        _ => address.ip().to_string(),
    }
}
