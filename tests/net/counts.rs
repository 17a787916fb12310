//! The counts of a server: what moves which number, and that no other moves.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::common::*;
use sansock::drain::Drain;
use sansock::frame::Opcode;
use sansock::handshake::{HostPolicy, Rejection};
use sansock::net::{Error, Incoming, Server, ServerHandle, client};
use sansock::{CloseCode, Config, Event, Keepalive, Timeouts};
use testkit::counts::{expected, numbers};

/// A way of a handler to echo.
pub(crate) type Echo = fn(&Incoming) -> Result<(), Error>;

/// Whole and split connections count the same, and those that a hub sends to.
pub(crate) const WAYS: &[(&str, Echo)] = &[
    ("whole", echo),
    ("split", echo_split),
    #[cfg(feature = "hub")]
    ("hub", echo_by_hub),
];

fn echo_split(incoming: &Incoming) -> Result<(), Error> {
    let (mut reader, writer) = incoming.accept()?.split()?;
    while let Some(event) = reader.next_event()? {
        if let Event::Message(message) = event {
            writer.queue(message)?;
        }
    }
    Ok(())
}

#[cfg(feature = "hub")]
fn echo_by_hub(incoming: &Incoming) -> Result<(), Error> {
    let (mut reader, writer) = incoming.accept()?.split()?;
    let inbox = writer.subscriber(sansock::hub::Budget::default());
    while let Some(event) = reader.next_event()? {
        if let Event::Message(message) = event {
            inbox.send(&sansock::EncodedMessage::new(message));
        }
    }
    Ok(())
}

/// Waits until the counts are these and no others.
#[track_caller]
pub(crate) fn assert_counts(way: &str, handle: &ServerHandle, text: &str) {
    let wanted = expected(text);
    let start = std::time::Instant::now();
    while numbers(&handle.counts()) != wanted {
        if start.elapsed() > TIMEOUT {
            assert_eq!(numbers(&handle.counts()), wanted, "{way}");
        }
        std::thread::sleep(ms(5));
    }
}

/// Serves one client that does `act`, and asserts what was counted at its end.
#[track_caller]
fn assert_client(
    set: impl FnOnce(Server) -> Server,
    (way, serve): (&str, Echo),
    act: impl FnOnce(TcpStream),
    text: &str,
) {
    let server = Running::start(set, serve);
    act(connect(server.address()));
    assert_counts(way, &server.handle, text);
    server.stop();
}

/// Sends a request and reads the whole response.
fn ask(request: &str) -> impl FnOnce(TcpStream) + use<'_> {
    move |mut stream| {
        stream.write_all(request.as_bytes()).unwrap();
        let _ = stream.read_to_string(&mut String::new());
    }
}

/// Connects, and then sends these bytes.
fn send(bytes: Vec<u8>) -> impl FnOnce(TcpStream) {
    move |mut stream| {
        write!(stream, "{REQUEST}\r\n").unwrap();
        read_head(&mut stream);
        stream.write_all(&bytes).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

#[test]
fn a_client_without_a_connection_is_counted_by_the_reason() {
    let same = |server: Server| server;
    let quiet: Echo = |incoming| incoming.accept().map_or(Ok(()), |_| panic!("it was accepted"));
    let quiet = ("whole", quiet);
    let origin = format!("{REQUEST}Origin: https://elsewhere.example\r\n\r\n");
    assert_client(same, quiet, ask(&origin), "connected 1, refused.origin 1");
    let hosts = |server: Server| server.hosts(HostPolicy::list(["localhost"]).unwrap());
    let request = format!("{REQUEST}\r\n");
    assert_client(hosts, quiet, ask(&request), "connected 1, refused.host 1");
    let old = request.replace("Version: 13", "Version: 12");
    for wrong in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &old] {
        assert_client(same, quiet, ask(wrong), "connected 1, refused.bad_request 1");
    }
    assert_client(same, quiet, drop, "connected 1, refused.transport 1");
    let half = |mut stream: TcpStream| stream.write_all(b"GET / HT").unwrap();
    assert_client(same, quiet, half, "connected 1, refused.transport 1");
    let hasty = |server: Server| server.config(timeouts(|it| it.handshake(ms(100))));
    let late = "connected 1, refused.timeout 1, timeouts.handshake 1";
    assert_client(hasty, quiet, ask("GET / HTTP/1.1\r\n"), late);

    let rejects: Echo = |incoming| incoming.reject(&Rejection::new(403));
    assert_client(same, ("", rejects), ask(&request), "connected 1, refused.rejected 1");
    let plain = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_client(same, ("", rejects), ask(plain), "connected 1, answered 1");
    let unanswered = "connected 1, refused.unanswered 1";
    assert_client(same, ("", |_| Ok(())), ask(&request), unanswered);
    let wrong: Echo = |incoming| incoming.reject(&Rejection::new(101)).or(Ok(()));
    assert_client(same, ("", wrong), ask(&request), unanswered);
    let fails: Echo = |_| Err(Error::Abnormal);
    let failed = "connected 1, refused.unanswered 1, handlers_failed 1";
    assert_client(same, ("", fails), ask(&request), failed);
    let panics: Echo = |_| panic!("of the test");
    let panicked = "connected 1, refused.unanswered 1, handlers_panicked 1";
    assert_client(same, ("", panics), ask(&request), panicked);
}

#[test]
fn a_slow_handshake_that_gives_its_place_counts_as_displaced() {
    let server = Running::start(|server| server.max_connections(1), echo);
    let slow = connect(server.address());
    assert_counts("", &server.handle, "connected 1, handshakes_now 1");
    let mut socket = client::connect(&server.url()).unwrap();
    let open = "connected 2, refused.displaced 1, accepted 1, open_now 1";
    assert_counts("", &server.handle, open);
    socket.close(CloseCode::NORMAL, "").unwrap();
    drop(slow);
    let closed = "connected 2, refused.displaced 1, accepted 1, \
        close_received.1000 1, close_sent.1000 1";
    assert_counts("", &server.handle, closed);
    server.stop();
}

#[test]
fn clients_during_a_drain_are_counted_and_its_code_too() {
    for &way in WAYS {
        let server = Running::start(|server| server, way.1);
        let (mut stream, _) = raw_client(server.address());
        assert_counts(way.0, &server.handle, "connected 1, accepted 1, open_now 1");
        server.handle.start_drain(Drain::new().code(CloseCode::SERVICE_RESTART));
        assert_eq!(read_exactly(&mut stream, 4), close_frame(1012));
        ask(&format!("{REQUEST}\r\n"))(connect(server.address()));
        let refused = "connected 2, accepted 1, open_now 1, refused.draining 1";
        assert_counts(way.0, &server.handle, refused);
        let handle = server.handle.clone();
        stream.write_all(&masked_close(1012)).unwrap();
        drop(stream);
        server.join();
        let closed = "connected 2, accepted 1, refused.draining 1, \
            close_sent.1012 1, close_received.1012 1";
        assert_counts(way.0, &handle, closed);
    }
}

#[test]
fn each_end_of_a_connection_is_counted_by_the_codes_of_both_sides() {
    let connection = |ends: &str| format!("connected 1, accepted 1, {ends}");
    for &way in WAYS {
        let check = |bytes: Vec<u8>, ends: &str| {
            let set = |server: Server| server.config(timeouts(|it| it.closing(ms(300))));
            assert_client(set, way, send(bytes), &connection(ends));
        };
        check(masked_close(1000), "close_received.1000 1, close_sent.1000 1");
        check(masked_close(4001), "close_received.4001 1, close_sent.4001 1");
        check(masked(Opcode::Close, b""), "close_received.1005 1, close_sent.1005 1");
        // The peer broke the protocol: its handler gets an error.
        let unmasked = frame(Opcode::Text, b"Hello");
        check(unmasked, "close_received.1006 1, close_sent.1002 1, handlers_failed 1");
        let lost = |mut stream: TcpStream| {
            write!(stream, "{REQUEST}\r\n").unwrap();
            read_head(&mut stream);
        };
        let cut = connection("close_received.1006 1, close_sent.1006 1, handlers_failed 1");
        assert_client(|server| server, way, lost, &cut);
    }
}

#[test]
fn a_handler_that_returns_first_closes_with_a_code_that_is_counted() {
    let returns: [(&str, Echo); 2] = [
        ("whole", |incoming| incoming.accept().map(drop)),
        ("split", |incoming| incoming.accept()?.split().map(drop)),
    ];
    let answers = |mut stream: TcpStream| {
        write!(stream, "{REQUEST}\r\n").unwrap();
        read_head(&mut stream);
        let code = read_exactly(&mut stream, 4);
        stream.write_all(&masked_close(u16::from_be_bytes([code[2], code[3]]))).unwrap();
        read_to_end(&mut stream);
    };
    let silent = |mut stream: TcpStream| {
        write!(stream, "{REQUEST}\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        // It keeps its side open until the server has given up, also if that gets no time for long.
        std::thread::sleep(ms(2_000));
    };
    let hasty = |server: Server| server.config(timeouts(|it| it.closing(ms(100))));
    for way in returns {
        let answered = "connected 1, accepted 1, close_sent.1000 1, close_unread 1";
        assert_client(|server| server, way, answers, answered);
        let unanswered = "connected 1, accepted 1, close_sent.1000 1, close_received.1006 1";
        assert_client(hasty, way, silent, unanswered);
    }
    let panics: [(&str, Echo); 2] = [
        ("whole", |incoming| incoming.accept().map(|_| panic!("of the test"))),
        ("split", |incoming| incoming.accept()?.split().map(|_| panic!("of the test"))),
    ];
    for way in panics {
        let panicked =
            "connected 1, accepted 1, close_sent.1011 1, close_unread 1, handlers_panicked 1";
        assert_client(|server| server, way, answers, panicked);
    }
    // The program's own Close frame, whose answer nobody reads.
    let own: Echo = |incoming| incoming.accept()?.start_close(CloseCode::new(4002), "").map(drop);
    let closed = "connected 1, accepted 1, close_sent.4002 1, close_unread 1";
    assert_client(|server| server, ("whole", own), answers, closed);
}

#[test]
fn a_deadline_that_passes_is_counted_by_its_kind() {
    let ended = |kind: &str, sent: u16| {
        format!(
            "connected 1, accepted 1, handlers_failed 1, timeouts.{kind} 1, \
             close_received.1006 1, close_sent.{sent} 1"
        )
    };
    let silent = || send(Vec::new());
    let begins = masked(Opcode::Binary, &[0; 100])[..50].to_vec();
    for &way in WAYS {
        let with = |set: fn(Timeouts) -> Timeouts| {
            move |server: Server| server.config(timeouts(set)).keepalive(None)
        };
        let dead = with(|it| it.keepalive(Keepalive::every(ms(100))));
        assert_client(dead, way, silent(), &ended("keepalive", 1011));
        let endless = with(|it| it.message(ms(100)));
        assert_client(endless, way, send(begins.clone()), &ended("message", 1008));
        // An idle connection is closed in order, and then its client does not answer.
        let idle = with(|it| it.idle(ms(100)).closing(ms(100)));
        assert_client(idle, way, silent(), &ended("closing", 1001));
    }
}

#[test]
fn a_client_that_does_not_read_is_counted() {
    const MUCH: usize = 32 << 20;
    let ways: [(&str, Echo); 4] = [
        ("send", |incoming| incoming.accept()?.send(bytes(7, MUCH))),
        ("queue", |incoming| {
            let mut socket = incoming.accept()?;
            let chunk = bytes(7, MUCH / 2048);
            (0..2048).try_for_each(|_| socket.queue(&*chunk))?;
            socket.flush()
        }),
        ("split, send", |incoming| incoming.accept()?.split()?.1.send(bytes(7, MUCH))),
        ("split, queue", |incoming| {
            let (mut reader, writer) = incoming.accept()?.split()?;
            let chunk = bytes(7, MUCH / 2048);
            (0..2048).try_for_each(|_| writer.queue(&*chunk))?;
            while reader.next_event()?.is_some() {}
            Ok(())
        }),
    ];
    for (way, serve) in ways {
        let config = Config::new().timeouts(Timeouts::new().closing(ms(100)));
        let set = |server: Server| server.write_timeout(ms(300)).config(config);
        let server = Running::start(set, serve);
        let (stream, _) = raw_client(server.address());
        until(way, || server.handle.counts().timeouts.write == 1);
        until(way, || server.handle.connections() == 0);
        let counts = numbers(&server.handle.counts());
        assert_eq!((counts["timeouts.write"], counts["close_received.1006"]), (1, 1), "{way}");
        drop(stream);
        server.stop();
    }
}
