//! A client for the terminal, which can also echo and check an echo server.
//!
//! ```sh
//! cargo run --release --example client -- ws://127.0.0.1:9001/
//! cargo run --release --example client -- --selfcheck ws://127.0.0.1:9001/
//! cargo run --release --features rustls --example client -- wss://example.com/
//! cargo run --release --features rustls,proxy-env --example client -- --proxy-env wss://example.com/
//! ```

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::{Arg, ValueExt as _};
use sansock::handshake::{HandshakeError, Offer, ResponseError};
use sansock::net::{self, Client, WebSocket};
use sansock::uri::Uri;
use sansock::{Config, Event, Keepalive, Timeouts};

use crate::proxies::Proxies;
use crate::values::value;

#[path = "../command_line/mod.rs"]
mod command_line;
mod interactive;
mod payloads;
#[path = "../command_line/proxy.rs"]
mod proxies;
mod proxy;
mod redial;
mod selfcheck;
mod show;
mod tls;
#[path = "../command_line/values.rs"]
mod values;

const HELP: &str = "\
Connects to a WebSocket server: sends typed lines and shows what arrives.
Ctrl-C or the end of the input closes the connection with 1000.

Usage: client [OPTIONS] URL

URL is, for example, ws://127.0.0.1:9001/chat.

Options:
  --subprotocol NAME       offer a subprotocol; may be repeated, the preferred one first
  --header 'NAME: VALUE'   add a header to the request; may be repeated
  --ping SECONDS           send a Ping after this time of silence, and end the connection if
                           nothing arrives for the same time again
  --proxy URL              connect through this proxy: http://, https://, socks5:// (names are
                           resolved here), socks5h:// (by the proxy) or socks4a://, with
                           USER:PASSWORD@ in front of the host if it asks for them
  --proxy-env              connect through the proxy that HTTPS_PROXY (for wss:), HTTP_PROXY (for
                           ws:) or ALL_PROXY names, except to the hosts in NO_PROXY
  --follow N               follow up to N redirects of the handshake. Authorization, Cookie and the
                           URL's password go to the first origin alone
  --reconnect              connect again when the connection is lost or the server goes away, after
                           random delays that grow from 1 to 60 seconds; typed lines wait
  --ca PEM                 for a wss: URL and an https: proxy, trust the authorities in this
                           file instead of the system's
  --echo                   send every message back until the connection ends
  --selfcheck              check that the server echoes text and binary of many sizes, answers
                           Pings and closes correctly
  --help                   show this

The exit code is 0 after a closing handshake (with --selfcheck only if all checks passed),
1 after an error, and 2 for wrong arguments.
";

fn main() -> ExitCode {
    command_line::main(HELP, parse, |options| {
        let Options { url, mut client, proxies, follow, reconnect, ca, mode } = options;
        if let Some(proxies) = proxies {
            client = proxy::through(client, proxies);
        }
        if let Some(ca) = ca {
            client = tls::trust(client, &ca)?;
        }
        if let Some(limit) = follow {
            client = redial::follow(client, limit)?;
        }
        if reconnect {
            return redial::reconnect(client, &mode);
        }
        let mut socket = client
            .connect()
            .map_err(|error| format!("no connection to {}: {}", url.authority(), reason(&error)))?;
        match mode {
            Mode::Interactive => interactive::run(socket),
            Mode::Echo => Ok(echo(&mut socket)?),
            Mode::Selfcheck => selfcheck::run(socket),
        }
    })
}

struct Options {
    url: Uri,
    client: Client,
    proxies: Option<Proxies>,
    follow: Option<usize>,
    reconnect: bool,
    ca: Option<PathBuf>,
    mode: Mode,
}

enum Mode {
    Interactive,
    Echo,
    Selfcheck,
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let (mut url, mut proxies, mut ca, mut mode) = (None, None, None, None);
    let (mut follow, mut reconnect) = (None, false);
    let (mut subprotocols, mut headers) = (Vec::new(), Vec::new());
    let mut timeouts = Timeouts::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("subprotocol") => subprotocols.push(arguments.value()?.string()?),
            Arg::Long("header") => headers.push(arguments.value()?.parse_with(header)?),
            Arg::Long("ping") => {
                let seconds: NonZeroU32 = value(&mut arguments, "ping")?;
                let interval = Duration::from_secs(seconds.get().into());
                timeouts = timeouts.keepalive(Keepalive { interval, timeout: interval });
            }
            Arg::Long(option @ ("proxy" | "proxy-env")) => {
                let option = option.to_owned();
                proxies::parse(&option, &mut arguments, &mut proxies)?;
            }
            Arg::Long("follow") => follow = Some(value(&mut arguments, "follow")?),
            Arg::Long("reconnect") => reconnect = true,
            Arg::Long("ca") => ca = Some(arguments.value()?.into()),
            Arg::Long("echo") if mode.is_none() => mode = Some(Mode::Echo),
            Arg::Long("selfcheck") if mode.is_none() => mode = Some(Mode::Selfcheck),
            Arg::Long("echo" | "selfcheck") => return Err("one of --echo and --selfcheck".into()),
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(value) if url.is_none() => url = Some(value.parse::<Uri>()?),
            argument => return Err(argument.unexpected()),
        }
    }
    let url = url.ok_or("the URL is missing")?;
    let mut offer = Offer::new(url.clone());
    for name in subprotocols {
        offer = offer.subprotocol(name);
    }
    for (name, value) in headers {
        offer = offer.header(name, value);
    }
    offer.check().map_err(|error| error.to_string())?;
    let config = Config::new().timeouts(timeouts);
    let mode = mode.unwrap_or(Mode::Interactive);
    if reconnect && matches!(mode, Mode::Selfcheck) {
        return Err("one of --reconnect and --selfcheck".into());
    }
    let client = match mode {
        Mode::Selfcheck => Client::with_offer(offer).write_timeout(selfcheck::TIMEOUT),
        _ => Client::with_offer(offer),
    };
    let client = client.config(config);
    Ok(Some(Options { url, client, proxies, follow, reconnect, ca, mode }))
}

fn header(line: &str) -> Result<(String, String), &'static str> {
    let (name, value) = line.split_once(':').ok_or("a header is NAME: VALUE")?;
    Ok((name.into(), value.trim().into()))
}

/// Describes the error. A server that refuses a client often says why in the body of its response.
fn reason(error: &net::Error) -> String {
    let mut reason = error.to_string();
    if let net::Error::Handshake(HandshakeError::Response(ResponseError::Status(response))) = error
        && response.headers().get_str("Content-Type").is_none_or(|it| it.starts_with("text/plain"))
        && let Some(line) = String::from_utf8_lossy(response.body()).lines().next()
    {
        reason.extend([": ", &show::printable(line)]);
    }
    reason
}

/// No error means that the connection ended with a closing handshake.
fn echo(socket: &mut WebSocket) -> Result<(), net::Error> {
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}
