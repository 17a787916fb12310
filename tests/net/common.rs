//! What the tests of the blocking adapters share: real loopback sockets, raw peers that break
//! rules, and a watchdog, so that a hang is a failure.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansock::frame::Opcode;
use sansock::handshake::Established;
use sansock::net::{Error, Incoming, Server, ServerHandle, Stream, WebSocket};
use sansock::{Config, ReceiveBuffer, Role, SendBuffer, Timeouts};
use testkit::wire;

/// Longer than anything takes on a busy machine, shorter than the defaults that would hide a hang.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(8);

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Fails the test if `work` has not ended in time.
pub(crate) fn within<T: Send + 'static>(
    time: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = work();
        let _ = sender.send(());
        result
    });
    let waited = receiver.recv_timeout(time);
    assert_ne!(waited, Err(mpsc::RecvTimeoutError::Timeout), "not done after {time:?}");
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The two ends of a TCP connection. Reads of the raw end give up after [`TIMEOUT`].
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    for stream in [&one, &other] {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    }
    (one, other)
}

/// One end of a connection over a stream, its opening handshake done.
pub(crate) fn socket(stream: TcpStream, role: Role, config: Config) -> WebSocket {
    let connection = Established::after_handshake(role, None).connection(&config);
    let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
    WebSocket::new(Stream::from(stream), connection, input, output).unwrap()
}

/// A WebSocket of this role, and a bare stream at the other end.
pub(crate) fn with_raw_peer(role: Role, config: Config) -> (WebSocket, TcpStream) {
    let (ours, theirs) = tcp_pair();
    (socket(ours, role, config), theirs)
}

/// A client and a server that are connected.
pub(crate) fn pair(config: Config) -> (WebSocket, WebSocket) {
    let (client, server) = tcp_pair();
    (socket(client, Role::Client, config), socket(server, Role::Server, config))
}

pub(crate) fn timeouts(set: impl FnOnce(Timeouts) -> Timeouts) -> Config {
    Config::new().timeouts(set(Timeouts::new()))
}

/// A frame as a server sends it.
pub(crate) fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    wire::frame(Role::Client, first(opcode), payload)
}

/// A frame as a client sends it.
pub(crate) fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    wire::frame(Role::Server, first(opcode), payload)
}

/// FIN and the opcode.
const fn first(opcode: Opcode) -> u8 {
    match opcode {
        Opcode::Continuation => wire::FIN | wire::CONTINUATION,
        Opcode::Text => wire::FIN | wire::TEXT,
        Opcode::Binary => wire::FIN | wire::BINARY,
        Opcode::Close => wire::CLOSE,
        Opcode::Ping => wire::PING,
        Opcode::Pong => wire::PONG,
    }
}

/// A Close frame of a client.
pub(crate) fn masked_close(code: u16) -> Vec<u8> {
    masked(Opcode::Close, &code.to_be_bytes())
}

/// A Close frame of a server.
pub(crate) fn close_frame(code: u16) -> Vec<u8> {
    frame(Opcode::Close, &code.to_be_bytes())
}

/// Everything until the end of the stream, which must be an orderly one.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    if let Err(error) = stream.read_to_end(&mut all) {
        panic!("{error} after {} bytes, the last {:?}", all.len(), tail(&all));
    }
    all
}

/// The last bytes, for messages.
pub(crate) fn tail(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(16)..]
}

/// Exactly `n` bytes.
pub(crate) fn read_exactly(stream: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Up to the empty line behind a head.
pub(crate) fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read_exactly(stream, 1));
    }
    String::from_utf8(head).unwrap()
}

/// The request of RFC 6455, 1.3, without the empty line.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";

/// A client that has sent its request and read the head of the answer.
pub(crate) fn raw_client(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = connect(address);
    write!(stream, "{REQUEST}\r\n").unwrap();
    let head = read_head(&mut stream);
    (stream, head)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Reads and echoes until the connection is over.
pub(crate) fn echo(incoming: &Incoming) -> Result<(), Error> {
    let mut socket = incoming.accept()?;
    while let Some((event, outgoing)) = socket.exchange()? {
        if let sansock::Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

/// A server that runs on a thread of its own.
pub(crate) struct Running {
    pub(crate) handle: ServerHandle,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    pub(crate) fn start<F>(set: impl FnOnce(Server) -> Server, serve: F) -> Self
    where
        F: Fn(&Incoming) -> Result<(), Error> + Send + Sync + 'static,
    {
        let server = set(Server::bind("127.0.0.1:0").unwrap());
        let handle = server.handle();
        let serve = move |incoming: &Incoming| Ok(serve(incoming)?);
        Self { handle, thread: thread::spawn(move || server.run(serve)) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.handle.local_addr()
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address())
    }

    /// Shuts down; how long it took until `run` had returned.
    pub(crate) fn stop(self) -> Duration {
        let start = Instant::now();
        self.handle.shutdown();
        self.join();
        start.elapsed()
    }

    pub(crate) fn join(self) {
        within(TIMEOUT * 2, move || self.thread.join().unwrap()).unwrap();
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "still waiting: {what}");
        thread::sleep(ms(2));
    }
}

/// The next message as bytes.
pub(crate) fn next_message<S: Read + Write>(socket: &mut WebSocket<S>) -> Vec<u8> {
    loop {
        match socket.next_event().unwrap() {
            Some(sansock::Event::Message(message)) => return message.as_bytes().to_vec(),
            Some(_) => {}
            None => panic!("the connection ended"),
        }
    }
}

/// A message of `n` bytes that repeat a byte.
pub(crate) fn bytes(byte: u8, n: usize) -> Vec<u8> {
    vec![byte; n]
}

/// Sends until the network takes no more; what a peer that does not read makes of a connection.
pub(crate) fn fill(stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let zeros = [0; 16 << 10];
    while (&*stream).write(&zeros).is_ok() {}
    stream.set_nonblocking(false).unwrap();
}
