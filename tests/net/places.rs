//! The places of a server: clients that never finish their handshake do not keep others out.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::*;
use sansock::Timeouts;
use sansock::handshake::Rejection;
use sansock::net::{Server, ServerError, client};

/// How long a handshake keeps its place when another client needs it.
const UNDISTURBED: Duration = Duration::from_secs(1);

/// A server whose timeouts are too long to help, and the number of clients it displaced.
fn patient(set: impl FnOnce(Server) -> Server) -> (Running, Arc<AtomicUsize>) {
    let displaced = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&displaced);
    let long = 4 * TIMEOUT;
    let timeouts = timeouts(|_| Timeouts::new().handshake(long).closing(long));
    let server = Running::start(
        |server| {
            set(server).config(timeouts).on_error(move |error, peer| {
                if let ServerError::Displaced = error {
                    assert!(peer.is_some());
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        },
        |incoming| {
            if incoming.request().is_websocket() {
                return echo(incoming);
            }
            incoming.reject(&Rejection::new(200).body("plain HTTP"))
        },
    );
    (server, displaced)
}

/// Clients that send this and then hold their connection.
fn hold(address: SocketAddr, bytes: &[u8], n: usize) -> Vec<TcpStream> {
    let holds = |_| {
        let mut stream = connect(address);
        stream.write_all(bytes).unwrap();
        stream
    };
    (0..n).map(holds).collect()
}

/// What clients do that never finish their handshake, or do not leave when they are refused.
const HOLDERS: &[(&str, &[u8])] = &[
    ("silent", b""),
    ("half a request", b"GET / HTTP/1.1\r\nHost: a\r\n"),
    ("answered by the program", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("refused", b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
];

#[test]
fn a_client_gets_the_place_of_a_handshake_that_takes_more_than_a_second() {
    for (name, bytes) in HOLDERS {
        let (server, displaced) = patient(|server| server.max_connections(2));
        let start = Instant::now();
        let held = hold(server.address(), bytes, 2);
        let url = server.url();
        let mut good = within(TIMEOUT, move || client::connect(&url).unwrap());
        let took = start.elapsed();
        assert!((UNDISTURBED..TIMEOUT / 2).contains(&took), "{name}: {took:?}");
        good.send("x").unwrap();
        assert_eq!(next_message(&mut good), b"x");
        let reported = displaced.load(Ordering::Relaxed);
        // A refused client's failure was reported before.
        assert_eq!(reported > 0, matches!(*name, "silent" | "half a request"), "{name}");
        drop((good, held));
        server.stop();
    }
}

/// An open connection is never displaced, however long it is silent.
#[test]
fn a_connection_keeps_its_place() {
    let (server, displaced) = patient(|server| server.max_connections(2));
    let mut open = [(); 2].map(|()| client::connect(&server.url()).unwrap());
    let waiting = hold(server.address(), b"", 1);
    thread::sleep(UNDISTURBED + ms(300));
    assert_eq!((server.handle.connections(), displaced.load(Ordering::Relaxed)), (2, 0));
    for socket in &mut open {
        socket.send("x").unwrap();
        assert_eq!(next_message(socket), b"x");
    }
    drop((open, waiting));
    server.stop();
}

#[test]
fn many_silent_clients_delay_the_others_by_a_second_at_most() {
    let (server, displaced) = patient(|server| server.max_connections(400).max_handshakes(40));
    let held = hold(server.address(), b"", 40);
    let start = Instant::now();
    for _ in 0..30 {
        let url = server.url();
        drop(within(TIMEOUT, move || client::connect(&url).unwrap()));
    }
    let took = start.elapsed();
    assert!(took < TIMEOUT / 2, "{took:?}");
    assert!((1..=40).contains(&displaced.load(Ordering::Relaxed)), "{displaced:?}");
    drop(held);
    server.stop();
}

#[test]
fn nothing_is_awaited_of_a_client_that_was_too_slow_or_sent_garbage() {
    let long = 4 * TIMEOUT;
    let timeouts = timeouts(|_| Timeouts::new().handshake(ms(300)).closing(long));
    let failed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&failed);
    let report = move |_: &ServerError, _| {
        count.fetch_add(1, Ordering::Relaxed);
    };
    let server = Running::start(|server| server.config(timeouts).on_error(report), echo);
    for bytes in [&b""[..], b"\x16\x03\x01", b"\0\0\0\0", b"SSH-2.0-OpenSSH\r\n"] {
        failed.store(0, Ordering::Relaxed);
        let held = hold(server.address(), bytes, 3);
        until("all have failed", || failed.load(Ordering::Relaxed) == 3);
        let start = Instant::now();
        until("the places are free", || server.handle.connections() == 0);
        assert!(start.elapsed() < TIMEOUT / 2, "{:?}", start.elapsed());
        drop(held);
    }
    server.stop();
}

/// What a refused client may send is bounded: it holds its place no longer for sending more.
#[test]
fn a_refused_client_that_goes_on_sending_is_cut_off() {
    let (server, _) = patient(|server| server);
    let mut stream = connect(server.address());
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n").unwrap();
    let (mut sent, piece) = (0, bytes(0, 64 << 10));
    while stream.write_all(&piece).is_ok() {
        sent += piece.len();
        // 64 MiB, and what the buffers of the operating system hold.
        assert!(sent < 80 << 20);
    }
    until("the place is free", || server.handle.connections() == 0);
    server.stop();
}

#[test]
fn a_shutdown_returns_at_once_though_the_backlog_is_full() {
    let (server, _) = patient(|server| server.max_connections(1));
    let one = client::connect(&server.url()).unwrap();
    let address = server.address();
    let mut backlog = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, ms(200)) {
        backlog.push(stream);
        assert!(backlog.len() < 20_000);
    }
    let start = Instant::now();
    server.handle.shutdown();
    assert!(start.elapsed() < ms(500), "{:?}", start.elapsed());
    drop(one);
    server.join();
}
