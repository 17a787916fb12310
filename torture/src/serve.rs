//! `torture serve`: the crate's own server under attack, with an echo handler.

use std::io;
use std::panic;
use std::process;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use sansock::net::tls::Acceptor;
use sansock::net::{Error, HandlerResult, Incoming, Server, ServerError, ServerHandle, WebSocket};
use sansock::{Config, Event, Keepalive, Limits, SendError, Timeouts, web};

use crate::common::{Failure, Fallible, ensure, ms};

/// The largest message, in bytes.
pub(crate) const MESSAGE: u64 = 4 << 20;
/// The most frames of a message: the crate's default.
pub(crate) const FRAGMENTS: u32 = Limits::new().fragments;
/// The most that waits to be sent, in bytes.
pub(crate) const BUFFERED: usize = 1 << 20;
/// How long an opening handshake may take.
pub(crate) const HANDSHAKE: Duration = ms(2000);
/// How long a peer may be silent before a Ping, and how long its answer may take.
pub(crate) const KEEPALIVE: Keepalive = Keepalive { interval: ms(1000), timeout: ms(1000) };
/// How long a closing handshake may take.
pub(crate) const CLOSING: Duration = ms(2000);
/// How long a write may make no progress.
pub(crate) const WRITE: Duration = ms(1000);
/// The length of the message that the handlers behind `/large` and `/split/large` send, in bytes:
/// more than the network takes.
pub(crate) const LARGE: usize = 32 << 20;
/// How long the handler behind `/deaf` does not read.
pub(crate) const DEAF: Duration = ms(2000);

/// The settings in which faults differ.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) fragments: u32,
    pub(crate) handshake: Duration,
    pub(crate) stack: Option<usize>,
    /// Whether it listens for TLS on a second port.
    pub(crate) tls: bool,
}

/// The counts of the handlers.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Messages that were accepted for sending.
    pub(crate) accepted: u64,
    /// Bytes of these that were still unwritten when their connections ended.
    pub(crate) unsent: u64,
    /// Connections that ended without a closing handshake.
    pub(crate) failed: u64,
    /// Clients that failed before a handler.
    pub(crate) refused: u64,
    pub(crate) panics: u64,
}

static ACCEPTED: AtomicU64 = AtomicU64::new(0);
static UNSENT: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static PANICS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn serve(options: &Options) -> Fallible {
    // The panics of `/panic` are counted; printing hundreds of them would be useless.
    panic::set_hook(Box::new(|_| {
        PANICS.fetch_add(1, Ordering::SeqCst);
    }));
    let mut servers = vec![bind(options)?];
    if options.tls {
        servers.push(bind(options)?.tls(acceptor()?));
    }
    let handles: Vec<_> = servers.iter().map(Server::handle).collect();
    let stops = handles.clone();
    thread::Builder::new().name("stop".into()).spawn(move || {
        // Waits for a line, or for the end of the process that started this one.
        let _ = io::stdin().read_line(&mut String::new());
        stops.iter().for_each(ServerHandle::shutdown);
        thread::sleep(CLOSING + ms(5000));
        process::exit(1);
    })?;
    let addresses: Vec<_> = servers.iter().map(|it| it.local_addr().to_string()).collect();
    thread::scope(|scope| {
        let running: Vec<_> =
            servers.into_iter().map(|it| scope.spawn(|| it.run(handle_one))).collect();
        // After the threads have started, because the reader of this line counts them.
        println!("{}", addresses.join(" "));
        running.into_iter().try_for_each(|it| {
            it.join().unwrap_or_else(|_| Err(io::Error::other("a server panicked")))
        })
    })?;
    check_counts(&handles)?;
    println!("{}", Ledger::now());
    Ok(())
}

/// Whatever the clients did, the servers' own counts add up, and agree with those of the handlers.
fn check_counts(servers: &[ServerHandle]) -> Fallible {
    let (mut panics, mut sent) = (0, 0);
    for server in servers {
        let counts = server.counts();
        let ended = counts.close_sent.total();
        let received = counts.close_received.total() + counts.close_unread;
        let over = counts.accepted + counts.answered + counts.refused.total();
        let adds_up = counts.connected == over && counts.accepted == ended && received == ended;
        ensure(adds_up && server.connections() == 0, || format!("{counts:?}"))?;
        panics += counts.handlers_panicked;
        sent += counts.sent.messages;
    }
    let ledger = Ledger::now();
    ensure(panics == ledger.panics && sent >= ledger.accepted, || {
        format!("{panics} panics and {sent} messages are counted, but the handlers say {ledger}")
    })
}

fn bind(options: &Options) -> Fallible<Server> {
    let timeouts =
        Timeouts::new().handshake(options.handshake).keepalive(KEEPALIVE).closing(CLOSING);
    let limits = Limits::new()
        .message(MESSAGE)
        .frame(MESSAGE)
        .fragments(options.fragments)
        .buffered(BUFFERED);
    let mut server = Server::bind("127.0.0.1:0")?
        .config(Config::new().limits(limits).timeouts(timeouts))
        .write_timeout(Some(WRITE))
        .on_error(|error, _| {
            let refused = matches!(error, ServerError::Opening(_));
            REFUSED.fetch_add(u64::from(refused), Ordering::SeqCst);
        });
    if let Some(bytes) = options.stack {
        server = server.stack_size(bytes);
    }
    Ok(server)
}

/// With a certificate of its own, which clients must take without a check.
fn acceptor() -> Fallible<Acceptor> {
    let made = rcgen::generate_simple_self_signed(["localhost".into()])?;
    Ok(Acceptor::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())?)
}

fn handle_one(incoming: &Incoming) -> HandlerResult {
    Ok(answer(incoming)?)
}

fn answer(incoming: &Incoming) -> Result<(), Error> {
    let path = incoming.request().path().to_owned();
    match path.as_str() {
        "/split" => split_echo(incoming.accept()?),
        "/large" => {
            let mut socket = incoming.accept()?;
            socket.send(large())?;
            echo(socket)
        }
        "/split/large" => {
            let (mut reader, writer) = incoming.accept()?.split()?;
            thread::scope(|scope| {
                let sent = scope.spawn(|| writer.send(large()));
                while reader.next_event()?.is_some() {}
                sent.join().unwrap_or(Ok(()))
            })
        }
        path if path.starts_with("/web/") => {
            let url = format!("ws://127.0.0.1:{}/", path.trim_start_matches("/web/"));
            incoming.accept()?;
            send_from_web(&url);
            Ok(())
        }
        "/deaf" => {
            let socket = incoming.accept()?;
            thread::sleep(DEAF);
            echo(socket)
        }
        "/panic/before" => panic(),
        "/panic/after" => {
            incoming.accept()?.next_event()?;
            panic()
        }
        _ => echo(incoming.accept()?),
    }
}

/// Sends the large message to another server, with the object of browsers, and waits for the end.
fn send_from_web(url: &str) {
    let config = Config::new().timeouts(Timeouts::new().closing(CLOSING));
    let socket = web::WebSocket::builder(url)
        .and_then(|builder| builder.config(config).write_timeout(WRITE).open());
    if let Ok(socket) = socket {
        socket.on_open(|socket, _| {
            // An error shows in the close event.
            let _ = socket.send(large());
        });
        socket.wait();
    }
}

/// Handlers lend it, so that it costs each connection nothing.
fn large() -> &'static [u8] {
    static LARGE_MESSAGE: OnceLock<Vec<u8>> = OnceLock::new();
    LARGE_MESSAGE.get_or_init(|| vec![7; LARGE])
}

#[expect(clippy::panic, reason = "this is what is tested")]
fn panic() -> ! {
    panic!("a handler that panics")
}

fn echo(mut socket: WebSocket) -> Result<(), Error> {
    let result = echo_all(&mut socket);
    account(&result, socket.buffered_amount());
    result
}

fn echo_all(socket: &mut WebSocket) -> Result<(), Error> {
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            accepted(outgoing.queue(message))?;
        }
    }
    Ok(())
}

fn split_echo(socket: WebSocket) -> Result<(), Error> {
    let (mut reader, writer) = socket.split()?;
    let mut echo = || {
        while let Some(event) = reader.next_event()? {
            if let Event::Message(message) = event {
                accepted(writer.send(message))?;
            }
        }
        Ok(())
    };
    let result = echo();
    account(&result, writer.buffered_amount());
    result
}

/// Counts a message that was accepted for sending. Messages that arrive after our Close frame are
/// not.
fn accepted(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::Send(SendError::Closed)) => Ok(()),
        result => result.inspect(|()| {
            ACCEPTED.fetch_add(1, Ordering::SeqCst);
        }),
    }
}

fn account(result: &Result<(), Error>, unsent: usize) {
    UNSENT.fetch_add(unsent as u64, Ordering::SeqCst);
    FAILED.fetch_add(u64::from(result.is_err()), Ordering::SeqCst);
}

impl Ledger {
    fn now() -> Self {
        let [accepted, unsent, failed, refused, panics] =
            [&ACCEPTED, &UNSENT, &FAILED, &REFUSED, &PANICS].map(|it| it.load(Ordering::SeqCst));
        Self { accepted, unsent, failed, refused, panics }
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { accepted, unsent, failed, refused, panics } = self;
        write!(f, "{accepted} {unsent} {failed} {refused} {panics}")
    }
}

impl FromStr for Ledger {
    type Err = Failure;

    fn from_str(line: &str) -> Fallible<Self> {
        let numbers = line
            .split(' ')
            .map(str::parse)
            .collect::<Result<Vec<u64>, std::num::ParseIntError>>()?;
        let &[accepted, unsent, failed, refused, panics] = numbers.as_slice() else {
            return Err(format!("not a ledger: {line}").into());
        };
        Ok(Self { accepted, unsent, failed, refused, panics })
    }
}
