//! Accepting clients.

use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs,
};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use super::linger::{linger, linger_until};
use super::opening::read_head;
use super::slot::Slot;
use super::{Error, Socket, Tcp, WebSocket};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::config::Config;
use crate::handshake::{
    Answer, HandshakeError, HeadLimits, OriginPolicy, Rejection, Request, ServerHandshake,
};

/// A server: a thread for each connection, its opening handshake included.
///
/// ```no_run
/// use sansock::Event;
/// use sansock::net::{Incoming, Server};
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// server.run(|incoming: &mut Incoming| {
///     let mut socket = incoming.accept()?;
///     while let Some((event, outgoing)) = socket.exchange()? {
///         if let Event::Message(message) = event {
///             outgoing.queue(message)?;
///         }
///     }
///     Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    listener: TcpListener,
    options: Options,
    shared: Arc<Shared>,
}

/// What holds for each connection.
#[derive(Clone, Debug)]
struct Options {
    config: Config,
    head_limits: HeadLimits,
    origins: OriginPolicy,
    max_connections: usize,
    write_timeout: Option<Duration>,
    stack_size: Option<usize>,
}

/// Stops a [`Server`] from another thread.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    state: Mutex<Registry>,
    /// Notified when a connection ends and when the server shuts down.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Registry {
    slots: Vec<Arc<Slot>>,
    /// Whether the server runs and takes clients.
    accepting: bool,
    shutting_down: bool,
}

/// How long to wait when the operating system has run out of something.
const RETRY: Duration = Duration::from_millis(20);
/// For how long to try to end the wait of `accept`.
const WAKE_TIME: Duration = Duration::from_secs(2);

impl Server {
    /// Listens at an address; port 0 takes a free one ([`local_addr`](Self::local_addr)).
    ///
    /// # Errors
    ///
    /// The operating system's: the port is taken, for one.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::from_listener(TcpListener::bind(address)?)
    }

    /// Takes a listener that was set up elsewhere, and makes it blocking.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn from_listener(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let options = Options {
            config: Config::new(),
            head_limits: HeadLimits::new(),
            origins: OriginPolicy::Any,
            max_connections: 10_000,
            write_timeout: Some(Duration::from_secs(30)),
            stack_size: None,
        };
        Ok(Self { listener, options, shared })
    }

    /// Sets limits, delivery and timeouts.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.options.config = config;
        self
    }

    /// Sets the limits of a request's head.
    #[must_use]
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.options.head_limits = limits;
        self
    }

    /// Sets which pages may connect from a browser (RFC 6455, 10.2); any, unless set. It concerns
    /// requests that ask for WebSocket, and those it refuses are answered with 403.
    #[must_use]
    pub fn origins(mut self, policy: OriginPolicy) -> Self {
        self.options.origins = policy;
        self
    }

    /// Sets how many connections there may be, those in their handshake included; 10,000 unless
    /// set. Further ones wait in the listener's backlog.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.options.max_connections = connections.max(1);
        self
    }

    /// Sets how long a write may make no progress, after which it fails and with it the connection:
    /// a peer that does not read; 30 seconds unless set, `None` for ever.
    #[must_use]
    pub fn write_timeout(mut self, time: Option<Duration>) -> Self {
        self.options.write_timeout = time;
        self
    }

    /// Sets the stack of each connection's thread in bytes; that of the standard library unless set.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.options.stack_size = Some(bytes);
        self
    }

    /// The address that the server listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// What stops the server.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { shared: Arc::clone(&self.shared) }
    }

    /// Accepts clients until [`ServerHandle::shutdown`], and calls `serve` for each request on a
    /// thread of its own; a request that is wrong was refused before. What `serve` returns and how it
    /// ends, a panic included, concerns its own connection only. That connection ends when `serve`
    /// does, even if another thread holds it.
    ///
    /// After the shutdown it waits until all connections have ended, for
    /// [`Timeouts::closing`](crate::Timeouts::closing) and a second at most.
    ///
    /// # Errors
    ///
    /// The listener is broken. Errors that pass, such as too many open files, are waited out.
    pub fn run<F>(self, serve: F) -> io::Result<()>
    where
        F: Fn(&mut Incoming) -> Result<(), Error> + Send + Sync + 'static,
    {
        let serve = Arc::new(serve);
        self.shared.lock().accepting = true;
        let result = self.accept_all(&serve);
        self.shared.lock().accepting = false;
        self.shared.close_all(&self.options);
        result
    }

    fn accept_all<F>(&self, serve: &Arc<F>) -> io::Result<()>
    where
        F: Fn(&mut Incoming) -> Result<(), Error> + Send + Sync + 'static,
    {
        while self.shared.wait_for_room(self.options.max_connections) {
            let (stream, peer) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => {
                    if error.kind() != io::ErrorKind::ConnectionAborted {
                        // No descriptors or no memory: some may be free soon.
                        self.shared.pause(RETRY);
                    }
                    continue;
                }
            };
            let Some(guard) = self.shared.register(stream) else { return Ok(()) };
            let (serve, options) = (Arc::clone(serve), self.options.clone());
            let mut builder = thread::Builder::new().name("sansock-connection".into());
            if let Some(size) = options.stack_size {
                builder = builder.stack_size(size);
            }
            let spawned = builder.spawn(move || serve_one(&guard, peer, options, &*serve));
            if spawned.is_err() {
                // The connection was dropped with its guard. Threads may be there again soon.
                self.shared.pause(RETRY);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.shared.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl ServerHandle {
    /// Accepts no more, closes each connection with 1001, behind what was accepted for sending on it,
    /// and lets [`Server::run`] return when they have ended. A client whose request has not arrived
    /// as a whole is not served. It does not wait for any of that.
    pub fn shutdown(&self) {
        let slots = {
            let mut registry = self.shared.lock();
            registry.shutting_down = true;
            registry.slots.clone()
        };
        self.shared.changed.notify_all();
        for slot in slots {
            slot.go_away();
        }
        self.shared.wake_accept();
    }

    /// How many connections there are, those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().slots.len()
    }

    /// The address that the server listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }
}

/// A client whose request has arrived and is right: accept it or reject it.
///
/// If neither is done, it is rejected with 500.
#[derive(Debug)]
pub struct Incoming {
    stream: Option<Tcp>,
    slot: Arc<Slot>,
    peer: SocketAddr,
    handshake: ServerHandshake,
    input: ReceiveBuffer,
    output: SendBuffer,
    options: Options,
}

impl Incoming {
    /// The address of the client, or of the proxy before it.
    #[must_use]
    pub const fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// What the client asks for: target, headers, subprotocols, Origin. `None` only after it was
    /// answered.
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        if self.stream.is_some() { self.handshake.request() } else { None }
    }

    /// Accepts the client, without a subprotocol.
    ///
    /// # Errors
    ///
    /// As [`accept_with`](Self::accept_with).
    pub fn accept(&mut self) -> Result<WebSocket, Error> {
        self.accept_with(&Answer::new())
    }

    /// Accepts the client.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the request does not ask for WebSocket, its Origin is refused, or the
    /// answer is not valid: then the client has got an error. [`Error::Io`].
    pub fn accept_with(&mut self, answer: &Answer) -> Result<WebSocket, Error> {
        let established = match self.request().map(|request| {
            self.options.origins.check(&request)?;
            let mut output = SendBuffer::new();
            Ok((request.accept(answer, &mut output)?, output))
        }) {
            None => return Err(answered()),
            Some(Err(error)) => return self.refuse(error),
            Some(Ok((established, output))) => {
                self.output = output;
                established
            }
        };
        let mut stream = self.stream.take().ok_or_else(answered)?;
        self.output.write_to(&mut stream)?;
        let input = std::mem::take(&mut self.input);
        let connection = established.connection(&self.options.config);
        let output = std::mem::take(&mut self.output);
        let mut socket = WebSocket::new(stream, connection, input, output)?;
        socket.set_subprotocol(established.subprotocol());
        socket.set_slot(Arc::clone(&self.slot));
        Ok(socket)
    }

    /// Answers with something else than a connection: an error, or a page.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the answer is not valid: then the client has got 500. [`Error::Io`].
    pub fn reject(&mut self, rejection: &Rejection) -> Result<(), Error> {
        let result = match self.handshake.request().filter(|_| self.stream.is_some()) {
            None => return Err(answered()),
            Some(request) => request.reject(rejection, &mut self.output),
        };
        match result {
            Ok(()) => self.say_goodbye(),
            Err(error) => self.refuse(error),
        }
    }

    /// Tells the client what is wrong.
    fn refuse<T>(&mut self, error: HandshakeError) -> Result<T, Error> {
        error.respond(&mut self.output);
        self.say_goodbye()?;
        Err(error.into())
    }

    /// Writes the answer and ends our side; [`serve_one`] waits for the client's end.
    fn say_goodbye(&mut self) -> Result<(), Error> {
        let Some(mut stream) = self.stream.take() else { return Ok(()) };
        self.output.write_to(&mut stream)?;
        Ok(stream.shutdown_write()?)
    }
}

fn answered() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::NotConnected, "the request was answered already"))
}

/// One connection from its first byte to its last.
fn serve_one<F>(guard: &Guard, peer: SocketAddr, options: Options, serve: &F)
where
    F: Fn(&mut Incoming) -> Result<(), Error>,
{
    let mut incoming = Incoming {
        stream: Some(guard.slot.stream().clone()),
        slot: Arc::clone(&guard.slot),
        peer,
        handshake: ServerHandshake::new(options.head_limits),
        input: ReceiveBuffer::new(),
        output: SendBuffer::new(),
        options,
    };
    // Whoever wants to know about errors looks at them in `serve`; of a panic the panic hook tells.
    let _ = panic::catch_unwind(AssertUnwindSafe(|| {
        incoming.open().and_then(|()| serve(&mut incoming))
    }));
    if incoming.stream.is_some() {
        let _ = incoming.reject(&Rejection::new(500));
    }
    // The client has an answer or a Close frame that it may not have read yet, or the program has
    // dropped its socket.
    if !guard.slot.is_settled() && guard.slot.stream().clone().shutdown_write().is_ok() {
        let until = linger_until(incoming.options.config.timeouts.closing);
        linger(&mut guard.slot.stream().clone(), until);
    }
}

impl Incoming {
    fn open(&mut self) -> Result<(), Error> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        stream.get_ref().set_nodelay(true)?;
        stream.get_ref().set_write_timeout(self.options.write_timeout)?;
        let deadline = self.options.config.timeouts.opening(Instant::now());
        match read_head(stream, &mut self.input, &mut self.handshake, &deadline) {
            Err(Error::Handshake(HandshakeError::UnexpectedEof)) => {
                // Nobody is there to be told.
                self.stream = None;
                Err(HandshakeError::UnexpectedEof.into())
            }
            Err(Error::Handshake(error)) => self.refuse(error),
            Ok(()) if !self.slot.open() => {
                self.reject(&Rejection::new(503))?;
                Err(answered())
            }
            result => result,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `false` if the server shuts down.
    fn wait_for_room(&self, connections: usize) -> bool {
        let mut registry = self.lock();
        while registry.slots.len() >= connections && !registry.shutting_down {
            registry = self.changed.wait(registry).unwrap_or_else(PoisonError::into_inner);
        }
        !registry.shutting_down
    }

    fn pause(&self, time: Duration) {
        drop(self.changed.wait_timeout(self.lock(), time));
    }

    /// `None` if the server shuts down.
    fn register(self: &Arc<Self>, stream: TcpStream) -> Option<Guard> {
        let slot = Arc::new(Slot::new(stream.into()));
        let mut registry = self.lock();
        if registry.shutting_down {
            return None;
        }
        registry.slots.push(Arc::clone(&slot));
        Some(Guard { shared: Arc::clone(self), slot })
    }

    /// Ends the wait of `accept` with a connection.
    fn wake_accept(&self) {
        let until = Instant::now() + WAKE_TIME;
        while TcpStream::connect_timeout(&reachable(self.address), WAKE_TIME).is_err() {
            // No descriptors, for one: the connections that end now give some back.
            if Instant::now() >= until || !self.lock().accepting {
                return;
            }
            thread::sleep(RETRY);
        }
    }

    /// Waits for the connections to end: the peers have the time of the closing handshake, and then
    /// their transports are ended.
    fn close_all(&self, options: &Options) {
        self.wait_until_empty(linger_until(options.config.timeouts.closing));
        for slot in &self.lock().slots {
            let _ = slot.stream().get_ref().shutdown(Shutdown::Both);
        }
        self.wait_until_empty(Instant::now() + Duration::from_secs(1));
    }

    fn wait_until_empty(&self, until: Instant) {
        let mut registry = self.lock();
        while !registry.slots.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(registry, left);
            registry = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Frees the connection's place, however its thread ends.
#[derive(Debug)]
struct Guard {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.lock().slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        self.shared.changed.notify_all();
    }
}

/// Errors of `accept` that no waiting helps against: the listener itself is at fault.
fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}

/// Where the listener can be reached from this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
