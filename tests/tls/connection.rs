//! One thread on a connection with TLS.

use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::Instant;

use sansock::frame::Opcode;
use sansock::handshake::Rejection;
use sansock::net::tls::rustls::{ProtocolVersion, version};
use sansock::net::{Client, Error, Next, TlsError};
use sansock::{CloseCode, Config, Event, Message, Outcome, State, Timeout, Timeouts};
use testkit::pair::clean;

use crate::certificates::ours;
use crate::common::*;
use crate::peer::Peer;
use crate::{connect_to_ours, serve, wss};

/// Both roles send and receive each of them: the server echoes.
#[test]
fn messages_of_all_sizes_come_back() {
    let server = serve(&ours().server());
    let mut socket = connect_to_ours(&server);
    for size in [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_535, 65_536, 1 << 20, 5_000_000] {
        let message: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
        socket.send(&message[..]).unwrap();
        assert!(next_message(&mut socket) == message, "{size}");
        let text = "\u{20ac}".repeat(size / 3);
        socket.send(&*text).unwrap();
        assert!(next_message(&mut socket) == text.as_bytes(), "{size}");
    }
    socket.close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(socket.outcome(), Some(&clean(1000)));
}

#[test]
fn many_messages_at_once_come_back_in_order() {
    let server = serve(&ours().server());
    let mut socket = connect_to_ours(&server);
    for number in 0..10_000 {
        socket.queue(&*format!("{number}")).unwrap();
    }
    for number in 0..10_000 {
        assert_eq!(next_message(&mut socket), format!("{number}").as_bytes());
    }
}

#[test]
fn a_peer_with_tls_1_2_is_understood() {
    let (mut socket, mut peer) = Peer::with_client_in(&version::TLS12, &Config::new());
    assert_eq!(socket.get_ref().tls().unwrap().version, Some(ProtocolVersion::TLSv1_2));
    peer.send(&frame(Opcode::Text, b"Hello"));
    assert_eq!(next_message(&mut socket), b"Hello");
    socket.send("Hello").unwrap();
    assert_eq!(peer.read(11).len(), 11);
}

// "If the request_update field is set to "update_requested", then the receiver MUST send a
// KeyUpdate of its own [...] prior to sending its next Application Data record." (RFC 8446, 4.6.3)
#[test]
fn new_keys_are_followed_and_answered() {
    let (mut socket, mut peer) = Peer::with_client(&Config::new());
    for _ in 0..3 {
        peer.tls.refresh_traffic_keys().unwrap();
        peer.send(&frame(Opcode::Text, b"Hello"));
        assert_eq!(next_message(&mut socket), b"Hello");
        socket.send("Hello").unwrap();
        assert_eq!(peer.read(11).len(), 11);
    }
}

#[test]
fn a_read_that_times_out_in_a_record_resumes() {
    let (mut socket, mut peer) = Peer::with_client(&Config::new());
    let message = bytes(7, 40_000);
    let records = peer.records(&frame(Opcode::Binary, &message));
    // Inside a record's header, its body, its tag.
    for (number, piece) in records.chunks(records.len() / 7).enumerate() {
        peer.tcp.write_all(piece).unwrap();
        match socket.next_event_timeout(ms(50)).unwrap() {
            Next::TimedOut => {}
            Next::Event(Event::Message(received)) => {
                assert!(number >= 6 && received.as_bytes() == message, "{number}");
                return;
            }
            next => panic!("{next:?}"),
        }
    }
    assert!(next_message(&mut socket) == message);
}

/// A peer that sends a record byte by byte does not keep the timers from being checked.
#[test]
fn a_slow_record_does_not_extend_deadlines() {
    let (mut socket, mut peer) = Peer::with_client(&timeouts(|all| all.idle(ms(300))));
    let records = peer.records(&frame(Opcode::Binary, &bytes(7, 2000)));
    let start = Instant::now();
    let sender = thread::spawn(move || {
        for byte in &records[..records.len() - 1] {
            if peer.tcp.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(ms(1));
        }
        peer
    });
    assert_eq!(socket.next_event_timeout(ms(100)).unwrap(), Next::TimedOut);
    assert!(start.elapsed() < ms(1000), "{:?}", start.elapsed());
    // The connection is closed because it is idle.
    while socket.connection().state() == State::Open {
        assert_eq!(socket.next_event_timeout(ms(100)).unwrap(), Next::TimedOut);
        assert!(start.elapsed() < TIMEOUT);
    }
    drop(socket);
    sender.join().unwrap();
}

#[test]
fn a_write_that_times_out_in_a_record_goes_on_where_it_stopped() {
    let (mut socket, mut peer) = Peer::with_client(&Config::new());
    socket.get_ref().get_ref().set_write_timeout(Some(ms(20))).unwrap();
    let message: Vec<u8> = (0..=u8::MAX).cycle().take(8 << 20).collect();
    let error = socket.send(&message[..]).unwrap_err();
    assert!(matches!(&error, Error::Io(error) if is_timeout(error)), "{error:?}");
    let mut waiting = socket.buffered_amount();
    assert!(waiting > 0 && waiting < message.len(), "{waiting}");

    let length = 14 + message.len();
    let reader = thread::spawn(move || {
        let mut frame = Vec::new();
        // At first slowly, so that writes end inside of records.
        for _ in 0..20 {
            frame.extend(peer.read(50_000));
            thread::sleep(ms(30));
        }
        frame.extend(peer.read(length - frame.len()));
        frame
    });
    while let Err(error) = socket.flush() {
        assert!(matches!(&error, Error::Io(error) if is_timeout(error)), "{error:?}");
        assert!(socket.buffered_amount() <= waiting, "what was written is not written again");
        waiting = socket.buffered_amount();
    }
    assert_eq!(socket.buffered_amount(), 0);
    let frame = within(TIMEOUT, move || reader.join().unwrap());
    let [frame] = &testkit::frame::frames(&frame)[..] else { panic!("one frame") };
    assert!(frame.key.is_some() && frame.payload == message);
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[test]
fn close_notify_ends_a_connection_and_a_cut_is_told_from_it() {
    // The closing handshake, and close_notify behind it.
    let (mut socket, mut peer) = Peer::with_client(&Config::new());
    peer.send(&close_frame(1000));
    peer.send_close_notify();
    assert_eq!(socket.next_event().unwrap().map(|_| ()), Some(()));
    assert_eq!(socket.next_event().unwrap(), None);
    assert_eq!(peer.read(100).len(), 8, "our Close frame and close_notify");

    // A closing handshake is enough.
    let (mut socket, mut peer) = Peer::with_client(&Config::new());
    peer.send(&close_frame(1000));
    drop(peer);
    while socket.next_event().unwrap().is_some() {}

    // close_notify without a Close frame: 1006.
    let (mut socket, mut peer) = Peer::with_client(&Config::new());
    peer.send_close_notify();
    assert!(matches!(socket.next_event(), Err(Error::Abnormal)));

    // The end of the stream alone.
    let (mut socket, mut peer) = Peer::with_client(&Config::new());
    peer.send(&frame(Opcode::Text, b"Hello"));
    drop(peer);
    assert_eq!(next_message(&mut socket), b"Hello");
    let error = socket.next_event().unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::Truncated)), "{error:?}");
    assert_eq!(socket.outcome(), Some(&Outcome::Abnormal));
}

#[test]
fn a_record_that_was_changed_on_the_way_ends_the_connection() {
    let (mut socket, mut peer) = Peer::with_client(&Config::new());
    let mut records = peer.records(&frame(Opcode::Text, b"Hello"));
    records[12] ^= 1;
    peer.tcp.write_all(&records).unwrap();
    for _ in 0..2 {
        let error = socket.next_event().map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Tls(TlsError::Session(_)) | Error::Abnormal), "{error:?}");
    }
}

#[test]
fn a_server_closes_with_close_notify_whether_the_program_says_so_or_not() {
    let acceptor = ours().server().acceptor();
    let server = Running::start(
        |server| server.tls(acceptor),
        |incoming| {
            let dropped = incoming.request().path() == "/dropped";
            let mut socket = incoming.accept()?;
            if !dropped {
                socket.close(CloseCode::NORMAL, "")?;
            }
            Ok(())
        },
    );
    let connect = |path| {
        let client = Client::new(&format!("wss://{}/{path}", server.address())).unwrap();
        client.tls(ours().connector()).connect().unwrap()
    };
    let mut socket = connect("");
    while socket.next_event().unwrap().is_some() {}
    assert_eq!(socket.outcome(), Some(&clean(1000)));
    let mut socket = connect("dropped");
    while socket.next_event().unwrap().is_some() {}
    assert_eq!(socket.outcome(), Some(&clean(1000)));
}

/// "Clients MUST send a closure alert before closing the connection"; "Servers MUST attempt to
/// initiate an exchange of closure alerts with the client before closing the connection." (RFC
/// 9112, 9.8)
#[test]
fn a_refused_handshake_ends_with_close_notify_from_either_side() {
    let acceptor = ours().server().acceptor();
    let server = Running::start(
        |server| server.tls(acceptor),
        |incoming| incoming.reject(&Rejection::new(403).body("no")),
    );
    for (request, status) in [("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 403), ("GET /\r\n", 400)] {
        let tcp = connect(server.address());
        let mut stream = ours().connector().connect(tcp, "localhost", &Timeouts::new()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A stream that is cut is an error here.
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    server.stop();

    let (tcp, theirs) = tcp_pair();
    let peer = thread::spawn(move || {
        let mut peer = Peer::accept(theirs, &version::TLS13);
        peer.read_request();
        peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
        peer.read(1)
    });
    let stream = ours().connector().connect(tcp, "localhost", &Timeouts::new()).unwrap();
    let error = Client::new("wss://localhost/").unwrap().handshake(stream).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
    assert_eq!(within(TIMEOUT, move || peer.join().unwrap()), b"", "close_notify, and not a cut");
}

/// "When encountering an incomplete close, a client SHOULD treat as completed all requests for
/// which it has received" all that the response announced, and it "SHOULD recover gracefully" (RFC
/// 9112, 9.8).
#[test]
fn a_refusal_that_is_cut_is_given_as_far_as_it_came() {
    for (length, body) in
        [("Content-Length: 2\r\n", "no"), ("Content-Length: 9\r\n", "no"), ("", "no")]
    {
        let (tcp, theirs) = tcp_pair();
        let answer = format!("HTTP/1.1 404 Not Found\r\n{length}\r\n{body}");
        // Dropped without close_notify.
        let peer = thread::spawn(move || {
            let mut peer = Peer::accept(theirs, &version::TLS13);
            peer.read_request();
            peer.send(answer.as_bytes());
        });
        let stream = ours().connector().connect(tcp, "localhost", &Timeouts::new()).unwrap();
        let client = Client::new("wss://localhost/").unwrap();
        let Err(Error::Handshake(error)) = client.handshake(stream) else { panic!("{length}") };
        let response = error.response().unwrap();
        assert_eq!((response.status(), response.body()), (404, body.as_bytes()), "{length}");
        peer.join().unwrap();
    }
}

#[test]
fn keepalive_and_pings_work() {
    let server = serve(&ours().server());
    let keepalive = sansock::Keepalive { interval: ms(50), timeout: TIMEOUT };
    let config = Config::new().timeouts(Timeouts::new().keepalive(keepalive));
    let client = Client::new(&wss(&server)).unwrap().config(config);
    let mut socket = client.tls(ours().connector()).connect().unwrap();
    socket.ping(b"ping").unwrap();
    let (mut ours, mut keepalives) = (0, 0);
    while ours == 0 || keepalives < 3 {
        match socket.next_event_timeout(TIMEOUT).unwrap() {
            Next::Event(Event::Pong(b"ping")) => ours += 1,
            Next::Event(Event::Pong(_)) => keepalives += 1,
            next => panic!("{next:?}"),
        }
    }
    // A peer that does not answer.
    let keepalive = sansock::Keepalive { interval: ms(50), timeout: ms(50) };
    let (mut socket, _peer) = Peer::with_client(&timeouts(|all| all.keepalive(keepalive)));
    let error = socket.next_event().map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Keepalive)), "{error:?}");
}

/// Parked in a read, in the middle of work, and in the TLS handshake.
#[test]
fn a_server_that_shuts_down_tells_every_client() {
    let server = serve(&ours().server());
    let mut sockets: Vec<_> = (0..3).map(|_| connect_to_ours(&server)).collect();
    for socket in &mut sockets {
        socket.send("Hello").unwrap();
        assert_eq!(next_message(socket), b"Hello");
    }
    let silent = connect(server.address());
    until("all are there", || server.handle.connections() == 4);
    thread::sleep(ms(50));
    let stopping = thread::spawn(move || server.stop());
    for socket in &mut sockets {
        while socket.next_event().unwrap().is_some() {}
        assert_eq!(socket.outcome(), Some(&clean(1001)));
    }
    let took = stopping.join().unwrap();
    assert!(took < ms(2000), "{took:?}");
    drop(silent);
}

#[test]
fn a_connection_that_is_busy_sends_what_it_accepted_and_then_goes_away() {
    let acceptor = ours().server().acceptor();
    let server = Running::start(
        |server| server.tls(acceptor),
        |incoming| {
            let mut socket = incoming.accept()?;
            for _ in 0..1000 {
                socket.send(Message::Binary(&[7; 1000]))?;
                thread::sleep(ms(1));
            }
            Ok(())
        },
    );
    let mut socket = connect_to_ours(&server);
    next_message(&mut socket);
    server.handle.shutdown();
    while socket.next_event().unwrap().is_some() {}
    assert_eq!(socket.outcome(), Some(&clean(1001)));
    server.join();
}
