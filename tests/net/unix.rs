//! Client and server over Unix sockets.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use sansock::handshake::{Answer, HandshakeError, Rejection};
use sansock::net::{self, Client, Error, WebSocket};
use sansock::{CloseCode, Config, Event, Keepalive, OwnedMessage, Timeout, Timeouts};

use super::common::TIMEOUT;

/// Serves one stream: an echo, or 404.
fn serve(stream: UnixStream, config: Config) -> thread::JoinHandle<Result<bool, Error>> {
    thread::spawn(move || {
        let accepted = net::accept(stream, &config, |request| match request.path() {
            "/echo" => Ok(Answer::new().subprotocol("b")),
            _ => Err(Rejection::new(404).body("nothing here")),
        })?;
        let Some(mut socket) = accepted else { return Ok(false) };
        while let Some((event, outgoing)) = socket.exchange()? {
            if let Event::Message(message) = event {
                outgoing.queue(message)?;
            }
        }
        Ok(true)
    })
}

fn connect(stream: UnixStream, path: &str) -> Result<WebSocket<UnixStream>, Error> {
    let client = Client::new(&format!("ws://localhost/{path}")).unwrap().subprotocol("b");
    Ok(client.handshake(stream)?.0)
}

#[test]
fn messages_and_the_close_pass() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = serve(theirs, Config::new());
    let mut socket = connect(ours, "echo").unwrap();
    assert_eq!(socket.subprotocol(), Some("b"));
    for length in [0, 5, 100_000, 2 << 20] {
        let payload = vec![7; length];
        socket.queue(&payload).unwrap();
        assert_eq!(socket.next_message().unwrap(), Some(OwnedMessage::Binary(payload)));
    }
    assert_eq!(socket.close(CloseCode::NORMAL, "").unwrap().code(), 1000);
    assert!(server.join().unwrap().unwrap());
}

#[test]
fn a_rejection_and_a_wrong_request_are_answered() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = serve(theirs, Config::new());
    let Err(Error::Handshake(error)) = connect(ours, "other") else { panic!("accepted") };
    assert_eq!(error.response().unwrap().status(), 404);
    assert!(!server.join().unwrap().unwrap());

    let origin = "Origin: https://other.example\r\n";
    for (more, status) in [(origin, "403"), ("Bad header\r\n", "400")] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let server = serve(theirs, Config::new());
        let request = format!(
            "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        );
        ours.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        ours.read_to_string(&mut response).unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        drop(ours);
        assert!(matches!(server.join().unwrap(), Err(Error::Handshake(_))));
    }
}

#[test]
fn the_timeouts_hold() {
    // A client that says nothing, and one that vanishes after the handshake.
    let keepalive = Keepalive::every(Duration::from_millis(200));
    let timeouts = Timeouts::new().handshake(Duration::from_millis(200)).keepalive(keepalive);
    let config = Config::new().timeouts(timeouts);
    let (_silent, theirs) = UnixStream::pair().unwrap();
    let start = Instant::now();
    let error = serve(theirs, config).join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::Incomplete(_))), "{error}");
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = serve(theirs, config);
    let _deaf = connect(ours, "echo").unwrap();
    let error = server.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Keepalive)), "{error}");
    assert!(start.elapsed() < TIMEOUT);
}
