//! `WebSocket::split`: one thread reads while others write.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::common::*;
use sansock::frame::Opcode;
use sansock::net::{Error, Reader, Writer, client};
use sansock::{
    CloseCode, Config, EncodedMessage, Event, Limits, Message, ProtocolError, Role, SendError,
};
use testkit::pair::clean;

/// The halves of a connection of this role, and a bare stream at the other end.
pub(crate) fn split(role: Role, config: Config) -> (Reader, Writer, TcpStream) {
    let (socket, peer) = with_raw_peer(role, config);
    let (reader, writer) = socket.split().unwrap();
    (reader, writer, peer)
}

/// The messages of a connection, and its close code or why it failed.
type Seen = (Vec<Vec<u8>>, Result<u16, Error>);

/// Reads to the end on a thread of its own.
pub(crate) fn read(mut reader: Reader) -> JoinHandle<Seen> {
    thread::spawn(move || {
        let mut messages = Vec::new();
        let result = loop {
            match reader.next_event() {
                Ok(Some(Event::Message(message))) => messages.push(message.as_bytes().to_vec()),
                Ok(Some(_)) => {}
                Ok(None) => break Ok(reader.outcome().unwrap().code()),
                Err(error) => break Err(error),
            }
        };
        (messages, result)
    })
}

fn read_all(peer: &TcpStream) -> JoinHandle<Vec<u8>> {
    let mut peer = peer.try_clone().unwrap();
    thread::spawn(move || read_to_end(&mut peer))
}

/// Both peers send at full speed and ping each other, through buffers that are full all the time.
#[test]
fn two_saturated_peers_that_ping_each_other_never_hang() {
    const MESSAGES: usize = 600;
    const SIZES: [usize; 3] = [100, 3000, 200_000];
    let (client, server) = pair(Config::new());
    let ends = [client, server].map(|socket| {
        let (reader, writer) = socket.split().unwrap();
        let pings = writer.clone();
        let writing = thread::spawn(move || {
            for i in 0..MESSAGES {
                writer.send(bytes(7, SIZES[i % 3])).unwrap();
            }
            writer.queue("the end").unwrap();
            writer.flush().unwrap();
        });
        let pinging = thread::spawn(move || {
            for _ in 0..500 {
                match pings.ping(b"are you there?") {
                    Ok(()) | Err(Error::Send(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            pings
        });
        let reading = thread::spawn(move || {
            let mut reader = reader;
            let mut messages = 0;
            loop {
                match reader.next_event().unwrap().unwrap() {
                    Event::Message(Message::Text("the end")) => break,
                    Event::Message(message) => {
                        assert_eq!(message.len(), SIZES[messages % 3]);
                        messages += 1;
                    }
                    _ => {}
                }
            }
            (reader, messages)
        });
        (writing, pinging, reading)
    });
    let done = within(Duration::from_secs(60), move || {
        ends.map(|(writing, pinging, reading)| {
            writing.join().unwrap();
            let writer = pinging.join().unwrap();
            let (reader, messages) = reading.join().unwrap();
            (reader, writer, messages)
        })
    });
    let [(client, writer, one), (server, _, other)] = done;
    assert_eq!((one, other), (MESSAGES, MESSAGES));
    let server = read(server);
    writer.start_close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(read(client).join().unwrap().1.unwrap(), 1000);
    assert_eq!(server.join().unwrap().1.unwrap(), 1000);
}

#[test]
fn messages_of_many_writers_stay_whole() {
    for role in [Role::Server, Role::Client] {
        let (ours, theirs) = tcp_pair();
        let other = if role == Role::Server { Role::Client } else { Role::Server };
        let (_reader, writer) = socket(ours, role, Config::new()).split().unwrap();
        let mut peer = socket(theirs, other, Config::new());
        let threads: Vec<_> = (0..6)
            .map(|i| {
                let writer = writer.clone();
                thread::spawn(move || {
                    for n in 0..60 {
                        let size = [1, 100, 4096, 70_000][n % 4];
                        match n % 3 {
                            0 => writer.queue(bytes(i, size)).unwrap(),
                            1 => writer.send(bytes(i, size)).unwrap(),
                            _ => {
                                writer.send_encoded(&EncodedMessage::new(bytes(i, size))).unwrap();
                            }
                        }
                    }
                    writer.flush().unwrap();
                })
            })
            .collect();
        let mut seen = [0; 6];
        while seen.iter().sum::<usize>() < 360 {
            let message = next_message(&mut peer);
            let i = message[0];
            assert!(message.iter().all(|byte| *byte == i), "mixed up");
            // Each writer's messages come in its order.
            assert_eq!(message.len(), [1, 100, 4096, 70_000][seen[usize::from(i)] % 4]);
            seen[usize::from(i)] += 1;
        }
        assert_eq!(seen, [60; 6]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(writer.buffered_amount(), 0);
    }
}

#[test]
fn what_is_queued_leaves_before_the_reader_waits() {
    let (mut reader, writer, mut peer) = split(Role::Server, Config::new());
    let echo = thread::spawn(move || {
        while let Some(event) = reader.next_event().unwrap() {
            if let Event::Message(message) = event {
                writer.queue(message).unwrap();
            }
        }
    });
    for text in ["one", "two"] {
        peer.write_all(&masked(Opcode::Text, text.as_bytes())).unwrap();
        assert_eq!(read_exactly(&mut peer, 5), frame(Opcode::Text, text.as_bytes()));
    }
    peer.write_all(&masked_close(1000)).unwrap();
    assert_eq!(read_to_end(&mut peer), close_frame(1000));
    drop(peer);
    echo.join().unwrap();
}

/// A Pong waits only for the current write, and a newer one replaces it.
#[test]
fn pings_are_answered_while_a_writer_waits_for_the_network() {
    let (reader, writer, mut peer) = split(Role::Server, Config::new());
    let reading = read(reader);
    let payload = bytes(1, 16 << 20);
    let sending = thread::spawn(move || {
        writer.send(&payload).unwrap();
        writer
    });
    thread::sleep(ms(50)); // The writer waits now.
    for i in 0..20_000_u32 {
        peer.write_all(&masked(Opcode::Ping, &i.to_be_bytes())).unwrap();
    }
    // The reader reads although nothing can be written: otherwise this would not have ended.
    read_exactly(&mut peer, 10 + (16 << 20));
    let mut pongs = 0;
    loop {
        let pong = read_exactly(&mut peer, 6);
        assert_eq!(pong[..2], [0x8A, 4]);
        pongs += 1;
        if pong[2..] == 19_999_u32.to_be_bytes() {
            break;
        }
    }
    assert!(pongs < 20_000, "{pongs}");
    let writer = sending.join().unwrap();
    // The thread that wrote the last Pong may not have recorded it yet.
    writer.flush().unwrap();
    assert_eq!(writer.buffered_amount(), 0);
    drop((writer, peer));
    assert!(matches!(reading.join().unwrap().1, Err(Error::Abnormal)));
}

#[test]
fn fragments_of_one_writer_shut_out_the_messages_of_others() {
    let (_reader, writer, mut peer) = split(Role::Server, Config::new());
    writer.send_fragment("a", false).unwrap();
    let other = writer.clone();
    for size in [1, 100_000] {
        let refused = other.send(bytes(0, size)).unwrap_err();
        assert!(matches!(refused, Error::Send(SendError::MessageInProgress)), "{refused:?}");
    }
    other.ping(b"").unwrap();
    writer.send_fragment("b", true).unwrap();
    other.send("c").unwrap();
    let expected = b"\x01\x01a\x89\x00\x80\x01b\x81\x01c";
    assert_eq!(read_exactly(&mut peer, expected.len()), expected);
}

#[test]
fn either_end_closes() {
    // We start.
    let (reader, writer, mut peer) = split(Role::Server, Config::new());
    let reading = read(reader);
    writer.queue("first").unwrap();
    writer.start_close(CloseCode::NORMAL, "bye").unwrap();
    assert!(matches!(writer.send("x"), Err(Error::Send(SendError::Closed))));
    let expected = [&b"\x81\x05first"[..], &frame(Opcode::Close, b"\x03\xe8bye")].concat();
    assert_eq!(read_exactly(&mut peer, expected.len()), expected);
    peer.write_all(&masked(Opcode::Text, b"late")).unwrap();
    peer.write_all(&masked_close(1000)).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
    drop(peer);
    let (messages, result) = reading.join().unwrap();
    assert_eq!((messages, result.unwrap()), (vec![b"late".to_vec()], 1000));

    // The peer starts, and nothing that was accepted is lost.
    let (mut reader, writer, mut peer) = split(Role::Server, Config::new());
    writer.queue("first").unwrap();
    peer.write_all(&masked_close(1001)).unwrap();
    assert!(matches!(reader.next_event().unwrap(), Some(Event::Close(_))));
    assert!(matches!(writer.send("x"), Err(Error::Send(SendError::Closed))));
    // The halves may be dropped now: the answer arrives.
    drop((reader, writer));
    assert_eq!(read_to_end(&mut peer), [&b"\x81\x05first"[..], &close_frame(1001)].concat());
}

#[test]
fn a_server_whose_handler_returns_right_after_the_close_event_has_answered() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let (mut reader, _writer) = incoming.accept()?.split()?;
            while let Some(event) = reader.next_event()? {
                if let Event::Close(_) = event {
                    break;
                }
            }
            Ok(())
        },
    );
    for _ in 0..30 {
        let mut socket = client::connect(&server.url()).unwrap();
        socket.close(CloseCode::NORMAL, "").unwrap();
    }
    server.stop();
}

#[test]
fn the_peer_is_told_what_it_did_wrong_even_if_it_still_sends() {
    let config = Config::new().limits(Limits::new().message(1 << 20));
    let (reader, _writer, mut peer) = split(Role::Server, config);
    let (reading, answer) = (read(reader), read_all(&peer));
    peer.write_all(&masked(Opcode::Binary, &bytes(0, 16 << 20))).unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(answer.join().unwrap(), close_frame(1009));
    let (_, result) = reading.join().unwrap();
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::MessageTooLarge { .. })), "{error:?}");
}

#[test]
fn a_connection_that_is_over_can_be_split() {
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    peer.write_all(&masked_close(1000)).unwrap();
    assert!(matches!(socket.next_event().unwrap(), Some(Event::Close(_))));
    drop(peer);
    let (mut reader, writer) = socket.split().unwrap();
    assert!(matches!(reader.next_event(), Ok(None)));
    assert_eq!(reader.outcome(), Some(clean(1000)));
    assert!(matches!(writer.send("x"), Err(Error::Send(SendError::Closed))));
}

#[test]
fn the_reader_is_never_kept_by_a_writer() {
    let (reader, writer, mut peer) = split(Role::Server, Config::new());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let sending = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) && writer.send(bytes(0, 1 << 20)).is_ok() {}
    });
    let reading = read(reader);
    // We read nothing of what it sends, and it reads all that we send.
    for _ in 0..200 {
        peer.write_all(&masked(Opcode::Binary, &bytes(1, 100_000))).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let rest = read_all(&peer);
    peer.write_all(&masked_close(1000)).unwrap();
    rest.join().unwrap();
    drop(peer);
    assert_eq!(reading.join().unwrap().0.len(), 200);
    sending.join().unwrap();
}
