//! `net::WebSocket`: what goes out in which write, what a failing transport loses (nothing), and
//! waiting with timeouts.

#[path = "common/net.rs"]
mod common;

use std::collections::VecDeque;
use std::io::{self, BufWriter, IoSlice, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use common::*;
use sansock::net::{self, Error, Incoming, Next, Reader, Server, ServerHandle, WebSocket, Writer};
use sansock::{
    CloseCode, Config, EncodedMessage, Established, Event, Keepalive, Limits, Message, OpCode,
    ReceiveBuffer, Role, SendBuffer, SendError, Timeout,
};

const fn is_send<T: Send>() {}
const fn is_sync<T: Sync>() {}
const _: () = {
    is_send::<WebSocket>();
    is_send::<Reader>();
    is_send::<Writer>();
    is_sync::<Writer>();
    is_send::<Server>();
    is_send::<ServerHandle>();
    is_sync::<ServerHandle>();
    is_send::<Incoming>();
    is_send::<Error>();
    is_sync::<Error>();
};

/// What the next write does.
enum Turn {
    Takes(usize),
    Fails(io::ErrorKind),
}

/// A transport that takes what it is told to and remembers each write. Reads find its end.
#[derive(Default)]
struct Wire {
    /// What the next writes do; when there is nothing more, they take all.
    turns: VecDeque<Turn>,
    /// Each write's bytes; of a vectored write, all slices together.
    writes: Vec<Vec<u8>>,
    vectored: usize,
    flushed: usize,
    incoming: VecDeque<io::Result<Vec<u8>>>,
}

impl Wire {
    fn bytes(&self) -> Vec<u8> {
        self.writes.concat()
    }

    fn take(&mut self, all: Vec<u8>) -> io::Result<usize> {
        let n = match self.turns.pop_front() {
            None => all.len(),
            Some(Turn::Takes(n)) => n.min(all.len()),
            Some(Turn::Fails(kind)) => return Err(kind.into()),
        };
        self.writes.push(all[..n].to_vec());
        Ok(n)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(next) = self.incoming.pop_front() else { return Ok(0) };
        let mut bytes = next?;
        let rest = bytes.split_off(buffer.len().min(bytes.len()));
        if !rest.is_empty() {
            self.incoming.push_front(Ok(rest));
        }
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes.to_vec())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.vectored += 1;
        self.take(slices.iter().flat_map(|slice| slice.to_vec()).collect())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed += 1;
        Ok(())
    }
}

fn over<S: Read + Write>(stream: S, role: Role, config: Config) -> WebSocket<S> {
    let connection = Established::elsewhere(role, None).connection(&config);
    WebSocket::over(stream, connection, ReceiveBuffer::new(), SendBuffer::new())
}

fn server(turns: impl IntoIterator<Item = Turn>) -> WebSocket<Wire> {
    let wire = Wire { turns: turns.into_iter().collect(), ..Wire::default() };
    over(wire, Role::Server, Config::new())
}

fn kind(result: Result<(), Error>) -> Option<io::ErrorKind> {
    match result {
        Ok(()) => None,
        Err(Error::Io(error)) => Some(error.kind()),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_small_message_is_one_write() {
    let mut socket = server([]);
    socket.send("Hello").unwrap();
    assert_eq!(socket.get_ref().writes, [b"\x81\x05Hello"]);
}

#[test]
fn what_is_queued_is_one_write() {
    let mut socket = server([]);
    for _ in 0..100 {
        socket.queue("x").unwrap();
    }
    assert_eq!(socket.buffered_amount(), 300);
    socket.send("y").unwrap();
    assert_eq!(socket.get_ref().writes, [[&b"\x81\x01x".repeat(100)[..], b"\x81\x01y"].concat()]);
}

#[test]
fn a_large_message_is_one_vectored_write_with_its_header_and_what_was_queued() {
    let payload = bytes(7, 1 << 20);
    let mut socket = server([]);
    socket.queue("first").unwrap();
    socket.send(&payload).unwrap();
    let wire = socket.get_ref();
    assert_eq!((wire.writes.len(), wire.vectored), (1, 1));
    assert_eq!(wire.writes[0], [&b"\x81\x05first"[..], &frame(OpCode::Binary, &payload)].concat());
}

#[test]
fn a_broadcast_is_written_from_the_one_encoding() {
    for size in [1, 100_000] {
        let payload = bytes(9, size);
        let message = EncodedMessage::new(&payload);
        let mut one = server([]);
        one.send_encoded(&message).unwrap();
        one.outgoing().queue_encoded(&message).unwrap();
        one.flush().unwrap();
        assert_eq!(one.get_ref().bytes(), frame(OpCode::Binary, &payload).repeat(2));
        assert_eq!(one.get_ref().writes.len(), 2);
    }
}

#[test]
fn a_client_masks_what_it_sends_each_time_anew() {
    for size in [10, 300_000] {
        let message = EncodedMessage::new(&bytes(0, size));
        let mut socket = over(Wire::default(), Role::Client, Config::new());
        socket.send_encoded(&message).unwrap();
        socket.send_encoded(&message).unwrap();
        let wire = socket.get_ref().bytes();
        let (one, other) = wire.split_at(wire.len() / 2);
        assert_ne!(one, other);
        let mut receiver = sansock::Receiver::new(Role::Server, &Config::new());
        let mut input = ReceiveBuffer::new();
        input.extend_from_slice(&wire);
        for _ in 0..2 {
            let event = receiver.next_event(&mut input).unwrap();
            assert_eq!(event, Some(Event::Message(Message::Binary(&bytes(0, size)))));
        }
    }
}

/// Every write is cut short, would block, is interrupted or takes nothing, and the frames arrive whole.
#[test]
fn a_moody_transport_loses_nothing() {
    for role in [Role::Server, Role::Client] {
        for step in [1, 2, 3, 7, 1000] {
            let turns = (0..4000).map(|turn| match turn % 5 {
                1 => Turn::Fails(io::ErrorKind::WouldBlock),
                2 => Turn::Fails(io::ErrorKind::Interrupted),
                4 => Turn::Takes(if turn % 35 == 4 { 0 } else { step }),
                _ => Turn::Takes(step),
            });
            let wire = Wire { turns: turns.collect(), ..Wire::default() };
            let mut socket = over(wire, role, Config::new());
            let sent: Vec<Vec<u8>> =
                [3, 5000, 0, 300, 9000].iter().zip(1..).map(|(n, i)| bytes(i, *n)).collect();
            for message in &sent {
                // Accepted, whatever becomes of the writing.
                let result = kind(socket.send(message));
                assert!(matches!(
                    result,
                    None | Some(io::ErrorKind::WouldBlock | io::ErrorKind::WriteZero)
                ));
            }
            while socket.buffered_amount() > 0 {
                let _ = socket.flush();
            }
            let mut input = ReceiveBuffer::new();
            input.extend_from_slice(&socket.get_ref().bytes());
            let other = if role == Role::Server { Role::Client } else { Role::Server };
            let mut receiver = sansock::Receiver::new(other, &Config::new());
            for message in &sent {
                let event = receiver.next_event(&mut input).unwrap();
                assert_eq!(event, Some(Event::Message(Message::Binary(message))));
            }
            assert_eq!(receiver.next_event(&mut input), Ok(None));
        }
    }
}

#[test]
fn an_error_amid_a_large_message_leaves_the_rest_to_a_later_flush() {
    for taken in [0, 1, 9, 10, 11, 50_000] {
        let payload = bytes(5, 100_000);
        let first = if taken == 0 { vec![] } else { vec![Turn::Takes(taken)] };
        let fails = Turn::Fails(io::ErrorKind::ConnectionAborted);
        let mut socket = server(first.into_iter().chain([fails]));
        assert_eq!(kind(socket.send(&payload)), Some(io::ErrorKind::ConnectionAborted));
        let whole = frame(OpCode::Binary, &payload);
        assert_eq!(socket.buffered_amount(), whole.len() - taken);
        socket.queue("next").unwrap();
        socket.flush().unwrap();
        let expected = [&whole[..], b"\x81\x04next"].concat();
        assert_eq!(socket.get_ref().bytes(), expected, "after {taken} bytes");
    }
}

#[test]
fn what_waits_is_bounded_when_the_peer_does_not_read() {
    let turns = (0..1000).map(|_| Turn::Fails(io::ErrorKind::WouldBlock)).collect();
    let config = Config::new().limits(Limits::new().buffered(50_000));
    let mut socket = over(Wire { turns, ..Wire::default() }, Role::Server, config);
    let large = bytes(0, 20_000);
    assert_eq!(kind(socket.send(&large)), Some(io::ErrorKind::WouldBlock));
    assert_eq!(kind(socket.send(&large)), Some(io::ErrorKind::WouldBlock));
    let before = socket.buffered_amount();
    for _ in 0..10 {
        let full = Error::Send(SendError::BufferFull { limit: 50_000 });
        let results = [
            socket.send(&large),
            socket.send_encoded(&EncodedMessage::new(&large)),
            socket.queue(&large),
        ];
        for result in results {
            assert_eq!(result.unwrap_err().to_string(), full.to_string());
        }
        assert_eq!(socket.buffered_amount(), before);
    }
}

#[test]
fn a_transport_that_buffers_is_flushed() {
    let (client, server) = tcp_pair();
    let buffered = Buffered(BufWriter::new(client));
    let mut client = over(buffered, Role::Client, Config::new());
    let mut server = socket(server, Role::Server, Config::new());
    for size in [10, 100_000] {
        client.send(&bytes(1, size)).unwrap();
        assert_eq!(next_message(&mut server).len(), size);
    }
    client.queue("before the wait").unwrap();
    server.send("there").unwrap();
    next_message(&mut client);
    assert_eq!(next_message(&mut server), b"before the wait");
}

struct Buffered(BufWriter<std::net::TcpStream>);

impl Read for Buffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.get_mut().read(buffer)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One end of a connection in memory. A read waits for the other end's writes or its end.
struct Duplex {
    incoming: mpsc::Receiver<Vec<u8>>,
    rest: VecDeque<u8>,
    outgoing: mpsc::Sender<Vec<u8>>,
}

fn duplex() -> (Duplex, Duplex) {
    let (one, other) = (mpsc::channel(), mpsc::channel());
    let end = |incoming, outgoing| Duplex { incoming, rest: VecDeque::new(), outgoing };
    (end(one.1, other.0), end(other.1, one.0))
}

impl Read for Duplex {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest.extend(self.incoming.recv().unwrap_or_default());
        }
        self.rest.read(buffer)
    }
}

impl Write for Duplex {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Neither end can end its sending side alone, and still neither waits for the other for ever.
#[test]
fn any_read_and_write_will_do_until_both_ends_have_closed() {
    for server_starts in [true, false] {
        within(PATIENCE, move || {
            let (client, server) = duplex();
            let server = thread::spawn(move || {
                let mut socket = over(server, Role::Server, Config::new());
                while let Some((event, outgoing)) = socket.exchange().unwrap() {
                    match event {
                        Event::Message(Message::Text("close")) => {
                            outgoing.start_close(CloseCode::NORMAL, "").unwrap();
                        }
                        Event::Message(message) => outgoing.queue(message).unwrap(),
                        _ => {}
                    }
                }
                socket.outcome()
            });
            let mut socket = over(client, Role::Client, Config::new());
            socket.send("Hello").unwrap();
            assert_eq!(next_message(&mut socket), b"Hello");
            if server_starts {
                socket.send("close").unwrap();
                while socket.next_event().unwrap().is_some() {}
            } else {
                socket.close(CloseCode::NORMAL, "").unwrap();
            }
            assert_eq!(socket.outcome().unwrap().code(), 1000);
            assert_eq!(server.join().unwrap().unwrap().code(), 1000);
        });
    }
}

#[test]
fn a_stream_that_would_block_says_so_and_loses_nothing() {
    let wire =
        [masked(OpCode::Text, b"one"), masked(OpCode::Ping, b"?"), masked(OpCode::Text, b"two")];
    let wire = wire.concat();
    let mut stream = Wire::default();
    for byte in &wire {
        stream.incoming.push_back(Err(io::ErrorKind::WouldBlock.into()));
        stream.incoming.push_back(Ok(vec![*byte]));
    }
    // The Pong finds no way out at first.
    stream.turns.extend((0..3).map(|_| Turn::Fails(io::ErrorKind::WouldBlock)));
    let mut socket = over(stream, Role::Server, Config::new());
    let (mut events, mut blocked) = (Vec::new(), 0);
    loop {
        match socket.next_event() {
            Ok(Some(Event::Message(message))) => events.push(message.as_bytes().to_vec()),
            Ok(Some(Event::Ping(payload))) => events.push(payload.to_vec()),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => blocked += 1,
            Err(Error::Abnormal) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(events, [&b"one"[..], b"?", b"two"]);
    assert!(blocked >= wire.len());
    assert_eq!(socket.get_ref().bytes(), frame(OpCode::Pong, b"?"));
}

#[test]
fn waiting_for_a_time_goes_on_afterwards_even_amid_a_frame() {
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    let message = masked(OpCode::Text, b"in pieces");
    for cut in 0..message.len() {
        peer.write_all(&message[..cut]).unwrap();
        let start = Instant::now();
        assert_eq!(socket.next_event_timeout(ms(5)).unwrap(), Next::TimedOut);
        assert!(start.elapsed() < PATIENCE);
        peer.write_all(&message[cut..]).unwrap();
        let next = socket.next_event_timeout(PATIENCE).unwrap();
        assert_eq!(next, Next::Event(Event::Message(Message::Text("in pieces"))), "cut at {cut}");
    }
    // Without a time it waits as ever.
    let writer = thread::spawn(move || {
        thread::sleep(ms(30));
        peer.write_all(&message).unwrap();
        peer
    });
    assert_eq!(next_message(&mut socket), b"in pieces");
    let mut peer = writer.join().unwrap();
    peer.write_all(&masked_close(1000)).unwrap();
    assert!(matches!(socket.next_event_timeout(PATIENCE).unwrap(), Next::Event(Event::Close(_))));
    drop(peer);
    assert_eq!(socket.next_event_timeout(PATIENCE).unwrap(), Next::Ended);
}

#[test]
fn waiting_for_no_time_takes_what_has_arrived() {
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    assert_eq!(socket.next_event_timeout(ms(0)).unwrap(), Next::TimedOut);
    peer.write_all(&masked(OpCode::Text, b"here")).unwrap();
    // Loopback delivers before `write` returns.
    let next = socket.next_event_timeout(ms(0)).unwrap();
    assert_eq!(next, Next::Event(Event::Message(Message::Text("here"))));
}

#[test]
fn a_peer_that_drips_does_not_stretch_the_wait() {
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    let dripping = thread::spawn(move || {
        for byte in masked(OpCode::Binary, &bytes(0, 300)) {
            if peer.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(ms(10));
        }
    });
    let start = Instant::now();
    assert_eq!(socket.next_event_timeout(ms(100)).unwrap(), Next::TimedOut);
    assert!((ms(95)..ms(2000)).contains(&start.elapsed()));
    drop(socket);
    dripping.join().unwrap();
}

#[test]
fn a_non_blocking_stream_is_not_spun_on_while_something_is_timed() {
    let keepalive = Keepalive { interval: PATIENCE, timeout: PATIENCE };
    let config = timeouts(|timeouts| timeouts.keepalive(keepalive));
    let (mut socket, mut peer) = with_raw_peer(Role::Server, config);
    socket.get_ref().get_ref().set_nonblocking(true).unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let result = socket.next_event().map(|_| ());
        assert_eq!(kind(result), Some(io::ErrorKind::WouldBlock));
    }
    assert!(start.elapsed() < PATIENCE / 2);
    peer.write_all(&masked(OpCode::Text, b"x")).unwrap();
    assert_eq!(next_message(&mut socket), b"x");
}

#[test]
fn a_read_timeout_of_the_programs_own_is_reported() {
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    socket.get_ref().get_ref().set_read_timeout(Some(ms(10))).unwrap();
    peer.write_all(&masked(OpCode::Text, b"xyz")[..5]).unwrap();
    for _ in 0..2 {
        let result = socket.next_event().map(|_| ());
        assert!(matches!(kind(result), Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)));
    }
    peer.write_all(&masked(OpCode::Text, b"xyz")[5..]).unwrap();
    assert_eq!(next_message(&mut socket), b"xyz");
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let keepalive = Keepalive { interval: ms(80), timeout: ms(80) };
    for role in [Role::Server, Role::Client] {
        let config = timeouts(|timeouts| timeouts.keepalive(keepalive));
        let (mut socket, mut peer) = with_raw_peer(role, config);
        let start = Instant::now();
        let error = socket.next_event().map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Keepalive)), "{error:?}");
        // Though the peer could not even be seen off: `Timeouts::closing` is 10 seconds.
        assert!((ms(150)..PATIENCE).contains(&start.elapsed()), "{:?}", start.elapsed());
        // One Ping, and the Close frame that tells why.
        let seen = read_to_end(&mut peer);
        assert_eq!((seen[0], seen[1] & 0x7F), (0x89, 8));
        let close = if role == Role::Server { 10 } else { 14 };
        assert_eq!((seen[close], seen[close + 1] & 0x7F), (0x88, 2));
        assert_eq!(seen.len(), close + if role == Role::Server { 4 } else { 8 });
        assert!(matches!(socket.next_event(), Err(Error::Timeout(Timeout::Keepalive))));
    }
}

#[test]
fn a_peer_that_answers_pings_is_kept() {
    let keepalive = Keepalive { interval: ms(30), timeout: ms(2000) };
    let (mut server, peer) =
        with_raw_peer(Role::Server, timeouts(|timeouts| timeouts.keepalive(keepalive)));
    let client = thread::spawn(move || {
        let mut client = socket(peer, Role::Client, Config::new());
        let mut pings = 0;
        while let Some(event) = client.next_event().unwrap() {
            if let Event::Ping(_) = event {
                pings += 1;
                if pings == 4 {
                    client.start_close(CloseCode::NORMAL, "").unwrap();
                }
            }
        }
    });
    let mut pongs = 0;
    while let Some(event) = server.next_event().unwrap() {
        pongs += usize::from(matches!(event, Event::Pong(_)));
    }
    assert_eq!(pongs, 4);
    client.join().unwrap();
}

#[test]
fn an_unused_connection_is_closed_with_1001_though_pings_go_on() {
    let (mut socket, mut peer) =
        with_raw_peer(Role::Server, timeouts(|timeouts| timeouts.idle(ms(120))));
    let server = thread::spawn(move || {
        let mut events = 0;
        while socket.next_event().unwrap().is_some() {
            events += 1;
        }
        (events, socket.outcome())
    });
    let start = Instant::now();
    peer.write_all(&masked(OpCode::Ping, b"")).unwrap();
    assert_eq!(read_exactly(&mut peer, 2), frame(OpCode::Pong, b""));
    assert_eq!(read_exactly(&mut peer, 4), close_frame(1001));
    assert!(start.elapsed() >= ms(110));
    peer.write_all(&masked_close(1001)).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
    drop(peer);
    let (events, outcome) = server.join().unwrap();
    assert_eq!((events, outcome.unwrap().code()), (2, 1001));
}

#[test]
fn a_message_that_takes_too_long_is_1008() {
    let config = timeouts(|timeouts| timeouts.message(ms(100)));
    let (mut socket, mut peer) = with_raw_peer(Role::Server, config);
    let dripping = thread::spawn(move || {
        for byte in masked(OpCode::Binary, &bytes(0, 125)) {
            peer.write_all(&[byte]).unwrap();
            thread::sleep(ms(10));
            if peer_has_sent_something(&peer) {
                break;
            }
        }
        read_to_end(&mut peer)
    });
    let error = socket.next_event().map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Message)), "{error:?}");
    assert_eq!(dripping.join().unwrap(), close_frame(1008));
}

fn peer_has_sent_something(stream: &std::net::TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let result = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    result.is_ok()
}

#[test]
fn a_quiet_connection_gives_its_memory_back() {
    let (mut client, mut server) = pair(Config::new());
    let large = bytes(1, 1 << 20);
    let sender = thread::spawn(move || {
        client.send(&large).unwrap();
        client
    });
    assert_eq!(next_message(&mut server).len(), 1 << 20);
    let mut client = sender.join().unwrap();
    server.queue(&bytes(1, 200_000)).unwrap();
    let reader = thread::spawn(move || {
        next_message(&mut client);
        client
    });
    server.flush().unwrap();
    let client = reader.join().unwrap();
    assert_eq!(server.next_event_timeout(ms(1500)).unwrap(), Next::TimedOut);
    let (_, _, input, output) = server.into_parts();
    assert!(input.capacity() <= 64 << 10, "{}", input.capacity());
    assert!(format!("{output:?}").contains("capacity: 0"), "{output:?}");
    drop(client);
}

#[test]
fn errors_say_what_and_where_to_turn() {
    for (error, text) in [
        (Error::NoTls, "wss: needs TLS, which connect() does not have"),
        (Error::Abnormal, "the connection ended without a closing handshake (1006)"),
        (Error::Timeout(Timeout::Closing), "(Timeouts::closing)"),
        (net::Error::Send(SendError::BufferFull { limit: 7 }), "7 bytes (Limits::buffered)"),
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
}
