//! A server that ends gradually.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::common::*;
use sansock::CloseCode;
use sansock::drain::{Drain, DrainReport};
use sansock::handshake::Rejection;
use sansock::net::{Error, Incoming, ServerHandle, client};
use testkit::pair::clean;

/// What a client does when it gets the Close frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Answers,
    /// Reads on without an answer.
    Mute,
    /// Cuts its connection off.
    Breaks,
}

/// When a client got its Close frame and the end of the stream, counted from `start`.
type Times = (Kind, Duration, Duration);

fn client_of(kind: Kind, address: SocketAddr, code: u16, start: Instant) -> JoinHandle<Times> {
    let (mut stream, _) = raw_client(address);
    stream.set_read_timeout(Some(TIMEOUT * 2)).unwrap();
    thread::spawn(move || {
        assert_eq!(read_exactly(&mut stream, 4), close_frame(code), "{kind:?}");
        let told = start.elapsed();
        match kind {
            Kind::Answers => stream.write_all(&masked_close(code)).unwrap(),
            Kind::Mute => {}
            Kind::Breaks => return (kind, told, told),
        }
        // A transport that is cut off may end in a reset.
        let _ = stream.read_to_end(&mut Vec::new());
        (kind, told, start.elapsed())
    })
}

/// Echoes, and answers the health check.
fn echo_with_health(handle: &OnceLock<ServerHandle>, incoming: &Incoming) -> Result<(), Error> {
    if incoming.request().path() == "/healthz" {
        let is_draining = handle.get().unwrap().is_draining();
        return incoming.reject(&Rejection::new(if is_draining { 503 } else { 200 }));
    }
    echo(incoming)
}

fn response(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    write!(stream, "{request}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn health(address: SocketAddr) -> String {
    let text = response(address, "GET /healthz HTTP/1.1\r\nHost: a\r\n");
    text.lines().next().unwrap().to_owned()
}

fn counts(report: DrainReport) -> [usize; 6] {
    let DrainReport { closed, failed, forced, ended, refused, open, .. } = report;
    [closed, failed, forced, ended, refused, open]
}

#[test]
fn two_hundred_clients_are_told_over_the_time_and_the_report_counts_them() {
    static HANDLE: OnceLock<ServerHandle> = OnceLock::new();
    let server = Running::start(|server| server, |incoming| echo_with_health(&HANDLE, incoming));
    let (address, handle) = (server.address(), server.handle.clone());
    HANDLE.set(handle.clone()).unwrap();
    let start = Instant::now();
    let client = |kind| client_of(kind, address, 1012, start);
    let kinds = |n| match n {
        0..20 => Kind::Mute,
        20..30 => Kind::Breaks,
        _ => Kind::Answers,
    };
    let mut clients: Vec<_> = (0..180).map(|n| client(kinds(n))).collect();
    let leaving: Vec<_> = (0..20).map(|_| raw_client(address)).collect();
    assert_eq!((health(address).as_str(), handle.drain_report()), ("HTTP/1.1 200 OK", None));

    let drain = Drain::new().code(CloseCode::SERVICE_RESTART).grace(ms(1500)).spread(ms(1500));
    let drain = drain.closing(ms(1000)).retry_after(ms(1500));
    let began = start.elapsed();
    handle.start_drain(drain);
    // The health check fails, and everything else goes on.
    assert!(health(address).starts_with("HTTP/1.1 503"));
    clients.push(client(Kind::Answers));
    for (mut stream, _) in leaving {
        stream.write_all(&masked_close(1000)).unwrap();
        read_to_end(&mut stream);
    }
    assert!(start.elapsed() < began + drain.grace, "this machine is too slow for the test");

    thread::sleep((began + drain.grace + ms(300)).saturating_sub(start.elapsed()));
    for _ in 0..5 {
        let text = response(address, REQUEST);
        let refused = text.starts_with("HTTP/1.1 503") && text.contains("\r\nRetry-After: 2\r\n");
        assert!(refused, "{text}");
    }
    assert!(health(address).starts_with("HTTP/1.1 503"));
    let times: Vec<_> = clients.into_iter().map(|it| it.join().unwrap()).collect();
    let mut told: Vec<_> = times.iter().map(|(_, told, _)| told.saturating_sub(began)).collect();
    told.sort_unstable();
    assert!(told[0] >= drain.grace, "{told:?}");
    // Even, within what a busy machine needs.
    for (n, at) in (0..).zip(&told) {
        let due = drain.grace + drain.spread * n / 181;
        assert!(*at + ms(100) > due && *at < due + ms(800), "{n} at {at:?}: {told:?}");
    }
    for (_, _, end) in times.iter().filter(|(kind, ..)| *kind == Kind::Mute) {
        let end = end.saturating_sub(began);
        assert!(end >= drain.total() && end < drain.total() + TIMEOUT / 2, "{end:?}");
    }
    server.join();
    let report = handle.drain_report().unwrap();
    assert_eq!(counts(report), [151, 10, 20, 20, 5, 0], "{report}");
}

#[test]
fn a_closed_listener_takes_no_more_clients_and_the_server_ends_with_the_last_connection() {
    let server = Running::start(|server| server, echo);
    let (address, handle) = (server.address(), server.handle.clone());
    let mut socket = client::connect(&server.url()).unwrap();
    let start = Instant::now();
    handle.start_drain(Drain::new().grace(ms(100)).keep_listening(false));
    assert!(socket.next_event().unwrap().is_some(), "the Close frame");
    // The thread that accepts has been woken by now, or will be in a moment.
    until("the listener is closed", || TcpStream::connect(address).is_err());
    assert!(socket.next_event().unwrap().is_none());
    assert_eq!(socket.outcome(), Some(&clean(1001)));
    server.join();
    assert!(start.elapsed() < TIMEOUT, "not as long as the deadline");
    assert_eq!(counts(handle.drain_report().unwrap()), [1, 0, 0, 0, 0, 0]);
}

#[test]
fn without_connections_it_ends_after_the_grace_in_which_the_health_check_fails() {
    static HANDLE: OnceLock<ServerHandle> = OnceLock::new();
    let server = Running::start(|server| server, |incoming| echo_with_health(&HANDLE, incoming));
    let (address, handle) = (server.address(), server.handle.clone());
    HANDLE.set(handle.clone()).unwrap();
    assert!(!handle.is_draining());
    let start = Instant::now();
    handle.start_drain(Drain::new().grace(ms(300)));
    assert!(handle.is_draining() && health(address).starts_with("HTTP/1.1 503"));
    server.join();
    assert!(start.elapsed() >= ms(300));
    assert_eq!(handle.drain_report(), Some(DrainReport::default()));
}

/// A second signal.
#[test]
fn a_shutdown_ends_a_drain_early_with_its_code() {
    let server = Running::start(|server| server, echo);
    let handle = server.handle.clone();
    let mut sockets: Vec<_> = (0..10).map(|_| client::connect(&server.url()).unwrap()).collect();
    let hour = Duration::from_secs(3600);
    handle.start_drain(Drain::new().code(CloseCode::SERVICE_RESTART).grace(hour).spread(hour));
    // It keeps its settings.
    handle.start_drain(Drain::new());
    assert_eq!(counts(handle.drain_report().unwrap()), [0, 0, 0, 0, 0, 10]);
    let thread = thread::spawn(move || {
        for socket in &mut sockets {
            while socket.next_event().unwrap().is_some() {}
            assert_eq!(socket.outcome(), Some(&clean(1012)));
        }
    });
    assert!(server.stop() < TIMEOUT);
    thread.join().unwrap();
    assert_eq!(counts(handle.drain_report().unwrap()), [10, 0, 0, 0, 0, 0]);
}

/// What handlers do with their connections makes no difference.
#[test]
fn split_connections_and_those_whose_handler_has_returned_are_counted_alike() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let path = incoming.request().path().to_owned();
            let mut socket = incoming.accept()?;
            match path.as_str() {
                "/split" => {
                    let (mut reader, writer) = socket.split()?;
                    while reader.next_event()?.is_some() {}
                    drop(writer);
                }
                // The first send that is refused ends it.
                "/pushes" => loop {
                    socket.send("tick")?;
                    thread::sleep(ms(5));
                },
                _ => while socket.next_event()?.is_some() {},
            }
            Ok(())
        },
    );
    let handle = server.handle.clone();
    let threads: Vec<_> = ["split", "pushes", ""]
        .into_iter()
        .map(|path| {
            let mut socket = client::connect(&format!("{}{path}", server.url())).unwrap();
            thread::spawn(move || {
                while socket.next_event().unwrap().is_some() {}
                assert_eq!(socket.outcome(), Some(&clean(1001)), "{path}");
            })
        })
        .collect();
    handle.start_drain(Drain::new());
    for thread in threads {
        thread.join().unwrap();
    }
    server.join();
    assert_eq!(counts(handle.drain_report().unwrap()), [3, 0, 0, 0, 0, 0]);
}

/// Neither a handler that hangs nor a client in its handshake holds up the end.
#[test]
fn the_deadline_holds_whatever_a_handler_or_a_client_does() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let _socket = incoming.accept()?;
            thread::sleep(TIMEOUT * 3);
            Ok(())
        },
    );
    let (address, handle) = (server.address(), server.handle.clone());
    let (_stream, _) = raw_client(address);
    let mut half = connect(address);
    half.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let start = Instant::now();
    handle.start_drain(Drain::new().closing(ms(500)));
    server.join();
    let time = start.elapsed();
    assert!(time >= ms(500) && time < ms(500) + TIMEOUT / 2, "{time:?}");
    assert_eq!(counts(handle.drain_report().unwrap()), [0, 0, 1, 0, 0, 0]);
}
