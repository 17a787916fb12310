//! A client for the terminal, which can also echo and check an echo server.
//!
//! ```sh
//! cargo run --release -p sansock-tokio --example tokio_client -- ws://127.0.0.1:9001/
//! cargo run --release -p sansock-tokio --example tokio_client -- --selfcheck ws://127.0.0.1:9001/
//! ```

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use lexopt::{Arg, ValueExt as _};
use sansock::Message;
use sansock_tokio::uri::Uri;
use sansock_tokio::{Client, CloseCode, Event, WebSocket, Writer};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

use crate::payloads::{SIZES, binary, fragments, text};
use crate::proxies::Proxies;
use crate::values::value;

#[path = "../../examples/command_line/mod.rs"]
mod command_line;
#[path = "../../examples/client/payloads.rs"]
mod payloads;
#[path = "../../examples/command_line/proxy.rs"]
mod proxies;
#[path = "command_line/redial.rs"]
mod redial;
#[path = "../../examples/client/show.rs"]
mod show;
#[path = "../../examples/command_line/values.rs"]
mod values;

const HELP: &str = "\
Connects to a WebSocket server: sends typed lines and shows what arrives.
Ctrl-C or the end of the input closes the connection with 1000.

Usage: tokio_client URL [OPTIONS]

Options:
  --echo                   send every message back, until the server closes
  --selfcheck              check an echo server: messages of many sizes, fragments, Pings, the
                           closing handshake
  --proxy URL              connect through this proxy: http://, https://, socks5:// (names are
                           resolved here), socks5h:// (by the proxy) or socks4a://, with
                           USER:PASSWORD@ in front of the host if it asks for them
  --proxy-env              connect through the proxy that HTTPS_PROXY (for wss:), HTTP_PROXY (for
                           ws:) or ALL_PROXY names, except to the hosts in NO_PROXY
  --follow N               follow up to N redirects of the handshake
  --reconnect              connect again when the connection is lost or the server goes away, after
                           random delays that grow from 1 to 60 seconds; typed lines wait
  --ca PEM                 trust the certificate authorities in this file instead of the
                           system's, for the server and for an https: proxy
  --help                   show this
";

/// How long an answer, and each write, may take.
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    command_line::main(HELP, parse, |options| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(run(options));
        // A read from the terminal cannot be interrupted.
        runtime.shutdown_background();
        result
    })
}

struct Options {
    url: Uri,
    proxies: Option<Proxies>,
    follow: Option<usize>,
    reconnect: bool,
    ca: Option<PathBuf>,
    mode: Mode,
}

#[derive(Clone, Copy)]
enum Mode {
    Interactive,
    Echo,
    Selfcheck,
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let (mut url, mut proxies, mut ca, mut mode) = (None, None, None, None);
    let (mut follow, mut reconnect) = (None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
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
    let mode = mode.unwrap_or(Mode::Interactive);
    if reconnect && matches!(mode, Mode::Selfcheck) {
        return Err("one of --reconnect and --selfcheck".into());
    }
    Ok(Some(Options { url, proxies, follow, reconnect, ca, mode }))
}

async fn run(
    Options { url, proxies, follow, reconnect, ca, mode }: Options,
) -> Result<(), Box<dyn Error>> {
    let mut client = Client::new(&url.to_string())?.write_timeout(TIMEOUT);
    if let Some(proxies) = proxies {
        client = through(client, proxies);
    }
    if let Some(ca) = &ca {
        client = trust(client, ca)?;
    }
    if let Some(limit) = follow {
        client = redial::follow(client, limit)?;
    }
    if reconnect {
        return redial::reconnect(client, matches!(mode, Mode::Echo)).await;
    }
    let failed = |error| format!("no connection to {}: {error}", url.authority());
    let mut socket = client.connect().await.map_err(failed)?;
    match mode {
        Mode::Interactive => interactive(socket).await,
        Mode::Echo => Ok(echo(&mut socket).await?),
        Mode::Selfcheck => selfcheck(socket).await,
    }
}

#[cfg(feature = "proxy")]
fn through(client: Client, proxies: Proxies) -> Client {
    client.proxy(proxies)
}

#[cfg(not(feature = "proxy"))]
fn through(_: Client, proxies: Proxies) -> Client {
    match proxies {}
}

#[cfg(feature = "rustls")]
fn trust(client: Client, ca: &Path) -> Result<Client, Box<dyn Error>> {
    use sansock_tokio::tls::Connector;
    let connector = Connector::builder().roots_from_pem_file(ca)?.build()?;
    #[cfg(feature = "proxy")]
    let client = client.proxy_tls(connector.clone());
    Ok(client.tls(connector))
}

#[cfg(not(feature = "rustls"))]
fn trust(_: Client, ca: &Path) -> Result<Client, Box<dyn Error>> {
    Err(format!("{} needs TLS: build with --features rustls", ca.display()).into())
}

async fn interactive(socket: WebSocket) -> Result<(), Box<dyn Error>> {
    let subprotocol = socket.subprotocol().map(|name| format!(", subprotocol {name}"));
    println!("open{}", subprotocol.unwrap_or_default());
    let (mut reader, writer) = socket.split();
    tokio::spawn(async move {
        if let Err(error) = send_lines(&writer).await {
            eprintln!("no more is sent: {error}");
        }
    });
    while let Some(event) = reader.recv().await? {
        show::show(event, &mut io::stdout())?;
    }
    Ok(())
}

async fn send_lines(writer: &Writer) -> Result<(), Box<dyn Error>> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => writer.send(line).await?,
                None => break,
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    Ok(writer.start_close(CloseCode::NORMAL, "").await?)
}

/// No error means that the connection ended with a closing handshake.
async fn echo(socket: &mut WebSocket) -> Result<(), sansock_tokio::Error> {
    while let Some((event, mut outgoing)) = socket.exchange().await? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

async fn selfcheck(mut socket: WebSocket) -> Result<(), Box<dyn Error>> {
    for size in SIZES {
        let (text, bytes) = (text(size), binary(size));
        for message in [Message::Text(&text), Message::Binary(&bytes)] {
            for frames in [1, 3] {
                check_echo(&mut socket, message, frames).await.map_err(|error| {
                    format!("{:?} of {size} bytes in {frames} frames: {error}", message.kind())
                })?;
            }
        }
    }
    for size in [0, 1, 125] {
        let payload = binary(size);
        socket.ping(&payload).await?;
        // "the Pong frame MUST have identical "Application data"" (5.5.3)
        match timeout(TIMEOUT, socket.recv()).await?? {
            Some(Event::Pong(answer)) if answer == payload => {}
            other => return Err(format!("Ping with {size} bytes: {}", unexpected(other)).into()),
        }
    }
    let outcome = socket.close(CloseCode::NORMAL, "").await?;
    if !outcome.was_clean() || outcome.code() != 1000 {
        return Err(format!("the connection ended with {outcome:?}").into());
    }
    println!("all right: {} echoes, 3 Pings, closed with 1000", SIZES.len() * 4);
    Ok(())
}

async fn check_echo(
    socket: &mut WebSocket,
    message: Message<'_>,
    frames: usize,
) -> Result<(), Box<dyn Error>> {
    if frames == 1 {
        socket.send(message).await?;
    } else {
        for (fragment, fin) in fragments(message, frames) {
            socket.send_fragment(fragment, fin).await?;
        }
    }
    match timeout(TIMEOUT, socket.recv()).await?? {
        Some(Event::Message(echo)) if echo == message => Ok(()),
        other => Err(unexpected(other).into()),
    }
}

fn unexpected(event: Option<Event<'_>>) -> String {
    match event {
        None => "the connection is over".into(),
        Some(Event::Message(message)) => {
            format!("another message, {:?} of {} bytes", message.kind(), message.len())
        }
        Some(event) => format!("unexpected: {event:?}"),
    }
}
