//! `net::WebSocket` and `net::Reader`: waiting with timeouts, keepalive and idle connections.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::*;
use crate::split::split;
use sansock::frame::Opcode;
use sansock::net::{Error, Next, Reader, WebSocket};
use sansock::{CloseCode, Config, Event, Keepalive, Message, Role, Timeout};

fn kind(result: Result<(), Error>) -> Option<io::ErrorKind> {
    match result {
        Ok(()) => None,
        Err(Error::Io(error)) => Some(error.kind()),
        Err(error) => panic!("{error:?}"),
    }
}

/// What waits for events: a connection, or the reader of one that was split.
trait Receives {
    fn next_event(&mut self) -> Result<Option<Event<'_>>, Error>;
    fn next_event_timeout(&mut self, timeout: Duration) -> Result<Next<Event<'_>>, Error>;
}

impl Receives for WebSocket {
    fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        self.next_event()
    }

    fn next_event_timeout(&mut self, timeout: Duration) -> Result<Next<Event<'_>>, Error> {
        self.next_event_timeout(timeout)
    }
}

impl Receives for Reader {
    fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        self.next_event()
    }

    fn next_event_timeout(&mut self, timeout: Duration) -> Result<Next<Event<'_>>, Error> {
        self.next_event_timeout(timeout)
    }
}

/// Calls `test` with a connection and with a reader, and with the peer of each.
fn with_both(test: impl Fn(&mut dyn Receives, TcpStream)) {
    let (mut socket, peer) = with_raw_peer(Role::Server, Config::new());
    test(&mut socket, peer);
    let (mut reader, _writer, peer) = split(Role::Server, Config::new());
    test(&mut reader, peer);
}

#[test]
fn waiting_for_a_time_goes_on_afterwards_even_amid_a_frame() {
    with_both(goes_on_afterwards);
}

fn goes_on_afterwards(socket: &mut dyn Receives, mut peer: TcpStream) {
    let message = masked(Opcode::Text, b"in pieces");
    for cut in 0..message.len() {
        peer.write_all(&message[..cut]).unwrap();
        let start = Instant::now();
        assert_eq!(socket.next_event_timeout(ms(5)).unwrap(), Next::TimedOut);
        assert!(start.elapsed() < TIMEOUT);
        peer.write_all(&message[cut..]).unwrap();
        let next = socket.next_event_timeout(TIMEOUT).unwrap();
        assert_eq!(next, Next::Event(Event::Message(Message::Text("in pieces"))), "cut at {cut}");
    }
    // Without a time it waits as ever.
    let writer = thread::spawn(move || {
        thread::sleep(ms(30));
        peer.write_all(&message).unwrap();
        peer
    });
    let event = socket.next_event().unwrap();
    assert_eq!(event, Some(Event::Message(Message::Text("in pieces"))));
    let mut peer = writer.join().unwrap();
    peer.write_all(&masked_close(1000)).unwrap();
    assert!(matches!(socket.next_event_timeout(TIMEOUT).unwrap(), Next::Event(Event::Close(_))));
    drop(peer);
    assert_eq!(socket.next_event_timeout(TIMEOUT).unwrap(), Next::Ended);
}

#[test]
fn waiting_for_no_time_takes_what_has_arrived() {
    with_both(|socket, mut peer| {
        assert_eq!(socket.next_event_timeout(ms(0)).unwrap(), Next::TimedOut);
        peer.write_all(&masked(Opcode::Text, b"here")).unwrap();
        // Loopback delivers before `write` returns.
        let next = socket.next_event_timeout(ms(0)).unwrap();
        assert_eq!(next, Next::Event(Event::Message(Message::Text("here"))));
    });
}

/// Neither the first time nor what a large buffer waits for takes its place.
#[test]
fn each_wait_has_its_own_time() {
    with_both(|socket, mut peer| {
        for large in [false, true] {
            if large {
                peer.write_all(&masked(Opcode::Binary, &bytes(1, 200_000))).unwrap();
                assert!(matches!(socket.next_event_timeout(TIMEOUT).unwrap(), Next::Event(_)));
            }
            for time in [200, 20, 300].map(ms) {
                let start = Instant::now();
                assert_eq!(socket.next_event_timeout(time).unwrap(), Next::TimedOut);
                let waited = start.elapsed();
                assert!(
                    (time..time + ms(2000)).contains(&(waited + ms(5))),
                    "{time:?}: {waited:?}"
                );
            }
        }
    });
}

#[test]
fn a_peer_that_drips_does_not_stretch_the_wait() {
    with_both(|socket, mut peer| {
        let dripping = thread::spawn(move || {
            for byte in masked(Opcode::Binary, &bytes(0, 300)) {
                if peer.write_all(&[byte]).is_err() {
                    return;
                }
                thread::sleep(ms(10));
            }
        });
        let start = Instant::now();
        assert_eq!(socket.next_event_timeout(ms(100)).unwrap(), Next::TimedOut);
        assert!((ms(95)..ms(2000)).contains(&start.elapsed()));
        dripping.join().unwrap();
    });
}

/// It has ended its side and takes nothing, so the end of the connection has to wait.
#[test]
fn a_peer_that_does_not_read_does_not_stretch_the_wait_of_a_reader() {
    let closing = TIMEOUT;
    let config = timeouts(|timeouts| timeouts.closing(closing));
    let (socket, peer) = with_raw_peer(Role::Server, config);
    fill(socket.get_ref().get_ref());
    let (mut reader, writer) = socket.split().unwrap();
    writer.queue(bytes(0, 1 << 20)).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    for _ in 0..2 {
        let start = Instant::now();
        assert_eq!(reader.next_event_timeout(ms(100)).unwrap(), Next::TimedOut);
        assert!((ms(95)..closing / 2).contains(&start.elapsed()));
    }
    drop(peer);
    assert!(matches!(reader.next_event_timeout(closing), Err(Error::Abnormal)));
}

#[test]
fn a_non_blocking_stream_is_not_spun_on_while_something_is_timed() {
    let keepalive = Keepalive { interval: TIMEOUT, timeout: TIMEOUT };
    let config = timeouts(|timeouts| timeouts.keepalive(keepalive));
    let (mut socket, mut peer) = with_raw_peer(Role::Server, config);
    socket.get_ref().get_ref().set_nonblocking(true).unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let result = socket.next_event().map(|_| ());
        assert_eq!(kind(result), Some(io::ErrorKind::WouldBlock));
    }
    assert!(start.elapsed() < TIMEOUT / 2);
    peer.write_all(&masked(Opcode::Text, b"x")).unwrap();
    assert_eq!(next_message(&mut socket), b"x");
}

#[test]
fn a_read_timeout_of_the_programs_own_is_reported() {
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    socket.get_ref().get_ref().set_read_timeout(Some(ms(10))).unwrap();
    peer.write_all(&masked(Opcode::Text, b"xyz")[..5]).unwrap();
    for _ in 0..2 {
        let result = socket.next_event().map(|_| ());
        assert!(matches!(kind(result), Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)));
    }
    peer.write_all(&masked(Opcode::Text, b"xyz")[5..]).unwrap();
    assert_eq!(next_message(&mut socket), b"xyz");
}

#[test]
fn a_silent_peer_gets_a_ping_and_then_times_out() {
    let keepalive = Keepalive { interval: ms(80), timeout: ms(80) };
    for role in [Role::Server, Role::Client] {
        let config = timeouts(|timeouts| timeouts.keepalive(keepalive));
        let (mut socket, mut peer) = with_raw_peer(role, config);
        let start = Instant::now();
        let error = socket.next_event().map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Keepalive)), "{error:?}");
        // Though the peer could not even be seen off: `Timeouts::closing` is 10 seconds.
        assert!((ms(150)..TIMEOUT).contains(&start.elapsed()), "{:?}", start.elapsed());
        // One Ping, and the Close frame that says why.
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
        with_raw_peer(Role::Server, timeouts(|timeouts| timeouts.idle(ms(600))));
    let server = thread::spawn(move || {
        let mut events = 0;
        while socket.next_event().unwrap().is_some() {
            events += 1;
        }
        (events, socket.outcome().cloned())
    });
    let start = Instant::now();
    peer.write_all(&masked(Opcode::Ping, b"")).unwrap();
    assert_eq!(read_exactly(&mut peer, 2), frame(Opcode::Pong, b""));
    assert_eq!(read_exactly(&mut peer, 4), close_frame(1001));
    assert!(start.elapsed() >= ms(550));
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
        for byte in masked(Opcode::Binary, &bytes(0, 125)) {
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

fn peer_has_sent_something(stream: &TcpStream) -> bool {
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
    server.queue(bytes(1, 200_000)).unwrap();
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

/// Unread bytes are not silence: neither a program that rarely reads nor a process that was stopped
/// makes the peer time out.
#[test]
fn a_peer_whose_answer_was_not_read_yet_is_kept() {
    let keepalive = Keepalive { interval: ms(100), timeout: ms(100) };
    let config = timeouts(|timeouts| timeouts.keepalive(keepalive));
    let (mut socket, mut peer) = with_raw_peer(Role::Server, config);
    for _ in 0..3 {
        assert_eq!(socket.next_event_timeout(ms(0)).unwrap(), Next::TimedOut);
        thread::sleep(ms(150));
        assert_eq!(socket.next_event_timeout(ms(0)).unwrap(), Next::TimedOut);
        let ping = read_exactly(&mut peer, 10);
        peer.write_all(&masked(Opcode::Pong, &ping[2..])).unwrap();
        thread::sleep(ms(300));
        let next = socket.next_event_timeout(ms(0)).unwrap();
        assert_eq!(next, Next::Event(Event::Pong(&ping[2..])));
    }
    assert_eq!(socket.next_event_timeout(ms(0)).unwrap(), Next::TimedOut);
    thread::sleep(ms(150));
    assert_eq!(socket.next_event_timeout(ms(0)).unwrap(), Next::TimedOut);
    thread::sleep(ms(150));
    // The first check that finds the answer overdue, and the second one.
    assert_eq!(socket.next_event_timeout(ms(0)).unwrap(), Next::TimedOut);
    thread::sleep(ms(150));
    let error = socket.next_event_timeout(ms(0)).unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Keepalive)), "{error:?}");
}

/// A peer that sends Pings and does not read: one write timeout ends it, not one per Ping.
#[test]
fn pings_of_a_peer_that_does_not_read_cause_one_write_timeout() {
    let (mut socket, mut peer) = with_raw_peer(Role::Server, Config::new());
    fill_to_the_last_byte(socket.get_ref().get_ref());
    socket.set_write_timeout(ms(200));
    for n in 0..50 {
        peer.write_all(&masked(Opcode::Ping, &[n])).unwrap();
    }
    let start = Instant::now();
    let (pings, error) = within(TIMEOUT * 2, move || {
        let mut pings = 0;
        loop {
            match socket.next_event() {
                Ok(Some(Event::Ping(_))) => pings += 1,
                Ok(other) => panic!("{other:?}"),
                Err(error) => return (pings, error),
            }
        }
    });
    assert!(matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::TimedOut));
    assert!(pings > 10, "{pings}");
    assert!((ms(190)..ms(2000)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

/// [`fill`] leaves room for a few small frames.
fn fill_to_the_last_byte(stream: &TcpStream) {
    for _ in 0..10 {
        fill(stream);
        stream.set_nonblocking(true).unwrap();
        while (&*stream).write(&[0]).is_ok() {}
        stream.set_nonblocking(false).unwrap();
        // The peer's end may still take some.
        thread::sleep(ms(10));
    }
}
