//! Connecting: how long it may take, and how it is cancelled.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use crate::common::*;
use sansock::net::{CancelConnect, Client, Error};

/// A listener whose backlog is full, so that the system answers nothing, is given up in time.
#[test]
fn a_host_that_does_not_answer_is_given_up_in_the_time_that_was_set() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut backlog = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, ms(200)) {
        backlog.push(stream);
        assert!(backlog.len() < 20_000);
    }
    let client = Client::new(&format!("ws://{address}/")).unwrap().connect_timeout(ms(300));
    let start = Instant::now();
    let error = within(TIMEOUT, move || client.connect().unwrap_err());
    let took = start.elapsed();
    let Error::Connect(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(error.attempts()[0].0, address);
    assert!(ms(300) <= took && took < TIMEOUT / 2, "{took:?}");
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
