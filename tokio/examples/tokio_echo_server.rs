//! Sends every message back with its type.
//!
//! ```sh
//! cargo run --release -p sansock-tokio --example tokio_echo_server
//! cargo run --release -p sansock-tokio --example tokio_echo_server -- 127.0.0.1:9001 --mode stream
//! cargo run --release -p sansock-tokio --features rustls --example tokio_echo_server -- \
//!     --cert cert.pem --key key.pem
//! ```
//!
//! With `--features deflate` it compresses for clients that offer it.

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::str::FromStr;

use futures_util::{SinkExt as _, StreamExt as _};
use sansock_tokio::handshake::{self, Answer};
use sansock_tokio::{Config, Event, Incoming, Limits, Timeouts, WebSocket};

use crate::echo_options::EchoOptions;
use crate::values::value;

#[path = "../../examples/command_line/address.rs"]
mod address;
#[path = "../../examples/command_line/mod.rs"]
mod command_line;
#[path = "../../examples/command_line/echo_options.rs"]
mod echo_options;
#[path = "command_line/listen.rs"]
mod listen;
#[path = "../../examples/command_line/values.rs"]
mod values;

const HELP: &str = "\
A WebSocket server that sends every message back.

Usage: tokio_echo_server [ADDR] [OPTIONS]

ADDR is HOST:PORT, default 127.0.0.1:9001; with port 0 the system chooses a port.

Options:
  --mode MODE                  lend: the message is answered where it lies; split: a reader and a
                               writer; stream: `Stream` and `Sink` with owned messages. Default lend
  --threads NUMBER             the threads of the runtime; default 1, which is the main thread
  --max-message BYTES          largest message that is accepted; default 67108864 (64 MiB)
  --handshake-timeout SECONDS  how long the opening handshake may take; default 10
  --subprotocol NAME           a subprotocol that the server supports; may be repeated
  --cert PEM --key PEM         serve wss: with the certificate chain in the first file and its key
                               in the second
  --help                       show this

Ctrl-C and SIGTERM close every connection with 1001; a second signal ends the program at once.
";

fn main() -> ExitCode {
    command_line::main(HELP, Options::parse, run)
}

struct Options {
    echo: EchoOptions,
    mode: Mode,
    threads: NonZeroUsize,
}

#[derive(Clone, Copy)]
enum Mode {
    Lend,
    Split,
    Stream,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(mode: &str) -> Result<Self, String> {
        match mode {
            "lend" => Ok(Self::Lend),
            "split" => Ok(Self::Split),
            "stream" => Ok(Self::Stream),
            _ => Err("lend, split or stream".into()),
        }
    }
}

impl Options {
    fn parse(arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let (mut mode, mut threads) = (Mode::Lend, NonZeroUsize::MIN);
        let echo = EchoOptions::parse(arguments, |name, arguments| {
            match name {
                "mode" => mode = value(arguments, name)?,
                "threads" => threads = value(arguments, name)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(echo.map(|echo| Self { echo, mode, threads }))
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let runtime = match options.threads.get() {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        threads => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(threads).enable_all().build()?
        }
    };
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let (server, s) = options.echo.listen.bind("127.0.0.1:9001").await?;
    let server = server.config(options.echo.config());
    #[cfg(feature = "deflate")]
    let server = server.deflate(sansock_tokio::deflate::DeflateConfig::server());
    let server = server.on_error(|error, peer| match peer {
        Some(peer) => eprintln!("{peer}: {error}"),
        None => eprintln!("{error}"),
    });
    listen::end_with_signals(&server)?;
    println!("listening on ws{s}://{}/", server.local_addr());
    let (mode, subprotocols) = (options.mode, &*options.echo.subprotocols.leak());
    server
        .run(move |incoming| async move {
            // What is needed only once is boxed, so that the task keeps no memory for it.
            let socket = Box::pin(accept(incoming, subprotocols)).await?;
            match mode {
                Mode::Lend => lend(socket).await,
                Mode::Split => Box::pin(split(socket)).await,
                Mode::Stream => Box::pin(stream(socket)).await,
            }
            .map_err(Into::into)
        })
        .await?;
    Ok(())
}

async fn accept(
    incoming: Incoming,
    subprotocols: &[String],
) -> Result<WebSocket, sansock_tokio::Error> {
    let request = incoming.request();
    let known = request.subprotocols().find(|name| subprotocols.iter().any(|known| known == name));
    let answer = known.map_or(Answer::new(), |name| Answer::new().subprotocol(name));
    incoming.accept_with(&answer).await
}

async fn lend(mut socket: WebSocket) -> Result<(), sansock_tokio::Error> {
    while let Some((event, mut outgoing)) = socket.exchange().await? {
        if let Event::Message(message) = event {
            // The answers to all messages of one read are written together.
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

async fn split(socket: WebSocket) -> Result<(), sansock_tokio::Error> {
    let (mut reader, writer) = socket.split();
    while let Some(event) = reader.recv().await? {
        if let Event::Message(message) = event {
            writer.queue(message)?;
        }
    }
    Ok(())
}

async fn stream(mut socket: WebSocket) -> Result<(), sansock_tokio::Error> {
    while let Some(message) = socket.next().await {
        socket.feed(message?).await?;
    }
    Ok(())
}
