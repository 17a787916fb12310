//! Peers that read nothing, next to nothing, or slowly: what a write costs, in every way to send.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::*;
use sansock::net::{Error, WebSocket};
use sansock::{Config, Keepalive, Outcome, Role, Timeout};

/// More than the buffers of the operating system hold.
const MESSAGE: usize = 32 << 20;
const WRITE_TIMEOUT: Duration = ms(300);

/// How a peer reads: so many bytes, then a pause.
#[derive(Clone, Copy, Debug)]
struct Reads(usize, Duration);

const NOTHING: Reads = Reads(0, ms(5));
const ONE_BYTE: Reads = Reads(1, ms(2));
/// Slow, but more than 16 KiB in each write timeout.
const SLOWLY: Reads = Reads(512 << 10, ms(30));

/// Reads on a thread of its own until the stream ends; returns the count.
fn peer(mut stream: TcpStream, reads: Reads) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    thread::spawn(move || {
        let mut bytes = vec![0; reads.0];
        let start = Instant::now();
        while start.elapsed() < 2 * TIMEOUT {
            match stream.read(&mut bytes) {
                Ok(0) if reads.0 > 0 => return,
                Ok(n) => counting.fetch_add(n, Ordering::Relaxed),
                Err(_) => return,
            };
            thread::sleep(reads.1);
        }
    });
    count
}

/// A way to send a message of [`MESSAGE`] bytes to the end.
type Way = (&'static str, fn(WebSocket) -> Result<(), Error>);

const WAYS: &[Way] = &[
    ("send", |mut socket| socket.send(bytes(0, MESSAGE))),
    ("queue", |mut socket| {
        socket.queue(bytes(0, MESSAGE))?;
        socket.flush()
    }),
    ("queue, then wait", |mut socket| {
        socket.queue(bytes(0, MESSAGE))?;
        socket.next_event().map(drop)
    }),
    ("small messages", |mut socket| {
        for _ in 0..MESSAGE / 1_000 {
            socket.queue(bytes(0, 1_000))?;
        }
        socket.flush()
    }),
    ("fragments", |mut socket| {
        for _ in 0..MESSAGE / 100_000 {
            socket.send_fragment(bytes(0, 100_000), false)?;
        }
        socket.send_fragment(bytes(0, 1), true)
    }),
    ("split, send", |socket| {
        let (_reader, writer) = socket.split()?;
        writer.send(bytes(0, MESSAGE))
    }),
    ("split, the background thread", |socket| {
        let (mut reader, writer) = socket.split()?;
        writer.queue(bytes(0, MESSAGE))?;
        while reader.next_event()?.is_some() {}
        writer.flush()
    }),
];

/// Runs `way` against a peer that reads so. Returns its result, how long it took, and how many bytes
/// the peer has read.
fn run(way: &Way, reads: Reads, config: Config) -> (Result<(), Error>, Duration, Arc<AtomicUsize>) {
    let (mut socket, stream) = with_raw_peer(Role::Server, config);
    socket.set_write_timeout(WRITE_TIMEOUT);
    let read = peer(stream, reads);
    let send = way.1;
    let start = Instant::now();
    let result = within(TIMEOUT, move || send(socket));
    (result, start.elapsed(), read)
}

#[test]
fn a_peer_that_reads_next_to_nothing_costs_a_write_timeout() {
    for way in WAYS {
        for reads in [NOTHING, ONE_BYTE] {
            let (result, took, _) = run(way, reads, Config::new());
            let context = format!("{}, {reads:?}, after {took:?}: {result:?}", way.0);
            let Err(Error::Io(error)) = result else { panic!("{context}") };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{context}");
            assert!((WRITE_TIMEOUT..TIMEOUT / 2).contains(&took), "{context}");
        }
    }
}

#[test]
fn a_peer_that_reads_slowly_gets_everything() {
    let to_the_end = |way: &&Way| !way.0.contains("wait") && !way.0.contains("thread");
    thread::scope(|scope| {
        for way in WAYS.iter().filter(to_the_end) {
            scope.spawn(move || {
                let (result, took, read) = run(way, SLOWLY, Config::new());
                assert!(result.is_ok(), "{}, after {took:?}: {result:?}", way.0);
                assert!(took > WRITE_TIMEOUT, "{}: {took:?}", way.0);
                until("it has arrived", || read.load(Ordering::Relaxed) > MESSAGE - 100_000);
            });
        }
    });
}

/// The part of a large message that was given up is no less reported than one that waits.
#[test]
fn what_was_given_up_is_reported() {
    let timed_out = |result: Result<(), Error>| {
        let Err(Error::Io(error)) = result else { panic!("{result:?}") };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    };
    let slow = || {
        let (mut socket, peer) = with_raw_peer(Role::Server, Config::new());
        socket.set_write_timeout(WRITE_TIMEOUT);
        (socket, peer)
    };
    let (mut socket, _peer) = slow();
    timed_out(socket.send(bytes(0, MESSAGE)));
    timed_out(socket.flush());
    assert!(socket.buffered_amount() > 0 && socket.send("x").is_err());

    let (socket, _peer) = slow();
    let (_reader, writer) = socket.split().unwrap();
    timed_out(writer.send(bytes(0, MESSAGE)));
    timed_out(writer.flush());
    assert!(writer.buffered_amount() > 0 && writer.send("x").is_err());
}

/// Each waits for the other to read. The error says so, and comes in the time that was set.
#[test]
fn two_ends_that_send_much_before_they_read_get_an_error_in_time() {
    let (client, server) = pair(Config::new());
    let ends = [client, server].map(|mut socket| {
        socket.set_write_timeout(WRITE_TIMEOUT);
        thread::spawn(move || {
            let start = Instant::now();
            let result = socket.send(bytes(0, MESSAGE));
            // Both are open until both have an error.
            (result, start.elapsed(), socket)
        })
    });
    for (result, took, _socket) in within(TIMEOUT, || ends.map(|end| end.join().unwrap())) {
        let Err(Error::Io(error)) = result else { panic!("{result:?}") };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("waits for this end to read"), "{error}");
        assert!((WRITE_TIMEOUT..TIMEOUT / 2).contains(&took), "{took:?}");
    }
}

/// The Ping waits behind the message, so it cannot be answered before the message is taken.
#[test]
fn a_peer_that_takes_a_large_message_in_is_not_called_dead() {
    // A busy machine may stop this test for a while, but not for a second.
    let keepalive = Keepalive { interval: ms(300), timeout: ms(1200) };
    let (socket, mut stream) =
        with_raw_peer(Role::Server, timeouts(|timeouts| timeouts.keepalive(keepalive)));
    let (mut reader, writer) = socket.split().unwrap();
    writer.queue(bytes(0, MESSAGE)).unwrap();
    let reading = thread::spawn(move || {
        while reader.next_event()?.is_some() {}
        Ok::<_, Error>(reader.outcome())
    });
    // Longer than interval and timeout together, in pauses that are shorter.
    let mut piece = vec![0; 1 << 20];
    let start = Instant::now();
    for _ in 0..MESSAGE / piece.len() {
        stream.read_exact(&mut piece).unwrap();
        thread::sleep(ms(120));
    }
    assert!(start.elapsed() > keepalive.interval + keepalive.timeout);
    until("it is all written", || writer.buffered_amount() == 0);
    assert!(writer.outcome().is_none(), "{:?}", writer.outcome());
    // Once it takes nothing and answers nothing, it is dead.
    let (outcome, stream) = within(TIMEOUT, move || (reading.join().unwrap(), stream));
    assert!(matches!(outcome, Err(Error::Timeout(Timeout::Keepalive))), "{outcome:?}");
    assert_eq!(writer.outcome(), Some(Outcome::TimedOut(Timeout::Keepalive)));
    drop(stream);
}

/// The deadline of the closing handshake counts from our Close frame, whatever the peer reads.
#[test]
fn the_closing_deadline_holds_while_a_write_waits() {
    let config = timeouts(|timeouts| timeouts.closing(ms(400)));
    for reads in [NOTHING, ONE_BYTE] {
        let (mut socket, stream) = with_raw_peer(Role::Server, config);
        let read = peer(stream, reads);
        let start = Instant::now();
        let result = within(TIMEOUT, move || {
            // What the network does not take waits, in front of the Close frame.
            socket.queue(bytes(0, MESSAGE)).unwrap();
            let result = socket.close(sansock::CloseCode::NORMAL, "");
            assert!(socket.outcome().is_some());
            result
        });
        let took = start.elapsed();
        assert!(took < TIMEOUT / 2, "{reads:?}: {took:?}, {result:?}");
        assert!(
            matches!(
                result,
                Ok(Outcome::TimedOut(Timeout::Closing)) | Err(Error::Timeout(Timeout::Closing))
            ),
            "{result:?}"
        );
        drop(read);
    }
}

/// The handler has returned, and the server writes what it has queued.
#[test]
fn a_server_gives_up_what_its_handler_left() {
    let handled = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&handled);
    let config = timeouts(|timeouts| timeouts.closing(ms(400)));
    let server = Running::start(
        move |server| server.config(config).write_timeout(WRITE_TIMEOUT),
        move |incoming| {
            let mut socket = incoming.accept()?;
            socket.queue(bytes(0, MESSAGE))?;
            counting.fetch_add(1, Ordering::Relaxed);
            Ok(())
        },
    );
    let (stream, _) = raw_client(server.address());
    let read = peer(stream, ONE_BYTE);
    until("the handler returns", || handled.load(Ordering::Relaxed) > 0);
    let start = Instant::now();
    until("the place is free", || server.handle.connections() == 0);
    assert!(start.elapsed() < TIMEOUT / 2, "{:?}", start.elapsed());
    server.stop();
    drop(read);
}
