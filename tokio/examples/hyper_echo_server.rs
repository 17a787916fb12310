//! Sends every message back with its type, over HTTP/1.1 and HTTP/2 on one port.
//!
//! ```sh
//! cargo run --release -p sansock-tokio --features hyper --example hyper_echo_server
//! cargo run --release -p sansock-tokio --features hyper,rustls --example hyper_echo_server -- \
//!     --cert cert.pem --key key.pem
//! ```
//!
//! hyper serves the connections. A plain GET gets a page. With `--features deflate` messages are
//! compressed for clients that offer it.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use sansock_tokio::handshake::{self, Answer, HandshakeError, OriginPolicy};
use sansock_tokio::hyper::{ServerHandshake, Upgrade, refuse};
use sansock_tokio::{CloseCode, Config, Event, Keepalive, Limits, Timeouts};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::echo_options::EchoOptions;

#[path = "../../examples/command_line/address.rs"]
mod address;
#[path = "../../examples/command_line/mod.rs"]
mod command_line;
#[path = "../../examples/command_line/echo_options.rs"]
mod echo_options;
#[path = "../../examples/command_line/values.rs"]
mod values;

#[cfg(feature = "rustls")]
#[path = "command_line/alpn.rs"]
mod tls;
#[cfg(not(feature = "rustls"))]
#[path = "command_line/no_alpn.rs"]
mod tls;

const HELP: &str = "\
A WebSocket server that sends every message back, over HTTP/1.1 and HTTP/2 (RFC 8441).

Usage: hyper_echo_server [ADDR] [OPTIONS]

ADDR is HOST:PORT, default 127.0.0.1:9001; with port 0 the system chooses a port.
Clients speak HTTP/2 with prior knowledge; with TLS they negotiate it (ALPN).

Options:
  --max-message BYTES          largest message that is accepted; default 67108864 (64 MiB)
  --handshake-timeout SECONDS  how long TLS, the first request and each opening handshake may take;
                               default 10
  --subprotocol NAME           a subprotocol that the server supports; may be repeated
  --cert PEM --key PEM         serve wss: with the certificate chain in the first file and its key
                               in the second
  --help                       show this

Ctrl-C and SIGTERM close every connection with 1001; a second signal ends the program at once.
";

/// How many WebSocket connections one connection of HTTP/2 may carry.
const STREAMS: u32 = 1_000;
/// How many bytes each of them may hold that are not read yet.
const WINDOW: u32 = 64 << 10;

/// How long a client may be silent before a Ping, and how long its answer may take.
const PING: Duration = Duration::from_secs(20);

type BoxError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    command_line::main(HELP, |it| EchoOptions::parse(it, |_, _| Ok(false)), run)
}

fn run(options: EchoOptions) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(options))
}

async fn serve(options: EchoOptions) -> Result<(), Box<dyn Error>> {
    let address = options.listen.address.as_deref().unwrap_or("127.0.0.1:9001");
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let acceptor = tls::acceptor(&options.listen)?;
    let s = if acceptor.is_some() { "s" } else { "" };
    let mut signals = Signals::new()?;
    let address = listener.local_addr()?;
    println!("listening on ws{s}://{address}/\na page that says so is at http{s}://{address}/");
    let (stop, stopping) = watch::channel(false);
    let config = options.config();
    let config = config.timeouts(config.timeouts.keepalive(Keepalive::every(PING)));
    let server = Server { config, subprotocols: options.subprotocols.into() };
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    let connection = server.clone().accept(tcp, acceptor.clone(), stopping.clone());
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            eprintln!("{peer}: {error}");
                        }
                    });
                }
                Err(error) => {
                    eprintln!("{error}");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            () = signals.next() => break,
        }
    }
    drop((listener, stopping));
    stop.send_replace(true);
    tokio::select! {
        // Every task has a receiver.
        () = stop.closed() => Ok(()),
        () = signals.next() => std::process::exit(130),
    }
}

/// SIGINT and SIGTERM.
struct Signals(Signal, Signal);

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

/// Is ready when the server stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

#[derive(Clone)]
struct Server {
    config: Config,
    subprotocols: Arc<[String]>,
}

impl Server {
    async fn accept(
        self,
        tcp: TcpStream,
        acceptor: Option<tls::Acceptor>,
        stopping: watch::Receiver<bool>,
    ) -> Result<(), BoxError> {
        tcp.set_nodelay(true)?;
        match acceptor {
            None => self.http(tcp, stopping).await,
            Some(acceptor) => {
                let time = self.config.timeouts.handshake.unwrap_or(Duration::MAX);
                let tls = timeout(time, tls::accept(&acceptor, tcp)).await??;
                self.http(tls, stopping).await
            }
        }
    }

    /// Serves one connection of HTTP/1.1 or HTTP/2, whichever the client speaks.
    async fn http<S>(self, io: S, stopping: watch::Receiver<bool>) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let time = self.config.timeouts.handshake.unwrap_or(Duration::MAX);
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(time);
        http.http2()
            .enable_connect_protocol()
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(STREAMS * WINDOW);
        let (first, mut stop) = (Arc::new(Notify::new()), stopping.clone());
        let asked = Arc::clone(&first);
        let service = service_fn(|request| {
            asked.notify_one();
            let response = self.respond(request, stopping.clone());
            async { Ok::<_, Infallible>(response) }
        });
        let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(io), service));
        let silent = async {
            if timeout(time, first.notified()).await.is_ok() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            ended = &mut connection => return ended,
            () = silent => return Err("no request in time".into()),
            () = stopped(&mut stop) => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }

    fn respond(
        &self,
        mut request: Request<Incoming>,
        stopping: watch::Receiver<bool>,
    ) -> Response<Full<Bytes>> {
        let is_plain = !request.headers().contains_key(header::UPGRADE);
        if is_plain && request.method() == Method::GET {
            let version = request.version();
            let page = format!("This server echoes WebSocket messages. You speak {version:?}.\n");
            return Response::new(Full::from(page));
        }
        match self.upgrade(&mut request) {
            Ok((response, upgrade)) => {
                tokio::spawn(async move {
                    if let Err(error) = echo(upgrade, stopping).await {
                        eprintln!("{error}");
                    }
                });
                response.map(|()| Full::default())
            }
            Err(error) => refuse(&error, request.version()).map(Full::from),
        }
    }

    fn upgrade(
        &self,
        request: &mut Request<Incoming>,
    ) -> Result<(Response<()>, Upgrade), HandshakeError> {
        let handshake = ServerHandshake::new(request)?;
        OriginPolicy::SameHost.check(&handshake.request())?;
        let mut answer = Answer::new();
        #[cfg(feature = "deflate")]
        {
            answer = answer.deflate(sansock_tokio::deflate::DeflateConfig::server());
        }
        let is_known = |name: &&str| self.subprotocols.iter().any(|known| known == name);
        if let Some(name) = handshake.request().subprotocols().find(is_known) {
            answer = answer.subprotocol(name);
        }
        handshake.accept(&answer, &self.config)
    }
}

async fn echo(
    upgrade: Upgrade,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), sansock_tokio::Error> {
    let mut socket = upgrade.await?;
    loop {
        tokio::select! {
            exchanged = socket.exchange() => match exchanged? {
                // The answers to all messages of one read are written together.
                Some((Event::Message(message), mut outgoing)) => outgoing.queue(message)?,
                Some(_) => {}
                None => return Ok(()),
            },
            () = stopped(&mut stopping) => break,
        }
    }
    socket.close(CloseCode::GOING_AWAY, "").await.map(drop)
}
