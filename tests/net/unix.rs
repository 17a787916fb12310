//! Client and server over Unix sockets.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use sansock::handshake::{Answer, HandshakeError, Rejection};
use sansock::net::{self, Client, Error, WebSocket};
use sansock::uri::UriError;
use sansock::{CloseCode, Config, Event, Keepalive, OwnedMessage, Timeout, Timeouts};

use super::common::TIMEOUT;

/// Serves one stream: an echo, or 404.
fn serve(stream: UnixStream, config: Config) -> thread::JoinHandle<Result<bool, Error>> {
    thread::spawn(move || {
        let accepted = net::accept(stream, &config, |request| match request.path() {
            "/echo" => Ok(Answer::new().subprotocol("b")),
            "/plain" => Ok(Answer::new()),
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

/// A socket that is gone with the test.
struct Bound {
    path: std::path::PathBuf,
    listener: UnixListener,
}

fn bound(name: &str) -> Bound {
    let path = std::env::temp_dir().join(format!("sansock-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    Bound { listener: UnixListener::bind(&path).unwrap(), path }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn a_path_and_a_url_lead_to_a_socket() {
    let bound = bound("net");
    let path = bound.path.to_str().unwrap();
    for form in ["path", "url"] {
        let connecting = {
            let path = path.to_owned();
            thread::spawn(move || match form {
                "path" => {
                    let client = Client::new("ws://localhost/plain").unwrap();
                    client.connect_unix(path).map(|(socket, _)| socket)
                }
                _ => net::connect_unix(&format!("ws+unix:{path}:/plain")),
            })
        };
        let server = serve(bound.listener.accept().unwrap().0, Config::new());
        let mut socket = connecting.join().unwrap().unwrap();
        socket.send(form).unwrap();
        assert_eq!(socket.next_message().unwrap(), Some(OwnedMessage::from(form)));
        assert_eq!(socket.close(CloseCode::NORMAL, "").unwrap().code(), 1000);
        assert!(server.join().unwrap().unwrap());
    }
    let missing = net::connect_unix("ws+unix:/nowhere/at/all:/plain").unwrap_err();
    assert!(matches!(&missing, Error::Io(error) if error.kind() == ErrorKind::NotFound));
    assert!(matches!(net::connect_unix("ws://h/"), Err(Error::Uri(UriError::Scheme))));
    let wrong = Client::new("ws://localhost/").unwrap().header("Host", "other");
    assert!(matches!(wrong.connect_unix(path), Err(Error::Handshake(HandshakeError::Usage(_)))));
}
