//! A connection that is split keeps the closing handshake and the timers: one rule for whole and split.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod adapter;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansock::split::{SendQueue, Sender};
use sansock::{
    CloseCode, Config, Connection, Event, Keepalive, Outcome, ProtocolError, Role, Timeout,
    Timeouts,
};
use testkit::pair::{clean, closed};
use testkit::seen::{Seen, text};
use testkit::wire::{
    BINARY, BOTH, CONTINUATION, FIN, FixedKey, PING, PONG, TEXT, close_frame, cut_frame, frame,
    peer,
};

use crate::adapter::{Handle, run};

/// Within it everything happens that does not wait for a timeout.
const TIMEOUT: Duration = Duration::from_secs(8);

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn config(timeouts: Timeouts) -> Config {
    Config::new().timeouts(timeouts)
}

fn nothing(_: &mut Sender, _: &mut SendQueue) {}

fn start_close(sender: &mut Sender, queue: &mut SendQueue) {
    sender.start_close(CloseCode::NORMAL, "", queue.queued()).unwrap();
}

/// Sends every message back.
fn echo(event: Event<'_>, sender: &mut Sender, queue: &mut SendQueue) {
    if let Event::Message(message) = event {
        sender.send(message, queue.queued()).unwrap();
    }
}

/// A split connection on threads of its own, and the other end as a bare stream.
fn split(
    role: Role,
    config: Config,
    start: fn(&mut Sender, &mut SendQueue),
    handle: Handle,
) -> (JoinHandle<(Vec<Seen>, Outcome)>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    other.set_read_timeout(Some(TIMEOUT)).unwrap();
    let connection = match role {
        Role::Client => Connection::client(&config, FixedKey),
        Role::Server => Connection::server(&config),
    };
    (thread::spawn(move || run(connection, &ours, start, handle)), other)
}

/// What the threads have to say, which must end.
fn end<T: Send + 'static>(threads: JoinHandle<T>) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(threads.join()));
    receiver.recv_timeout(TIMEOUT).unwrap().unwrap()
}

fn read_exactly(stream: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// All that still comes; a reset is an end too.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

#[test]
fn messages_are_echoed_and_the_peer_closes() {
    for role in BOTH {
        let (threads, mut other) = split(role, Config::new(), nothing, echo);
        let long = vec![7; 300_000];
        let mut expected = Vec::new();
        for payload in [&b"Hello"[..], b"", &long] {
            other.write_all(&frame(role, FIN | BINARY, payload)).unwrap();
            expected.extend(frame(peer(role), FIN | BINARY, payload));
        }
        assert!(read_exactly(&mut other, expected.len()) == expected, "{role:?}");
        other.write_all(&frame(role, FIN | PING, b"ping")).unwrap();
        let pong = frame(peer(role), PONG, b"ping");
        assert_eq!(read_exactly(&mut other, pong.len()), pong);
        other.write_all(&close_frame(role, 1001, b"going")).unwrap();
        let answer = close_frame(peer(role), 1001, b"");
        assert_eq!(read_exactly(&mut other, answer.len()), answer);
        if role == Role::Server {
            // "the server MUST close the TCP connection immediately" (7.1.1)
            assert_eq!(rest(&mut other), b"");
        }
        drop(other);
        let (seen, outcome) = end(threads);
        assert_eq!((seen.len(), outcome), (5, closed(1001, "going")), "{role:?}");
    }
}

#[test]
fn we_close_and_the_peer_answers() {
    for role in BOTH {
        let (threads, mut other) = split(role, Config::new(), start_close, echo_before_close);
        let close = close_frame(peer(role), 1000, b"");
        assert_eq!(read_exactly(&mut other, close.len()), close);
        // What crosses our Close frame still arrives, and is not answered.
        other.write_all(&frame(role, FIN | TEXT, b"late")).unwrap();
        other.write_all(&close_frame(role, 1000, b"")).unwrap();
        if role == Role::Server {
            assert_eq!(rest(&mut other), b"");
        }
        drop(other);
        let (seen, outcome) = end(threads);
        assert_eq!(seen, [text("late"), Seen::Close(Some(1000), String::new())]);
        assert_eq!(outcome, clean(1000), "{role:?}");
    }
}

/// [`echo`] that is refused behind our Close frame.
fn echo_before_close(event: Event<'_>, sender: &mut Sender, queue: &mut SendQueue) {
    if let Event::Message(message) = event {
        assert_eq!(sender.send(message, queue.queued()), Err(sansock::SendError::Closed));
    }
}

#[test]
fn a_silent_peer_is_pinged_and_given_up_with_1011() {
    let keepalive = Keepalive { interval: ms(80), timeout: ms(120) };
    for role in BOTH {
        let timeouts = Timeouts::new().keepalive(keepalive);
        let (threads, mut other) = split(role, config(timeouts), nothing, echo);
        let started = Instant::now();
        let ping = frame(peer(role), PING, &1_u64.to_be_bytes());
        assert_eq!(read_exactly(&mut other, ping.len()), ping);
        assert_eq!(rest(&mut other), close_frame(peer(role), 1011, b""));
        let (seen, outcome) = end(threads);
        assert_eq!((seen, outcome), (vec![], Outcome::TimedOut(Timeout::Keepalive)), "{role:?}");
        assert!(started.elapsed() >= ms(190), "{:?}", started.elapsed());
    }
}

#[test]
fn a_peer_that_answers_pings_is_kept() {
    let keepalive = Keepalive { interval: ms(30), timeout: ms(300) };
    let timeouts = Timeouts::new().keepalive(keepalive);
    let (threads, mut other) = split(Role::Server, config(timeouts), nothing, echo);
    for number in 1..10_u64 {
        let ping = frame(Role::Client, PING, &number.to_be_bytes());
        assert_eq!(read_exactly(&mut other, ping.len()), ping);
        other.write_all(&frame(Role::Server, PONG, &number.to_be_bytes())).unwrap();
    }
    other.write_all(&close_frame(Role::Server, 1000, b"")).unwrap();
    rest(&mut other);
    drop(other);
    assert_eq!(end(threads).1, clean(1000));
}

/// It neither answers our Close frame nor ends its side.
#[test]
fn a_mute_peer_is_given_up_in_the_time_of_the_closing_handshake() {
    for role in BOTH {
        let timeouts = Timeouts::new().closing(ms(200));
        let started = Instant::now();
        let (threads, mut other) = split(role, config(timeouts), start_close, echo);
        let (_, outcome) = end(threads);
        assert_eq!(outcome, Outcome::TimedOut(Timeout::Closing), "{role:?}");
        assert!((ms(200)..ms(2_000)).contains(&started.elapsed()), "{:?}", started.elapsed());
        assert_eq!(rest(&mut other), close_frame(peer(role), 1000, b""));
    }
}

/// It closes, but never ends its side of the transport: one deadline for both.
#[test]
fn a_peer_that_never_ends_the_transport_keeps_no_thread() {
    for role in BOTH {
        let timeouts = Timeouts::new().closing(ms(200));
        let (threads, mut other) = split(role, config(timeouts), nothing, echo);
        other.write_all(&close_frame(role, 1000, b"")).unwrap();
        assert_eq!(end(threads).1, clean(1000), "{role:?}");
    }
}

/// The connection fails, the peer learns why, and what it still sends is discarded.
#[test]
fn a_peer_that_breaks_the_protocol_is_told_while_it_still_sends() {
    for role in BOTH {
        let (threads, mut other) = split(role, Config::new(), nothing, echo);
        other.write_all(&[0x83, 0x80]).unwrap();
        for _ in 0..100 {
            other.write_all(&[0xFF; 10_000]).unwrap();
        }
        other.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&mut other), close_frame(peer(role), 1002, b""), "{role:?}");
        let (seen, outcome) = end(threads);
        assert_eq!(seen, []);
        assert_eq!(outcome, Outcome::Failed(ProtocolError::ReservedOpcode(3)));
    }
}

#[test]
fn a_peer_that_vanishes_is_an_abnormal_end() {
    for role in BOTH {
        let (threads, mut other) = split(role, Config::new(), nothing, echo);
        other.write_all(&cut_frame(role, FIN | TEXT, 5, b"Hel")).unwrap();
        drop(other);
        assert_eq!(end(threads), (vec![], Outcome::Abnormal), "{role:?}");
    }
}

#[test]
fn a_message_that_drips_is_given_up_with_1008_soon_after_its_time() {
    let timeouts = Timeouts::new().message(ms(200));
    let (threads, mut other) = split(Role::Server, config(timeouts), nothing, echo);
    let started = Instant::now();
    let message = frame(Role::Server, FIN | TEXT, &[b'x'; 100]);
    let mut dripping = other.try_clone().unwrap();
    let drips = thread::spawn(move || {
        for byte in message {
            if dripping.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(ms(20));
        }
    });
    assert_eq!(end(threads).1, Outcome::TimedOut(Timeout::Message));
    assert!((ms(200)..ms(1_500)).contains(&started.elapsed()), "{:?}", started.elapsed());
    drips.join().unwrap();
    let seen = rest(&mut other);
    assert!(seen.is_empty() || seen == close_frame(Role::Client, 1008, b""), "{seen:?}");
}

/// What lies unread while the program works says nothing: neither a Pong nor the rest of a message.
#[test]
fn a_busy_reader_makes_no_dead_peer() {
    let keepalive = Keepalive { interval: ms(60), timeout: ms(60) };
    let timeouts = Timeouts::new().keepalive(keepalive).message(ms(150));
    let busy: Handle = |event, _, _| {
        if event == Event::Message(sansock::Message::Text("work")) {
            // The lock is held meanwhile: the other thread cannot judge either, and must not when it can.
            thread::sleep(ms(400));
        }
    };
    let (threads, mut other) = split(Role::Server, config(timeouts), nothing, busy);
    other.write_all(&frame(Role::Server, FIN | TEXT, b"work")).unwrap();
    thread::sleep(ms(100));
    other.write_all(&frame(Role::Server, TEXT, b"in ")).unwrap();
    other.write_all(&frame(Role::Server, PONG, &1_u64.to_be_bytes())).unwrap();
    other.write_all(&frame(Role::Server, FIN | CONTINUATION, b"time")).unwrap();
    other.write_all(&close_frame(Role::Server, 1000, b"")).unwrap();
    rest(&mut other);
    drop(other);
    let (seen, outcome) = end(threads);
    assert_eq!(outcome, clean(1000));
    assert!(seen.contains(&text("in time")), "{seen:?}");
}

/// The same, with the other thread free to look at the clock.
#[test]
fn silence_counts_only_while_the_reader_waits() {
    let keepalive = Keepalive { interval: ms(100), timeout: ms(100) };
    let timeouts = Timeouts::none().keepalive(keepalive).message(ms(100));
    let (mut receiver, mut sender) = Connection::server(&config(timeouts)).split();
    let (mut input, mut output) = (sansock::ReceiveBuffer::new(), sansock::SendBuffer::new());
    let start = Instant::now();
    sender.handle_timeout(start, &mut output).unwrap();
    input.extend_from_slice(&frame(Role::Server, TEXT, b"part"));
    assert_eq!(receiver.advance(&mut input), Ok(false));
    sender.note(receiver.progress(&mut input));
    sender.handle_timeout(start, &mut output).unwrap();
    assert_eq!(sender.poll_timeout(), Some(start + ms(100)));
    sender.note_unread();
    for tenths in 1..100 {
        sender.handle_timeout(start + ms(100 * tenths), &mut output).unwrap();
    }
    assert!(output.is_empty(), "no Ping to a peer that may have sent something");
    // The time of the message was not started anew: it is over, at the second look.
    sender.note(receiver.progress(&mut input));
    let late = start + ms(10_000);
    assert_eq!(sender.handle_timeout(late, &mut output), Ok(()));
    assert_eq!(sender.handle_timeout(late + ms(100), &mut output), Err(Timeout::Message));
    assert_eq!(sender.outcome(), Some(&Outcome::TimedOut(Timeout::Message)));
}
