//! How connections end on the wire: the peer always gets our last messages and then an orderly end,
//! and neither end waits for the other without a bound.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::common::*;
use sansock::frame::Opcode;
use sansock::handshake::Rejection;
use sansock::net::{Error, WebSocket};
use sansock::{CloseCode, Config, Event, Limits, Outcome, ProtocolError, Role, State, Timeout};
use testkit::pair::clean;

/// Reads to the end on a separate thread, as a correct peer does.
fn collect(mut stream: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || read_to_end(&mut stream))
}

/// Reads until the end, and returns the close code.
fn end_of(socket: &mut WebSocket) -> Result<u16, Error> {
    while socket.next_event()?.is_some() {}
    Ok(socket.outcome().unwrap().code())
}

/// The server fails the connection while the client is still sending: the client gets the Close
/// frame and then the end of the stream, not a reset.
#[test]
fn a_client_that_still_sends_learns_why_the_connection_failed() {
    let config = Config::new().limits(Limits::new().message(1 << 20));
    let (mut socket, mut peer) = with_raw_peer(Role::Server, config);
    let server = thread::spawn(move || {
        let error = socket.next_event().map(|_| ()).unwrap_err();
        assert!(matches!(
            error,
            Error::Protocol(ProtocolError::MessageTooLarge { limit: 0x10_0000 })
        ));
        assert!(matches!(socket.next_event(), Err(Error::Protocol(_))));
        drop(socket);
    });
    let answer = collect(peer.try_clone().unwrap());
    peer.write_all(&masked(Opcode::Binary, &bytes(0, 16 << 20))).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(answer.join().unwrap(), close_frame(1009));
    server.join().unwrap();
}

/// The same the other way round.
#[test]
fn a_server_that_still_sends_learns_why_the_connection_failed() {
    let (mut socket, mut peer) = with_raw_peer(Role::Client, Config::new());
    let client = thread::spawn(move || {
        let error = socket.next_event().map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::Masked)), "{error:?}");
    });
    let answer = collect(peer.try_clone().unwrap());
    peer.write_all(&masked(Opcode::Binary, &bytes(0, 16 << 20))).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let answer = answer.join().unwrap();
    assert_eq!((answer[0], answer[1], answer.len()), (0x88, 0x82, 8));
    client.join().unwrap();
}

/// PEERS 22: every refusal says so, and bytes after the request are not a second request.
#[test]
fn a_client_that_still_sends_gets_the_refusal() {
    let server = Running::start(
        |server| server,
        |incoming| incoming.reject(&Rejection::new(403).body("no")),
    );
    let bad = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"; // No Host.
    let good = format!("{REQUEST}\r\n");
    for (request, status) in [(bad, "400 Bad Request"), (&good, "403 Forbidden")] {
        let mut client = connect(server.address());
        let answer = collect(client.try_clone().unwrap());
        client.write_all(request.as_bytes()).unwrap();
        for _ in 0..200 {
            client.write_all(request.as_bytes()).unwrap();
            client.write_all(&bytes(b'x', 64 << 10)).unwrap();
        }
        client.shutdown(Shutdown::Write).unwrap();
        let answer = String::from_utf8(answer.join().unwrap()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.contains("\r\nContent-Length: "), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
    server.stop();
}

/// "in normal cases the TCP connection MUST be closed first by the server" (7.1.1)
#[test]
fn the_server_closes_tcp_first() {
    // As server: the end of the stream right behind the Close frame.
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    let server = thread::spawn(move || end_of(&mut socket).unwrap());
    peer.write_all(&masked_close(1000)).unwrap();
    assert_eq!(read_to_end(&mut peer), close_frame(1000));
    drop(peer);
    assert_eq!(server.join().unwrap(), 1000);

    // As client: it waits for the server's end, and then ends its own side, even if the program
    // keeps the socket.
    let (mut socket, mut peer) = with_raw_peer(Role::Client, Config::new());
    let client = thread::spawn(move || {
        assert_eq!(end_of(&mut socket).unwrap(), 1000);
        socket
    });
    peer.write_all(&close_frame(1000)).unwrap();
    assert_eq!(read_exactly(&mut peer, 8)[0], 0x88);
    peer.set_read_timeout(Some(ms(50))).unwrap();
    let early = peer.read(&mut [0]).unwrap_err();
    assert!(matches!(early.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    peer.set_read_timeout(Some(TIMEOUT)).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
    assert_eq!(client.join().unwrap().outcome(), Some(&clean(1000)));
}

#[test]
fn messages_that_cross_our_close_frame_still_arrive_if_configured() {
    let (mut client, mut server) = pair(Config::new().messages_after_close(true));
    server.send("late").unwrap();
    client.start_close(CloseCode::NORMAL, "done").unwrap();
    assert_eq!(next_message(&mut client), b"late");
    let server = thread::spawn(move || {
        let event = server.next_event().unwrap();
        let Some(Event::Close(close)) = event else { panic!("{event:?}") };
        assert_eq!((close.code, close.reason), (Some(CloseCode::NORMAL), "done"));
        assert!(matches!(server.send("no more"), Err(Error::Send(_))));
        end_of(&mut server).unwrap()
    });
    assert_eq!(end_of(&mut client).unwrap(), 1000);
    assert_eq!(server.join().unwrap(), 1000);
}

#[test]
fn close_discards_what_still_arrives() {
    let (mut client, mut server) = pair(Config::new());
    let server = thread::spawn(move || {
        for _ in 0..100 {
            server.send(bytes(1, 10_000)).unwrap();
        }
        end_of(&mut server)
    });
    client.close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(client.outcome(), Some(&clean(1000)));
    assert_eq!(client.connection().state(), State::Closed);
    assert_eq!(server.join().unwrap().unwrap(), 1000);
}

#[test]
fn the_end_without_a_close_frame_is_1006() {
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    peer.write_all(&masked(Opcode::Text, b"last")).unwrap();
    peer.write_all(&masked(Opcode::Text, b"half")[..4]).unwrap();
    drop(peer);
    assert_eq!(next_message(&mut socket), b"last");
    for _ in 0..2 {
        assert!(matches!(socket.next_event(), Err(Error::Abnormal)));
    }
    assert_eq!(socket.outcome().unwrap().code(), 1006);
    assert!(matches!(socket.send("x"), Err(Error::Send(_))));
}

#[test]
fn a_reset_is_the_same_end_as_one_without_a_close_frame() {
    let (mut socket, peer) = with_raw_peer(Role::Server, Config::new());
    socket.send("not read").unwrap();
    // Dropping a stream with unread bytes resets it.
    until("bytes lie at the peer", || peer.peek(&mut [0; 10]).unwrap() == 10);
    drop(peer);
    for _ in 0..2 {
        assert!(matches!(socket.next_event(), Err(Error::Abnormal)));
        assert_eq!(socket.outcome(), Some(&Outcome::Abnormal));
    }
}

/// A peer that closes and disconnects at once: our writes fail, but its Close frame is still seen.
#[test]
fn a_failed_write_does_not_hide_the_close_frame() {
    let (mut socket, mut peer) = with_raw_peer(Role::Client, Config::new());
    socket.send("not read").unwrap();
    until("bytes lie at the peer", || peer.peek(&mut [0; 14]).unwrap() == 14);
    let close = frame(Opcode::Close, b"\x03\xf1too big");
    peer.write_all(&close).unwrap();
    until("the Close frame has arrived", || {
        socket.get_ref().get_ref().peek(&mut [0; 11]).unwrap() == close.len()
    });
    drop(peer);
    until("a write fails", || socket.send("more").is_err());
    let event = socket.next_event().unwrap();
    let Some(Event::Close(close)) = event else { panic!("{event:?}") };
    assert_eq!((close.code, close.reason), (Some(CloseCode::MESSAGE_TOO_BIG), "too big"));
    assert_eq!(socket.next_event().unwrap(), None);
}

#[test]
fn a_failed_write_is_reported_when_the_peer_said_nothing() {
    let (mut socket, peer) = with_raw_peer(Role::Client, Config::new());
    drop(peer);
    until("a write fails", || socket.send("more").is_err());
    assert!(socket.buffered_amount() > 0);
    assert!(matches!(socket.next_event(), Err(Error::Io(_) | Error::Abnormal)));
    assert_eq!(socket.outcome(), Some(&Outcome::Abnormal));
}

/// A timeout beyond the clock lets nothing wait for a peer that has gone.
#[test]
fn the_peers_end_is_seen_however_long_the_timeout_is() {
    for closing in [None, Some(Duration::MAX)] {
        let config = timeouts(|timeouts| timeouts.closing(closing));
        let (mut socket, peer) = with_raw_peer(Role::Server, config);
        drop(peer);
        let event = within(TIMEOUT, move || socket.next_event().map(drop));
        assert!(matches!(event, Err(Error::Abnormal)), "{closing:?}: {event:?}");

        let (socket, peer) = with_raw_peer(Role::Server, config);
        let (mut reader, writer) = socket.split().unwrap();
        drop(peer);
        let event = within(TIMEOUT, move || reader.next_event().map(drop));
        assert!(matches!(event, Err(Error::Abnormal)), "{closing:?}: {event:?}");
        within(TIMEOUT, move || drop(writer));

        let (socket, peer) = with_raw_peer(Role::Server, config);
        let halves = socket.split().unwrap();
        within(TIMEOUT, move || drop(halves));
        drop(peer);
    }
}

#[test]
fn close_waits_for_an_answer_for_a_bounded_time() {
    for role in [Role::Client, Role::Server] {
        let (mut socket, peer) =
            with_raw_peer(role, timeouts(|timeouts| timeouts.closing(ms(200))));
        let start = Instant::now();
        let error = socket.close(CloseCode::NORMAL, "").unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Closing)), "{error:?}");
        assert!((ms(190)..TIMEOUT).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(socket.outcome(), Some(&Outcome::TimedOut(Timeout::Closing)));
        drop(peer);
    }
}

/// The Close frame does not even fit into the network's buffers.
#[test]
fn close_waits_for_a_peer_that_does_not_read_for_a_bounded_time() {
    for role in [Role::Client, Role::Server] {
        let config = timeouts(|timeouts| timeouts.closing(ms(200)));
        let (mut socket, peer) = with_raw_peer(role, config);
        fill(socket.get_ref().get_ref());
        socket.queue(bytes(0, 1 << 20)).unwrap();
        let (elapsed, result) = within(TIMEOUT, move || {
            let start = Instant::now();
            let result = socket.close(CloseCode::NORMAL, "");
            (start.elapsed(), result)
        });
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Closing)), "{error:?}");
        assert!(elapsed >= ms(190), "{elapsed:?}");
        drop(peer);
    }
}

/// A peer that never ends its side delays us at most for the time of the closing handshake, and so
/// does one that continues to send.
#[test]
fn the_wait_for_the_peers_end_is_bounded() {
    for floods in [false, true] {
        let config = timeouts(|timeouts| timeouts.closing(ms(200)));
        let (mut socket, mut peer) = with_raw_peer(Role::Server, config);
        let flood = thread::spawn(move || {
            peer.write_all(&masked_close(1000)).unwrap();
            while floods && peer.write_all(&[0; 1000]).is_ok() {}
            peer
        });
        let start = Instant::now();
        assert_eq!(within(TIMEOUT, move || end_of(&mut socket)).unwrap(), 1000);
        assert!(start.elapsed() < TIMEOUT);
        drop(flood.join().unwrap());
    }
}

#[test]
fn close_on_a_non_blocking_stream_can_be_called_again() {
    let (mut socket, mut peer) = with_raw_peer(Role::Client, Config::new());
    socket.get_ref().get_ref().set_nonblocking(true).unwrap();
    fill_then(&socket, true);
    for _ in 0..3 {
        let error = socket.close(CloseCode::NORMAL, "").unwrap_err();
        assert!(
            matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock),
            "{error:?}"
        );
    }
    assert_eq!(socket.connection().state(), State::Closing);
    // The peer reads, and the closing handshake succeeds.
    let reader = thread::spawn(move || {
        let mut seen = vec![0; 64 << 10];
        let mut close = Vec::new();
        loop {
            let n = peer.read(&mut seen).unwrap();
            close.extend_from_slice(&seen[..n]);
            close.drain(..close.len().saturating_sub(8));
            if close.len() == 8 && close[..2] == [0x88, 0x82] {
                return peer.write_all(&close_frame(1000));
            }
        }
    });
    until("the closing handshake", || socket.close(CloseCode::NORMAL, "").is_ok());
    assert_eq!(socket.outcome().unwrap().code(), 1000);
    reader.join().unwrap().unwrap();
}

fn fill_then(socket: &WebSocket, nonblocking: bool) {
    fill(socket.get_ref().get_ref());
    socket.get_ref().get_ref().set_nonblocking(nonblocking).unwrap();
}
