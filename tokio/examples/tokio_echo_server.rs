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
use std::num::{NonZeroU32, NonZeroUsize};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use lexopt::{Arg, ValueExt as _};
use sansock_tokio::handshake::{Answer, Offer};
use sansock_tokio::uri::Uri;
use sansock_tokio::{Config, Event, Incoming, Limits, Timeouts, WebSocket};

use crate::listen::Listen;
use crate::values::value;

#[path = "../../examples/command_line/mod.rs"]
mod command_line;
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
    listen: Listen,
    mode: Mode,
    threads: NonZeroUsize,
    max_message: u64,
    handshake_timeout: Duration,
    subprotocols: Vec<String>,
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
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self {
            listen: Listen::default(),
            mode: Mode::Lend,
            threads: NonZeroUsize::MIN,
            max_message: 64 << 20,
            handshake_timeout: Duration::from_secs(10),
            subprotocols: Vec::new(),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("mode") => options.mode = value(&mut arguments, "mode")?,
                Arg::Long("threads") => options.threads = value(&mut arguments, "threads")?,
                Arg::Long("max-message") => {
                    options.max_message = value(&mut arguments, "max-message")?;
                }
                Arg::Long("handshake-timeout") => {
                    let seconds: NonZeroU32 = value(&mut arguments, "handshake-timeout")?;
                    options.handshake_timeout = Duration::from_secs(seconds.get().into());
                }
                Arg::Long("subprotocol") => {
                    options.subprotocols.push(subprotocol(arguments.value()?.string()?)?);
                }
                Arg::Long("cert") => options.listen.cert = Some(arguments.value()?.into()),
                Arg::Long("key") => options.listen.key = Some(arguments.value()?.into()),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(address) if options.listen.address.is_none() => {
                    options.listen.at(address)?;
                }
                argument => return Err(argument.unexpected()),
            }
        }
        options.listen.check()?;
        Ok(Some(options))
    }

    fn config(&self) -> Config {
        let limits = Limits::new().message(self.max_message).frame(self.max_message);
        Config::new().limits(limits).timeouts(Timeouts::new().handshake(self.handshake_timeout))
    }
}

fn subprotocol(name: String) -> Result<String, lexopt::Error> {
    let uri = "ws://localhost/".parse::<Uri>().map_err(|error| error.to_string())?;
    match Offer::new(uri).subprotocol(&name).check() {
        Ok(()) => Ok(name),
        Err(error) => Err(format!("--subprotocol: {error}").into()),
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
    let (server, s) = options.listen.bind("127.0.0.1:9001").await?;
    let server = server.config(options.config());
    #[cfg(feature = "deflate")]
    let server = server.deflate(sansock_tokio::deflate::DeflateConfig::server());
    let server = server.on_error(|error, peer| match peer {
        Some(peer) => eprintln!("{peer}: {error}"),
        None => eprintln!("{error}"),
    });
    listen::end_with_signals(&server)?;
    println!("listening on ws{s}://{}/", server.local_addr());
    let (mode, subprotocols) = (options.mode, &*options.subprotocols.leak());
    server
        .run(move |incoming| async move {
            let socket = accept(incoming, subprotocols).await?;
            match mode {
                Mode::Lend => lend(socket).await,
                // Boxed, so that the others' tasks need no memory for them.
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
