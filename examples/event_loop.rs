//! An echo server in one thread, for tens of thousands of connections: the core in an event loop.
//!
//! ```sh
//! cargo run --release --example event_loop -- 127.0.0.1:9001
//! ```
//!
//! It uses no part of `sansock::net`: `mio` says which sockets are ready, and the core does the
//! rest. An idle connection holds no buffers; a busy one takes them from a pool. If its peer does
//! not read, it keeps them, and is not read from until they are written.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lexopt::Arg;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use sansock::buffer::{BufferPool, Buffers};
use sansock::handshake::{Answer, HeadLimits, ServerHandshake};
use sansock::{
    CloseCode, Config, Connection, Deadline, Event, ReceiveBuffer, SendBuffer, SendError, Teardown,
};

use crate::host_port::host_port;

mod command_line;
#[path = "command_line/host_port.rs"]
mod host_port;

const HELP: &str = "\
A WebSocket server that sends every message back, in one thread.

Usage: event_loop [ADDR]

ADDR is HOST:PORT, default 127.0.0.1:9001; with port 0 the system chooses a port.

Options:
  --help  show this

Ctrl-C and SIGTERM close every connection with 1001; a second signal ends the program at once.
";

/// How long a peer may read nothing of the data sent to it.
const STALL: Duration = Duration::from_secs(30);
/// How often deadlines are checked.
const TICK: Duration = Duration::from_secs(1);

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

fn main() -> ExitCode {
    command_line::main(HELP, parse, run)
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<SocketAddr>, lexopt::Error> {
    let mut address = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(value) if address.is_none() => {
                address = host_port(value)?.to_socket_addrs().map_err(|it| it.to_string())?.next();
            }
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(address.unwrap_or(([127, 0, 0, 1], 9001).into())))
}

fn run(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut server =
        Server::listen(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    println!("listening on ws://{}/", server.listener.local_addr()?);
    let waker = Arc::new(Waker::new(server.poll.registry(), STOP)?);
    let mut stopping = false;
    ctrlc::set_handler(move || {
        if std::mem::replace(&mut stopping, true) || waker.wake().is_err() {
            std::process::exit(1);
        }
    })?;
    Ok(server.run()?)
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    clients: HashMap<Token, Client>,
    next_token: usize,
    /// The buffers that idle clients do not need.
    pool: BufferPool,
}

struct Client {
    stream: TcpStream,
    phase: Phase,
    /// `None` while no received bytes are unprocessed and no bytes wait to be sent.
    buffers: Option<Box<Buffers>>,
    /// How many bytes wait that the peer does not read, and since when.
    stalled: Option<(usize, Instant)>,
    /// Whether our side of the stream has ended.
    half_closed: bool,
}

enum Phase {
    Opening(Box<(ServerHandshake, Deadline)>),
    Open(Box<Connection>),
    /// The response was not 101. The peer must end its side by the deadline.
    Refused(Deadline),
}

impl Server {
    fn listen(address: SocketAddr) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            clients: HashMap::new(),
            next_token: 0,
            pool: BufferPool::new(1024),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut next_tick = Instant::now() + TICK;
        let mut stopping = false;
        while !(stopping && self.clients.is_empty()) {
            let left = next_tick.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    STOP => {
                        stopping = true;
                        self.poll.registry().deregister(&mut self.listener)?;
                        self.each(|client, output| client.phase.go_away(output));
                    }
                    token => {
                        self.turn(token, event.is_read_closed(), |_, _| Ok(()));
                    }
                }
            }
            let now = Instant::now();
            if next_tick <= now {
                next_tick = now + TICK;
                self.each(|client, output| client.handle_timeout(now, output));
                if !stopping {
                    // When descriptors have run out, no event says that some are free again.
                    self.accept();
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let token = Token(self.next_token);
            self.next_token += 1;
            let both = Interest::READABLE | Interest::WRITABLE;
            let ready = stream
                .set_nodelay(true)
                .and_then(|()| self.poll.registry().register(&mut stream, token, both));
            if ready.is_ok() {
                self.clients.insert(token, Client::new(stream));
            }
        }
    }

    fn each(&mut self, mut act: impl FnMut(&mut Client, &mut SendBuffer) -> io::Result<()>) {
        let tokens: Vec<Token> = self.clients.keys().copied().collect();
        for token in tokens {
            self.turn(token, false, &mut act);
        }
    }

    /// Runs `act` on a client and then does all that is possible without waiting; removes it if it
    /// is over.
    fn turn(
        &mut self,
        token: Token,
        ended: bool,
        act: impl FnOnce(&mut Client, &mut SendBuffer) -> io::Result<()>,
    ) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        let mut buffers = match client.buffers.take() {
            Some(own) => own,
            None => self.pool.take(),
        };
        let acted = act(client, &mut buffers.output);
        if acted.and_then(|()| client.drive(&mut buffers, ended)).is_err() {
            // Dropping a `TcpStream` removes it from the poll.
            self.clients.remove(&token);
        } else {
            client.buffers = self.pool.put_back(buffers);
        }
    }
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        let deadline = Config::new().timeouts.opening(Instant::now());
        let opening = Box::new((ServerHandshake::new(HeadLimits::new()), deadline));
        Self {
            stream,
            phase: Phase::Opening(opening),
            buffers: None,
            stalled: None,
            half_closed: false,
        }
    }

    /// Reads, processes and writes until the socket would block. An error means that the connection
    /// is over. `ended` means that the end of the stream has arrived.
    fn drive(&mut self, buffers: &mut Buffers, ended: bool) -> io::Result<()> {
        let Buffers { input, output } = buffers;
        let mut drained = false;
        loop {
            self.phase.process(input, output, &mut self.stream)?;
            if !write(output, &mut self.stream)? {
                // Back-pressure: nothing is read until the peer has read.
                let waiting = output.buffered_amount();
                if self.stalled.is_none_or(|(before, _)| before != waiting) {
                    self.stalled = Some((waiting, Instant::now()));
                }
                return Ok(());
            }
            self.stalled = None;
            match self.phase.teardown() {
                Teardown::NotYet | Teardown::AwaitPeer => {}
                Teardown::HalfClose if self.half_closed => {}
                Teardown::HalfClose => {
                    self.half_closed = true;
                    self.stream.shutdown(Shutdown::Write)?;
                }
                Teardown::Drop { .. } => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            if drained {
                return Ok(());
            }
            let spare = input.spare_mut();
            let room = spare.len();
            match self.stream.read(spare) {
                Ok(0) => self.phase.receive_eof(output)?,
                Ok(n) => {
                    input.filled(n);
                    // A short read: the socket is empty, and an event will announce more. This
                    // saves a system call per message.
                    drained = n < room && !ended;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Checks the timers. An error means that the connection is over.
    fn handle_timeout(&mut self, now: Instant, output: &mut SendBuffer) -> io::Result<()> {
        if self.stalled.is_some_and(|(_, since)| since + STALL <= now) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match &mut self.phase {
            Phase::Opening(opening) if opening.1.handle_timeout(now).is_err() => {
                if let Err(error) = opening.0.time_out() {
                    opening.0.respond(&error, output);
                    self.phase = Phase::refused();
                }
            }
            Phase::Open(connection) if connection.poll_timeout().is_some_and(|at| at <= now) => {
                // After an error the Close frame that says why is in `output`.
                let _ = connection.handle_timeout(now, output);
            }
            Phase::Refused(deadline) => deadline.handle_timeout(now).map_err(io::Error::other)?,
            _ => {}
        }
        if matches!(self.phase.teardown(), Teardown::Drop { until } if until.is_none_or(|it| it <= now))
        {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl Phase {
    fn refused() -> Self {
        Self::Refused(Config::new().timeouts.ending(Instant::now()))
    }

    /// Processes what has arrived.
    fn process(
        &mut self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
        stream: &mut TcpStream,
    ) -> io::Result<()> {
        if let Self::Opening(opening) = self {
            let answer = |handshake: &ServerHandshake, output: &mut SendBuffer| {
                handshake.request().map(|request| request.accept(&Answer::new(), output))
            };
            let established = match opening.0.advance(input) {
                Ok(false) => return Ok(()),
                Ok(true) => answer(&opening.0, output),
                Err(error) => Some(Err(error)),
            };
            if let Some(Err(error)) = &established {
                opening.0.respond(error, output);
            }
            *self = match established {
                Some(Ok(established)) => {
                    let mut connection = established.connection(&Config::new());
                    // Starts the timers. No deadline can have passed yet.
                    let _ = connection.handle_timeout(Instant::now(), output);
                    Self::Open(Box::new(connection))
                }
                Some(Err(_)) | None => Self::refused(),
            };
        }
        match self {
            Self::Open(connection) => echo(connection, input, output, stream),
            Self::Opening(_) => Ok(()),
            Self::Refused(_) => {
                // Bytes that arrive now are ignored, but must be read: see `Teardown::HalfClose`.
                input.discard();
                Ok(())
            }
        }
    }

    /// What to do with the stream when all waiting bytes are written.
    fn teardown(&self) -> Teardown {
        match self {
            Self::Opening(_) => Teardown::NotYet,
            Self::Open(connection) => connection.teardown(),
            Self::Refused(_) => Teardown::HalfClose,
        }
    }

    /// Handles the end of the peer's side of the stream.
    fn receive_eof(&mut self, output: &mut SendBuffer) -> io::Result<()> {
        let Self::Open(connection) = self else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        connection.receive_eof();
        // Starts the time in which waiting bytes may still be written.
        let _ = connection.handle_timeout(Instant::now(), output);
        Ok(())
    }

    fn go_away(&mut self, output: &mut SendBuffer) -> io::Result<()> {
        if let Self::Open(connection) = self {
            // Refused if it is already closing.
            let _ = connection.start_close(CloseCode::GOING_AWAY, "", output);
            return Ok(());
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

/// Sends back every message that has arrived.
fn echo(
    connection: &mut Connection,
    input: &mut ReceiveBuffer,
    output: &mut SendBuffer,
    stream: &mut TcpStream,
) -> io::Result<()> {
    // An error is the peer's fault; the Close frame that says why is in `output`.
    while let Ok(true) = connection.advance(input, output) {
        match input.event() {
            Some(Event::Message(message)) => match connection.send_in_place(message, output) {
                // A long message is written without a copy; the part that the socket does not take
                // is queued.
                Ok(unwritten) if unwritten.is_worth_a_write(input.worth_a_write()) => {
                    would_block(unwritten.write_to(stream))?;
                }
                // The message is queued, or the connection is closing.
                Ok(_) | Err(SendError::Closed) => {}
                Err(error) => return Err(io::Error::other(error)),
            },
            // The Pong for the next Ping would replace this one.
            Some(Event::Ping(_)) => {
                write(output, stream)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes the waiting bytes; `false` if the socket takes no more.
fn write(output: &mut SendBuffer, stream: &mut TcpStream) -> io::Result<bool> {
    would_block(output.write_to(stream))
}

/// `false` if the socket takes no more.
fn would_block(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
