//! Connecting: how long it may take, and how it is cancelled.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::*;
use sansock::dial::AddressOrder;
use sansock::net::{CancelConnect, Client, ConnectError, Error};

/// What a busy machine may take besides.
const SLACK: Duration = ms(1_500);

/// A listener whose backlog is full: the system answers nothing.
struct Silent {
    address: SocketAddr,
    _listener: TcpListener,
    _backlog: Vec<TcpStream>,
}

fn silent() -> Silent {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut backlog = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, ms(200)) {
        backlog.push(stream);
        assert!(backlog.len() < 20_000);
    }
    Silent { address, _listener: listener, _backlog: backlog }
}

/// A client of a host with these addresses.
fn client_of(addresses: Vec<SocketAddr>) -> Client {
    let client = Client::new("ws://host.example/").unwrap();
    client.resolver(move |host, port| {
        assert_eq!((host, port), ("host.example", 80));
        Ok(addresses.clone())
    })
}

/// The error, and how long it took.
fn failed(client: Client) -> (ConnectError, Duration) {
    let start = Instant::now();
    let error = within(TIMEOUT, move || client.connect().unwrap_err());
    let Error::Connect(error) = error else { panic!("{error:?}") };
    (error, start.elapsed())
}

#[test]
fn a_host_that_does_not_answer_is_given_up_in_the_time_that_was_set() {
    let silent = silent();
    let (error, took) = failed(client_of(vec![silent.address]).connect_timeout(ms(300)));
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(error.attempts()[0].0, silent.address);
    assert!(ms(300) <= took && took < TIMEOUT / 2, "{took:?}");
}

/// The next address is tried after 250 ms (RFC 8305, 5).
#[test]
fn an_address_that_does_not_answer_costs_a_quarter_of_a_second() {
    let server = Running::start(|server| server, echo);
    let silent = silent();
    let open = server.address();
    // Of six addresses the first does not answer. One more that is refused costs nothing.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for addresses in [
        vec![silent.address, open, silent.address, silent.address, silent.address, silent.address],
        vec![closed, silent.address, open],
    ] {
        let start = Instant::now();
        let mut socket = client_of(addresses).connect().unwrap();
        let took = start.elapsed();
        assert!(ms(240) < took && took < ms(300) + SLACK, "{took:?}");
        socket.send("x").unwrap();
        assert_eq!(next_message(&mut socket), b"x");
    }
    // The delay and the order are settings.
    let start = Instant::now();
    let client = client_of(vec![silent.address, open]).attempt_delay(ms(20));
    drop(client.address_order(AddressOrder::AsResolved).connect().unwrap());
    assert!(start.elapsed() < ms(200) + SLACK, "{:?}", start.elapsed());
    server.stop();
}

/// The time is for all addresses together, and the error names every one.
#[test]
fn if_no_address_answers_the_error_names_all() {
    let silent = silent();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses = vec![closed, silent.address, silent.address, silent.address, closed];
    let (error, took) = failed(client_of(addresses).connect_timeout(ms(400)));
    assert!(ms(400) <= took && took < ms(500) + SLACK, "{took:?}");
    let attempts: Vec<_> = error.attempts().iter().map(|it| (it.0, it.1.kind())).collect();
    let late = (silent.address, ErrorKind::TimedOut);
    let refused = (closed, ErrorKind::ConnectionRefused);
    // The last one is tried after 500 ms, and so not at all.
    assert_eq!(attempts, [refused, late, late, late, (closed, ErrorKind::TimedOut)]);
    assert!(error.to_string().contains(&silent.address.to_string()), "{error}");
}

#[test]
fn a_lookup_of_the_programs_own_may_fail() {
    let client = Client::new("ws://[::1]/").unwrap().resolver(|host, _| {
        assert_eq!(host, "::1", "without brackets");
        Err(ErrorKind::NotFound.into())
    });
    let (error, _) = failed(client);
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::NotFound, 0));
}

/// Another thread cancels the wait for a server that accepts and never answers.
#[test]
fn connecting_can_be_cancelled() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let cancel = CancelConnect::new();
    let client = Client::new(&url).unwrap().cancel(&cancel);
    let again = client.clone();
    let connecting = std::thread::spawn(move || client.connect().unwrap_err());
    // The handshake waits for the answer.
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    read_head(&mut stream);
    cancel.cancel();
    let error = within(TIMEOUT / 2, move || connecting.join().unwrap());
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    assert!(matches!(again.connect(), Err(Error::Cancelled)), "what comes later too");
    assert!(cancel.is_cancelled());
}

/// All handshakes with one handle end, in whatever order they began, and also after another one has
/// ended by itself.
#[test]
fn all_that_connect_with_one_handle_are_cancelled() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let cancel = CancelConnect::new();
    let client = Client::new(&url).unwrap().cancel(&cancel);
    let connect = || {
        let client = client.clone();
        let connecting = thread::spawn(move || client.connect().unwrap_err());
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        read_head(&mut stream);
        (connecting, stream)
    };
    let (first, first_stream) = connect();
    let (second, second_stream) = connect();
    let (third, third_stream) = connect();
    drop(second_stream);
    let error = within(TIMEOUT / 2, move || second.join().unwrap());
    assert!(matches!(error, Error::Handshake(_)), "{error:?}");
    cancel.cancel();
    for connecting in [first, third] {
        let error = within(TIMEOUT / 2, move || connecting.join().unwrap());
        assert!(matches!(error, Error::Cancelled), "{error:?}");
    }
    drop((first_stream, third_stream));
}

/// A later cancellation does not affect an established connection.
#[test]
fn a_connection_outlives_its_cancel_handle() {
    let server = Running::start(|server| server, echo);
    let cancel = CancelConnect::new();
    let mut socket = Client::new(&server.url()).unwrap().cancel(&cancel).connect().unwrap();
    cancel.cancel();
    socket.send("x").unwrap();
    assert_eq!(next_message(&mut socket), b"x");
    drop(socket);
    server.stop();
}

/// The local address is set before the socket connects, alone and in a race.
#[cfg(feature = "socket2")]
#[test]
fn options_of_the_socket_are_set_before_it_connects() {
    use std::io;
    use std::sync::{Arc, Mutex};

    use sansock::net::Incoming;

    let peers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&peers);
    let server = Running::start(
        |server| server,
        move |incoming: &Incoming| {
            seen.lock().unwrap().push(incoming.peer_addr().ip().to_string());
            echo(incoming)
        },
    );
    let open = server.address();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // All of 127.0.0.0/8 is this machine.
    let local = SocketAddr::from(([127, 0, 0, 9], 0));
    for timeout in [None, Some(TIMEOUT)] {
        for addresses in [vec![open], vec![closed, open]] {
            let client = client_of(addresses.clone()).connect_timeout(timeout);
            let client = client.tcp_socket(move |socket, address| {
                assert!(addresses.contains(&address));
                socket.bind(&local.into())
            });
            let mut socket = client.connect().unwrap();
            assert!(socket.get_ref().get_ref().nodelay().unwrap());
            socket.send("x").unwrap();
            assert_eq!(next_message(&mut socket), b"x");
        }
    }
    assert_eq!(*peers.lock().unwrap(), ["127.0.0.9"; 4]);
    // An error is that of the attempt.
    let client = client_of(vec![open]);
    let refuse = |_: &socket2::Socket, _| Err(io::Error::other("not this one"));
    let (error, _) = failed(client.tcp_socket(refuse));
    assert!(error.to_string().ends_with("not this one"), "{error}");
    server.stop();
}
