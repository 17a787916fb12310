//! Sends every message back with its type, and serves a page to try it from a browser.
//!
//! ```sh
//! cargo run --release --example echo_server
//! cargo run --release --example echo_server -- 127.0.0.1:9001 --subprotocol chat
//! cargo run --release --features rustls --example echo_server -- --cert cert.pem --key key.pem
//! ```
//!
//! With `--features deflate` it compresses for clients that offer it.

use std::error::Error;
use std::process::ExitCode;

use sansock::drain::Drain;
use sansock::handshake::{self, Answer, Rejection, random_nonce};
use sansock::net::{self, Incoming};
use sansock::{Config, Event, Limits, Timeouts};

use crate::echo_options::EchoOptions;

#[path = "../command_line/address.rs"]
mod address;
#[path = "../command_line/mod.rs"]
mod command_line;
#[path = "../command_line/echo_options.rs"]
mod echo_options;
#[path = "../command_line/listen.rs"]
mod listen;
#[path = "../command_line/values.rs"]
mod values;

const HELP: &str = "\
A WebSocket server that sends every message back.

Usage: echo_server [ADDR] [OPTIONS]

ADDR is HOST:PORT, default 127.0.0.1:9001; with port 0 the system chooses a port.

Options:
  --max-message BYTES          largest message that is accepted; default 67108864 (64 MiB)
  --handshake-timeout SECONDS  how long the opening handshake may take; default 10
  --subprotocol NAME           a subprotocol that the server supports; may be repeated
  --cert PEM --key PEM         serve wss: with the certificate chain in the first file and its key
                               in the second
  --help                       show this

Ctrl-C and SIGTERM close every connection with 1001; a second signal ends the program at once.
";

fn main() -> ExitCode {
    command_line::main(HELP, |it| EchoOptions::parse(it, |_, _| Ok(false)), run)
}

fn run(options: EchoOptions) -> Result<(), Box<dyn Error>> {
    let (server, s) = options.listen.bind("127.0.0.1:9001")?;
    let server = server.config(options.config());
    #[cfg(feature = "deflate")]
    let server = server.deflate(sansock::deflate::DeflateConfig::server());
    listen::end_with_signals(&server, Drain::new())?;
    let address = server.local_addr();
    println!("listening on ws{s}://{address}/\nopen http{s}://{address}/ in a browser to try it");
    server.run(move |incoming| {
        let peer = incoming.peer_addr();
        serve(incoming, &options.subprotocols).inspect_err(|error| eprintln!("{peer}: {error}"))?;
        Ok(())
    })?;
    Ok(())
}

fn serve(incoming: &Incoming, subprotocols: &[String]) -> Result<(), net::Error> {
    let request = incoming.request();
    if !request.is_websocket() {
        let page = page(request.path());
        return incoming.reject(&page);
    }
    let known = request.subprotocols().find(|name| subprotocols.iter().any(|known| known == name));
    let answer = known.map_or(Answer::new(), |name| Answer::new().subprotocol(name));
    echo(incoming.accept_with(&answer)?)
}

fn echo(mut socket: net::WebSocket) -> Result<(), net::Error> {
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            // Short answers are written together, once for all messages of one read.
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

/// The response to a plain HTTP request.
fn page(path: &str) -> Rejection {
    let nonce = format!("{:032x}", u128::from_be_bytes(random_nonce()));
    match path {
        "/" => Rejection::new(200)
            .header("Content-Type", "text/html; charset=utf-8")
            .header(
                "Content-Security-Policy",
                format!(
                    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
                     connect-src ws: wss:; base-uri 'none'; form-action 'none'; \
                     frame-ancestors 'none'"
                ),
            )
            .header("Cache-Control", "no-store")
            .body(include_str!("page.html").replace("{nonce}", &nonce)),
        "/favicon.ico" => Rejection::new(204),
        _ => Rejection::new(404)
            .header("Content-Type", "text/plain; charset=utf-8")
            .body("There is a page at / and a WebSocket echo on every path.\n"),
    }
    .header("X-Content-Type-Options", "nosniff")
    .header("Referrer-Policy", "no-referrer")
}
