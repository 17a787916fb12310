//! One message to many connections, encoded once: what each receiver costs beside a bare write of
//! the same bytes to the same socket.
//!
//! `cargo bench -p sansock-benches --bench broadcast [-- CONNECTIONS]`
//!
//! The receivers are in a process of their own, because a process has too few descriptors for both ends. They
//! read between the measurements: nothing waits, and nothing else runs.
#![expect(clippy::unwrap_used, reason = "a bench that fails stops")]
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use sansock::handshake::Established;
use sansock::hub::{Budget, Due, Hub, Published, Ready};
use sansock::net::{Stream, WebSocket};
use sansock::{Config, Connection, EncodedMessage, ReceiveBuffer, Role, SendBuffer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Runtime;

/// The variable that makes this program the receivers: our address, and their number.
const RECEIVERS: &str = "BROADCAST_RECEIVERS";

fn main() {
    if let Ok(given) = std::env::var(RECEIVERS) {
        return receive(&given);
    }
    let given = std::env::args().skip(1).find_map(|word| word.parse().ok());
    println!(
        "{:>11} {:>6} {:>13} {:>9} {:>9} {:>6}",
        "connections", "bytes", "", "bare, ns", "ns", "ratio"
    );
    for connections in given.map_or(vec![1_000, 10_000], |given| vec![given]) {
        for size in [125, 1 << 10, 16 << 10] {
            let message = EncodedMessage::new(&vec![7; size][..]);
            for (name, least) in [
                ("blocking", blocking(connections, &message)),
                ("event loop", event_loop(connections, &message)),
                ("tokio", tokio(connections, &message)),
                ("hub, blocking", hub_blocking(connections, &message)),
                ("hub, loop", hub_event_loop(connections, &message)),
                ("hub, tokio", tokio_hub(connections, &message)),
            ] {
                let [bare, ours] = least;
                let ratio = ours / bare;
                println!(
                    "{connections:>11} {size:>6} {name:>13} {bare:>9.0} {ours:>9.0} {ratio:>6.3}"
                );
            }
        }
    }
}

fn connection() -> Connection {
    Established::after_handshake(Role::Server, None).connection(&Config::new())
}

fn blocking(connections: u16, message: &EncodedMessage) -> [f64; 2] {
    let (streams, receivers) = pairs(connections);
    let mut sockets: Vec<_> = streams
        .map(|stream| {
            let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
            WebSocket::new(Stream::from(stream), connection(), input, output).unwrap()
        })
        .collect();
    least(connections, receivers, message, |bare| {
        for socket in &mut sockets {
            if bare {
                write(socket.get_ref().get_ref(), message);
            } else {
                socket.send_encoded(black_box(message)).unwrap();
            }
        }
    })
}

fn event_loop(connections: u16, message: &EncodedMessage) -> [f64; 2] {
    let (streams, receivers) = pairs(connections);
    let mut sockets: Vec<_> = streams.map(|stream| (connection(), stream)).collect();
    let mut output = SendBuffer::new();
    least(connections, receivers, message, |bare| {
        for (connection, stream) in &mut sockets {
            if bare {
                write(stream, message);
            } else {
                let unwritten = connection.send_encoded_in_place(black_box(message), &mut output);
                unwritten.unwrap().write_to(stream).unwrap();
            }
        }
    })
}

fn tokio(connections: u16, message: &EncodedMessage) -> [f64; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (streams, receivers) = pairs(connections);
    let mut sockets: Vec<_> = streams.map(|stream| on_tokio(adopt(&runtime, stream))).collect();
    least(connections, receivers, message, |bare| {
        runtime.block_on(async {
            for socket in &mut sockets {
                if bare {
                    let written = socket.get_ref().try_write(black_box(message.as_bytes()));
                    assert_eq!(written.unwrap(), message.as_bytes().len());
                } else {
                    socket.send_encoded(black_box(message)).await.unwrap();
                }
            }
        });
    })
}

/// A hub, whose subscribers are split connections.
fn hub_blocking(connections: u16, message: &EncodedMessage) -> [f64; 2] {
    let (streams, receivers) = pairs(connections);
    let hub = Hub::new();
    let topic = hub.topic("news");
    let all: Vec<_> = streams
        .map(|stream| {
            let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
            let socket = WebSocket::new(Stream::from(stream), connection(), input, output).unwrap();
            let bare = socket.get_ref().clone();
            let (reader, writer) = socket.split().unwrap();
            let subscription = topic.subscribe(&writer.subscriber(Budget::default()));
            (bare, reader, writer, subscription)
        })
        .collect();
    least(connections, receivers, message, |bare| {
        if bare {
            for (stream, ..) in &all {
                write(stream.get_ref(), message);
            }
        } else {
            published(topic.publish_encoded(black_box(message)), connections);
        }
    })
}

/// A hub, whose subscribers are connections of an event loop in the same thread.
fn hub_event_loop(connections: u16, message: &EncodedMessage) -> [f64; 2] {
    let (streams, receivers) = pairs(connections);
    let (hub, ready) = (Hub::new(), Ready::new(|| {}));
    let topic = hub.topic("news");
    let mut all: Vec<_> = streams
        .zip(0_usize..)
        .map(|(stream, token)| {
            let subscriber = ready.subscriber(token, Budget::default());
            let subscription = topic.subscribe(&subscriber);
            (connection(), stream, subscriber, subscription)
        })
        .collect();
    let (mut output, mut tokens) = (SendBuffer::new(), Vec::new());
    least(connections, receivers, message, |bare| {
        if bare {
            return all.iter().for_each(|it| write(&it.1, message));
        }
        published(topic.publish_encoded(black_box(message)), connections);
        ready.take(&mut tokens);
        for &token in &tokens {
            let (connection, stream, subscriber, _) = &mut all[token];
            while let Some(Due::Message(mail)) = subscriber.take() {
                let unwritten = connection.send_encoded_in_place(&mail, &mut output);
                unwritten.unwrap().write_to(stream).unwrap();
            }
        }
    })
}

fn published(published: Published, connections: u16) {
    assert_eq!((published.accepted, published.dropped), (connections.into(), 0));
}

fn adopt(runtime: &Runtime, stream: TcpStream) -> tokio::net::TcpStream {
    stream.set_nonblocking(true).unwrap();
    let _guard = runtime.enter();
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    // Lets the runtime learn that the socket takes bytes.
    runtime.block_on(stream.writable()).unwrap();
    stream
}

fn on_tokio<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> sansock_tokio::WebSocket<S> {
    let established = Established::after_handshake(Role::Server, None);
    let (config, input) = (Config::new(), ReceiveBuffer::new());
    sansock_tokio::WebSocket::from_established(stream, established, &config, input)
}

/// `Topic::publish` to halves, whose transports are kept for the bare writes.
fn tokio_hub(connections: u16, message: &EncodedMessage) -> [f64; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (streams, receivers) = pairs(connections);
    let topic = Hub::new().topic("news");
    let (mut sockets, mut halves, mut subscriptions) = (Vec::new(), Vec::new(), Vec::new());
    for stream in streams {
        let socket = Socket(Arc::new(adopt(&runtime, stream)));
        let (reader, writer) = on_tokio(socket.clone()).split();
        subscriptions.push(topic.subscribe(&writer.subscriber(Budget::default())));
        sockets.push(socket);
        halves.push((reader, writer));
    }
    least(connections, receivers, message, |bare| {
        runtime.block_on(async {
            if bare {
                for socket in &sockets {
                    let written = socket.0.try_write(black_box(message.as_bytes()));
                    assert_eq!(written.unwrap(), message.as_bytes().len());
                }
            } else {
                topic.publish_encoded(black_box(message));
            }
        });
    })
}

/// A socket that the bench keeps too.
#[derive(Clone)]
struct Socket(Arc<tokio::net::TcpStream>);

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // As the socket's own does, which needs it alone: one look at the readiness.
        loop {
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.0.poll_write_ready(cx))?;
                }
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn write(mut stream: &TcpStream, message: &EncodedMessage) {
    let bytes = black_box(message.as_bytes());
    assert_eq!(stream.write(bytes).unwrap(), bytes.len());
}

/// Connections over loopback: our ends, and the receivers.
fn pairs(connections: u16) -> (impl Iterator<Item = TcpStream>, Receivers) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let receivers = Receivers::start(&format!("{} {connections}", listener.local_addr().unwrap()));
    let accept = move |_| {
        let (ours, _) = listener.accept().unwrap();
        ours.set_nodelay(true).unwrap();
        ours
    };
    let ours: Vec<_> = (0..connections).map(accept).collect();
    (ours.into_iter(), receivers)
}

/// The receivers' process.
struct Receivers {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Receivers {
    fn start(given: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(RECEIVERS, given).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, orders, answers }
    }

    /// Has each receiver read so many bytes.
    fn read(&mut self, bytes: usize) {
        writeln!(self.orders, "{bytes}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "read\n");
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What the receivers' process does.
fn receive(given: &str) {
    let (address, number) = given.split_once(' ').unwrap();
    let connect = |_| TcpStream::connect(address).unwrap();
    let mut streams: Vec<_> = (0..number.parse::<u16>().unwrap()).map(connect).collect();
    for line in io::stdin().lines() {
        let mut sink = vec![0; line.unwrap().parse().unwrap()];
        for stream in &mut streams {
            stream.read_exact(&mut sink).unwrap();
        }
        println!("read");
    }
}

/// The least nanoseconds per receiver, of bare writes and of ours.
fn least(
    connections: u16,
    mut receivers: Receivers,
    message: &EncodedMessage,
    mut send: impl FnMut(bool),
) -> [f64; 2] {
    let mut least = [f64::INFINITY; 2];
    for _ in 0..(60_000 / connections).clamp(5, 50) {
        for (bare, least) in [true, false].into_iter().zip(&mut least) {
            let start = Instant::now();
            send(bare);
            *least = least.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(connections));
            receivers.read(message.as_bytes().len());
        }
    }
    least
}
