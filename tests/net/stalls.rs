//! `WebSocket::split`: its timers, and what becomes of writes that fail or make no progress.

use std::io::{self, Write};
use std::thread::{self};
use std::time::Instant;

use crate::common::*;
use crate::split::{read, split};
use sansock::frame::Opcode;
use sansock::net::Error;
use sansock::{CloseCode, Config, Event, Keepalive, Limits, Outcome, Role, SendError, Timeout};

/// All halves are dropped and the peer does not read: the drop of the last half waits, but not
/// forever.
#[test]
fn the_last_half_waits_for_the_network_for_a_bounded_time() {
    let config = timeouts(|timeouts| timeouts.closing(ms(300)));
    let (reader, writer, peer) = split(Role::Server, config);
    writer.queue(bytes(0, 32 << 20)).unwrap();
    let start = Instant::now();
    within(TIMEOUT, move || drop((reader, writer)));
    assert!(start.elapsed() >= ms(290), "{:?}", start.elapsed());
    drop(peer);

    // A peer that reads late gets everything.
    let (reader, writer, mut peer) = split(Role::Server, Config::new());
    writer.queue(bytes(0, 32 << 20)).unwrap();
    let dropping = thread::spawn(move || drop((reader, writer)));
    thread::sleep(ms(100));
    assert_eq!(read_to_end(&mut peer).len(), 10 + (32 << 20));
    dropping.join().unwrap();
}

#[test]
fn a_silent_peer_times_out() {
    let keepalive = Keepalive { interval: ms(80), timeout: ms(80) };
    let config = timeouts(|timeouts| timeouts.keepalive(keepalive));
    let (reader, writer, mut peer) = split(Role::Server, config);
    let start = Instant::now();
    let error = read(reader).join().unwrap().1.unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Keepalive)), "{error:?}");
    assert!((ms(150)..TIMEOUT).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert!(writer.send("x").is_err());
    // One Ping, and the Close frame that says why.
    let seen = read_to_end(&mut peer);
    assert_eq!((seen.len(), seen[0], seen[10]), (14, 0x89, 0x88), "{seen:?}");
}

/// The background thread itself is in the middle of a write that makes no progress.
#[test]
fn a_peer_that_reads_nothing_times_out() {
    let keepalive = Keepalive { interval: ms(100), timeout: ms(100) };
    let config = timeouts(|timeouts| timeouts.keepalive(keepalive));
    let (reader, writer, peer) = split(Role::Server, config);
    writer.queue(bytes(0, 32 << 20)).unwrap();
    let reading = read(reader); // Has it written.
    let (_, result) = within(TIMEOUT, move || reading.join().unwrap());
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Keepalive)), "{error:?}");
    assert!(writer.buffered_amount() > 0);
    until("it is known", || matches!(writer.flush(), Err(Error::Io(_))));
    drop(peer);
}

/// A busy reader does not see the peer's bytes: that must not count as the peer's silence.
#[test]
fn a_busy_reader_does_not_make_a_dead_peer() {
    let keepalive = Keepalive { interval: ms(60), timeout: ms(60) };
    let (ours, theirs) = tcp_pair();
    let server = socket(ours, Role::Server, timeouts(|timeouts| timeouts.keepalive(keepalive)));
    let (mut reader, writer) = server.split().unwrap();
    let client = thread::spawn(move || {
        let mut client = socket(theirs, Role::Client, Config::new());
        client.send("work").unwrap();
        while client.next_event().unwrap().is_some() {}
    });
    assert!(matches!(reader.next_event().unwrap(), Some(Event::Message(_))));
    thread::sleep(ms(500));
    writer.start_close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(read(reader).join().unwrap().1.unwrap(), 1000);
    client.join().unwrap();
}

#[test]
fn only_an_unused_connection_is_closed_with_1001() {
    let (reader, writer, mut peer) =
        split(Role::Server, timeouts(|timeouts| timeouts.idle(ms(1000))));
    let reading = read(reader);
    let start = Instant::now();
    // Whole messages keep it open.
    for _ in 0..6 {
        thread::sleep(ms(200));
        peer.write_all(&masked(Opcode::Text, b"x")).unwrap();
    }
    // As do our own.
    for _ in 0..6 {
        thread::sleep(ms(200));
        writer.send("x").unwrap();
    }
    let used = start.elapsed();
    let expected = [b"\x81\x01x".repeat(6), close_frame(1001)].concat();
    assert_eq!(read_exactly(&mut peer, 22), expected);
    assert!(start.elapsed() >= used + ms(900), "{:?} after {used:?}", start.elapsed());
    peer.write_all(&masked_close(1001)).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
    drop(peer);
    let (messages, result) = reading.join().unwrap();
    assert_eq!((messages.len(), result.unwrap()), (6, 1001));
}

#[test]
fn a_message_that_takes_too_long_is_1008() {
    let config = timeouts(|timeouts| timeouts.message(ms(100)));
    let (reader, _writer, mut peer) = split(Role::Server, config);
    let reading = read(reader);
    peer.write_all(&masked(Opcode::Text, b"in time")).unwrap();
    thread::sleep(ms(150));
    peer.write_all(&masked(Opcode::Text, b"not in time")[..9]).unwrap();
    assert_eq!(read_to_end(&mut peer), close_frame(1008));
    let (messages, result) = reading.join().unwrap();
    assert_eq!(messages, [b"in time"]);
    assert!(matches!(result, Err(Error::Timeout(Timeout::Message))));
}

#[test]
fn the_closing_handshake_is_timed_for_readers_and_writers() {
    // The reader waits for the answer.
    let config = timeouts(|timeouts| timeouts.closing(ms(200)));
    let (reader, writer, peer) = split(Role::Client, config);
    let reading = read(reader);
    let start = Instant::now();
    writer.start_close(CloseCode::NORMAL, "").unwrap();
    let (_, result) = within(TIMEOUT, move || reading.join().unwrap());
    assert!(matches!(result, Err(Error::Timeout(Timeout::Closing))), "{result:?}");
    assert!(start.elapsed() >= ms(190), "{:?}", start.elapsed());
    drop(peer);

    // The writer waits for the network, and the peer does not read.
    let (reader, writer, peer) = split(Role::Client, config);
    let result = within(TIMEOUT, move || {
        writer.queue(bytes(0, 32 << 20)).unwrap();
        writer.start_close(CloseCode::NORMAL, "")
    });
    assert!(matches!(result, Err(Error::Io(_))), "{result:?}");
    assert_eq!(reader.outcome(), Some(Outcome::TimedOut(Timeout::Closing)));
    drop(peer);
}

#[test]
fn a_broken_connection_is_reported_to_every_writer_with_what_was_lost() {
    let (_reader, writer, peer) = split(Role::Server, Config::new());
    let sending: Vec<_> = (0..4)
        .map(|i| {
            let writer = writer.clone();
            let size = if i % 2 == 0 { 100 } else { 1 << 20 };
            thread::spawn(move || {
                loop {
                    if let Err(error) = writer.send(bytes(0, size)) {
                        return error;
                    }
                }
            })
        })
        .collect();
    thread::sleep(ms(50));
    drop(peer);
    for thread in sending {
        let error = within(TIMEOUT, move || thread.join().unwrap());
        assert!(matches!(error, Error::Io(_)), "{error:?}");
    }
    assert!(writer.buffered_amount() > 0);
    assert!(matches!(writer.queue("x"), Err(Error::Io(_))));
    assert!(matches!(writer.flush(), Err(Error::Io(_))));
}

/// The write timeout that the connection had counts: without progress for this long, all is over.
#[test]
fn a_write_that_makes_no_progress_fails_in_the_time_that_was_set() {
    let (mut socket, peer) = with_raw_peer(Role::Server, Config::new());
    socket.set_write_timeout(ms(200));
    let (_reader, writer) = socket.split().unwrap();
    let start = Instant::now();
    let error = within(TIMEOUT, move || writer.send(bytes(0, 32 << 20)).unwrap_err());
    let Error::Io(error) = error else { panic!("{error:?}") };
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    assert!(start.elapsed() >= ms(190), "{:?}", start.elapsed());
    drop(peer);
}

/// A write that stalls for longer than its step goes on where it was, large or small.
#[test]
fn a_write_that_stalls_for_a_while_loses_nothing() {
    let (_reader, writer, mut peer) = split(Role::Client, Config::new());
    let payload: Vec<u8> =
        (0..8 << 20).map(|i: u32| i.to_le_bytes()[0] ^ i.to_le_bytes()[2]).collect();
    let sent = payload.clone();
    let sending = thread::spawn(move || {
        writer.queue("before").unwrap();
        writer.send(&sent).unwrap();
        writer.send("behind").unwrap();
        writer
    });
    thread::sleep(ms(1300));
    let mut receiver = socket(peer.try_clone().unwrap(), Role::Server, Config::new());
    assert_eq!(next_message(&mut receiver), b"before");
    assert!(next_message(&mut receiver) == payload);
    assert_eq!(next_message(&mut receiver), b"behind");
    assert_eq!(sending.join().unwrap().buffered_amount(), 0);
    peer.flush().unwrap();
}

#[test]
fn what_waits_is_bounded_in_flight_and_queued_together() {
    let config = Config::new().limits(Limits::new().buffered(8 << 20));
    let (_reader, writer, mut peer) = split(Role::Server, config);
    let stuck = writer.clone();
    let sending = thread::spawn(move || stuck.send(bytes(0, 16 << 20)));
    until("it is in flight", || writer.buffered_amount() > 8 << 20);
    let refused = writer.queue("x").unwrap_err();
    assert!(
        matches!(refused, Error::Send(SendError::BufferFull { limit: 0x80_0000 })),
        "{refused:?}"
    );
    // A sender waits for room.
    let pinging = thread::spawn(move || writer.ping(b"?"));
    thread::sleep(ms(50));
    assert!(!pinging.is_finished());
    read_exactly(&mut peer, 10 + (16 << 20));
    assert_eq!(read_exactly(&mut peer, 3), frame(Opcode::Ping, b"?"));
    pinging.join().unwrap().unwrap();
    sending.join().unwrap().unwrap();
}
