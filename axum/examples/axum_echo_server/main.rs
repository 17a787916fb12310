//! Sends every message back with its type, over HTTP/1.1 and HTTP/2.
//!
//! ```sh
//! cargo run --release -p sansock-axum --example axum_echo_server
//! cargo run --release -p sansock-axum --example axum_echo_server -- 127.0.0.1:9001 --threads 4
//! cargo run --release -p sansock-axum --example axum_echo_server -- --cert cert.pem --key key.pem
//! ```
//!
//! With `--features deflate` it compresses for clients that offer it.

use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::serve::{Listener, ListenerExt as _};
use axum::{Extension, Router};
use sansock_axum::drain::Drain;
use sansock_axum::{
    Config, Connections, Event, Keepalive, Limits, Timeouts, WebSocket, WebSocketUpgrade, handshake,
};
use tokio::net::TcpListener;

use crate::echo_options::EchoOptions;
use crate::listen::TlsListener;
use crate::values::value;

#[path = "../../../examples/command_line/address.rs"]
mod address;
#[path = "../../../examples/command_line/mod.rs"]
mod command_line;
#[path = "../../../examples/command_line/echo_options.rs"]
mod echo_options;
mod listen;
#[path = "../../../examples/command_line/values.rs"]
mod values;

const HELP: &str = "\
A WebSocket server that sends every message back, over HTTP/1.1 and HTTP/2.

Usage: axum_echo_server [ADDR] [OPTIONS]

ADDR is HOST:PORT, default 127.0.0.1:9001; with port 0 the system chooses a port.

Options:
  --threads NUMBER             the threads of the runtime; default 1, which is the main thread
  --max-message BYTES          largest message that is accepted; default 67108864 (64 MiB)
  --handshake-timeout SECONDS  how long TLS may take, and then the response to a request; default 10
  --subprotocol NAME           a subprotocol that the server supports; may be repeated
  --cert PEM --key PEM         serve wss: with the certificate chain in the first file and its key
                               in the second
  --grace SECONDS              how long the health check fails before the first close; default 0
  --spread SECONDS             over which time the connections are closed; default 0
  --help                       show this

GET /healthz is answered with 200, and with 503 as soon as a signal was received.

Ctrl-C and SIGTERM close every connection with 1001, as --grace and --spread say; a second signal
ends the program at once.
";

fn main() -> ExitCode {
    command_line::main(HELP, Options::parse, run)
}

struct Options {
    echo: EchoOptions,
    threads: NonZeroUsize,
    drain: Drain,
}

impl Options {
    fn parse(arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let (mut threads, mut drain) = (NonZeroUsize::MIN, Drain::new());
        let echo = EchoOptions::parse(arguments, |name, arguments| {
            match name {
                "threads" => threads = value(arguments, name)?,
                "grace" => drain.grace = Duration::from_secs(value::<u32>(arguments, name)?.into()),
                "spread" => {
                    drain.spread = Duration::from_secs(value::<u32>(arguments, name)?.into());
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(echo.map(|echo| Self { echo, threads, drain }))
    }

    fn config(&self) -> Config {
        let config = self.echo.config();
        let keepalive = Keepalive::every(Duration::from_secs(20));
        config.timeouts(config.timeouts.keepalive(keepalive))
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
    runtime.block_on(listen(options))
}

async fn listen(options: Options) -> Result<(), Box<dyn Error>> {
    let tcp = options.echo.listen.bind("127.0.0.1:9001").await?;
    match options.echo.listen.tls()? {
        None => serve("ws", nodelay(tcp), options).await,
        Some(config) => {
            let limit = options.echo.handshake_timeout;
            serve("wss", TlsListener::new(nodelay(tcp), config, limit), options).await
        }
    }
}

/// Small messages leave at once.
fn nodelay(tcp: TcpListener) -> impl Listener<Io = tokio::net::TcpStream, Addr = SocketAddr> {
    tcp.tap_io(|tcp| {
        if let Err(error) = tcp.set_nodelay(true) {
            eprintln!("{error}");
        }
    })
}

async fn serve<L>(scheme: &str, listener: L, options: Options) -> Result<(), Box<dyn Error>>
where
    L: Listener<Addr = SocketAddr>,
{
    let signal = listen::signals()?;
    println!("listening on {scheme}://{}/", listener.local_addr()?);
    let options = &*Box::leak(Box::new(options));
    let app = Router::new().route("/healthz", get(health)).fallback(handler).with_state(options);
    sansock_axum::serve(listener, app.into_make_service())
        .with_graceful_shutdown(signal)
        .drain(options.drain)
        .await?;
    Ok(())
}

/// For a load balancer, which needs some time to notice.
async fn health(Extension(connections): Extension<Connections>) -> StatusCode {
    if connections.is_draining() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

async fn handler(State(options): State<&'static Options>, ws: WebSocketUpgrade) -> Response {
    let ws =
        ws.config(options.config()).protocols(options.echo.subprotocols.iter().map(String::as_str));
    #[cfg(feature = "deflate")]
    let ws = ws.deflate(sansock_axum::deflate::DeflateConfig::server());
    ws.on_failed_upgrade(|error| eprintln!("{error}")).on_upgrade(|socket| async {
        if let Err(error) = echo(socket).await {
            eprintln!("{error}");
        }
    })
}

async fn echo(mut socket: WebSocket) -> Result<(), sansock_axum::Error> {
    while let Some((event, mut outgoing)) = socket.exchange().await? {
        if let Event::Message(message) = event {
            // The answers to all messages of one read are written together.
            outgoing.queue(message)?;
        }
    }
    Ok(())
}
