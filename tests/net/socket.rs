//! `net::WebSocket`: what goes out in which write, what a failing transport loses (nothing), and
//! waiting with timeouts.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Read, Write};
use std::sync::mpsc;
use std::thread;

use crate::common::*;
use sansock::frame::Opcode;
use sansock::handshake::Established;
use sansock::net::{self, Error, Incoming, Reader, Server, ServerHandle, WebSocket, Writer};
use sansock::{
    CloseCode, Config, Connection, EncodedMessage, Event, Limits, Message, ReceiveBuffer, Role,
    SendBuffer, SendError, Timeout,
};
use testkit::transport::{Turn, Wire};
use testkit::wire;

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

fn over<S: Read + Write>(stream: S, role: Role, config: Config) -> WebSocket<S> {
    let connection = Established::after_handshake(role, None).connection(&config);
    WebSocket::untimed(stream, connection, ReceiveBuffer::new(), SendBuffer::new())
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
fn the_answers_to_all_messages_of_one_read_are_one_write() {
    let read = wire::frame(Role::Server, 0x81, b"x").repeat(100);
    let wire = Wire { incoming: [Ok(read)].into(), ..Wire::default() };
    let mut socket = over(wire, Role::Server, Config::new());
    while let Ok(Some((event, outgoing))) = socket.exchange() {
        if let Event::Message(message) = event {
            outgoing.queue(message).unwrap();
        }
    }
    assert_eq!(socket.get_ref().writes, [b"\x81\x01x".repeat(100)]);
}

#[test]
fn a_large_message_is_one_vectored_write_with_its_header_and_what_was_queued() {
    let payload = bytes(7, 1 << 20);
    let mut socket = server([]);
    socket.queue("first").unwrap();
    socket.send(&payload).unwrap();
    let wire = socket.get_ref();
    assert_eq!((wire.writes.len(), wire.vectored), (1, 1));
    assert_eq!(wire.writes[0], [&b"\x81\x05first"[..], &frame(Opcode::Binary, &payload)].concat());
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
        assert_eq!(one.get_ref().bytes(), frame(Opcode::Binary, &payload).repeat(2));
        assert_eq!((one.get_ref().writes.len(), one.get_ref().vectored), (2, 0));
    }
}

#[test]
fn a_client_masks_what_it_sends_each_time_anew() {
    for size in [10, 300_000] {
        let message = EncodedMessage::new(bytes(0, size));
        let mut socket = over(Wire::default(), Role::Client, Config::new());
        socket.send_encoded(&message).unwrap();
        socket.send_encoded(&message).unwrap();
        let wire = socket.get_ref().bytes();
        let (one, other) = wire.split_at(wire.len() / 2);
        assert_ne!(one, other);
        let mut receiver = sansock::split::Receiver::new(Role::Server, &Config::new());
        let mut input = ReceiveBuffer::new();
        input.extend_from_slice(&wire);
        for _ in 0..2 {
            let event = receiver.next_event(&mut input).unwrap();
            assert_eq!(event, Some(Event::Message(Message::Binary(&bytes(0, size)))));
        }
    }
}

/// Every write is short, would block, is interrupted or takes nothing, but the frames arrive whole.
#[test]
fn a_transport_that_fails_at_times_loses_nothing() {
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
                // Accepted, even if the write fails.
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
            let mut receiver = sansock::split::Receiver::new(other, &Config::new());
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
        let whole = frame(Opcode::Binary, &payload);
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
    within(TIMEOUT, || {
        let (client, server) = tcp_pair();
        let buffered = Buffered(BufWriter::new(client));
        let mut client = over(buffered, Role::Client, Config::new());
        let mut server = socket(server, Role::Server, Config::new());
        for size in [10, 100_000] {
            client.send(bytes(1, size)).unwrap();
            assert_eq!(next_message(&mut server).len(), size);
        }
        client.queue("before the wait").unwrap();
        server.send("there").unwrap();
        next_message(&mut client);
        assert_eq!(next_message(&mut server), b"before the wait");
    });
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

/// Neither end can end its sending side alone; still neither waits for the other forever.
#[test]
fn any_read_and_write_will_do_until_both_ends_have_closed() {
    for server_starts in [true, false] {
        within(TIMEOUT, move || {
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
                socket.outcome().cloned()
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
fn the_answer_to_the_last_message_takes_those_before_along_uncopied() {
    let payload = vec![7; 10_000];
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(&masked(Opcode::Binary, &payload).repeat(3));
    let connection = Connection::server(&Config::new());
    let mut socket = WebSocket::untimed(Wire::default(), connection, input, SendBuffer::new());
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let Ok(Some((Event::Message(message), outgoing))) = socket.exchange() else { panic!() };
        outgoing.queue(message).unwrap();
        waiting.push(outgoing.buffered_amount());
    }
    assert_eq!(waiting, [10_004, 20_008, 0]);
    assert_eq!(socket.get_ref().bytes(), frame(Opcode::Binary, &payload).repeat(3));
    assert_eq!((socket.get_ref().writes.len(), socket.get_ref().vectored), (1, 1));

    // What the program says on its own is written with what follows.
    socket.queue(payload).unwrap();
    assert_eq!(socket.buffered_amount(), 10_004);
}

#[test]
fn a_stream_that_would_block_says_so_and_loses_nothing() {
    let wire =
        [masked(Opcode::Text, b"one"), masked(Opcode::Ping, b"?"), masked(Opcode::Text, b"two")];
    let wire = wire.concat();
    let mut stream = Wire::default();
    for byte in &wire {
        stream.incoming.push_back(Err(io::ErrorKind::WouldBlock.into()));
        stream.incoming.push_back(Ok(vec![*byte]));
    }
    // The Pong cannot be written at first.
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
    assert_eq!(socket.get_ref().bytes(), frame(Opcode::Pong, b"?"));
}

#[test]
fn errors_say_what_and_where_to_turn() {
    for (error, text) in [
        (Error::NoTls, "wss: needs the feature `rustls` of sansock"),
        (Error::Abnormal, "the connection ended without a closing handshake (1006)"),
        (Error::Timeout(Timeout::Closing), "(Timeouts::closing)"),
        (net::Error::Send(SendError::BufferFull { limit: 7 }), "7 bytes (Limits::buffered)"),
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
}
