//! Servers, and what a socket saw.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use sansock::Message;
use sansock::net::{Error, Incoming, Server};
use sansock::web::{CloseEvent, Event, EventKind, ReadyState, WebSocket};

/// The most that anything here may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// What came of each connection of a server.
pub(crate) type Results<T> = Receiver<Result<T, Error>>;

/// A server in this process; each connection's result is received.
pub(crate) fn serve<T: Send + 'static>(
    serve: impl Fn(&Incoming) -> Result<T, Error> + Send + Sync + 'static,
) -> (String, Results<T>) {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", server.local_addr());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        server.run(move |incoming| {
            let _ = sender.send(serve(incoming));
            Ok(())
        })
    });
    (url, receiver)
}

pub(crate) fn echo() -> String {
    serve(|incoming| {
        let mut socket = incoming.accept()?;
        while let Some((event, outgoing)) = socket.exchange()? {
            if let sansock::Event::Message(message) = event {
                outgoing.queue(message)?;
            }
        }
        Ok(())
    })
    .0
}

/// Takes one connection and does what `serve` does with it.
pub(crate) fn raw(serve: impl FnOnce(TcpStream) + Send + 'static) -> (String, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    (format!("ws://{address}/"), address)
}

/// Takes connections and never answers.
pub(crate) fn silent() -> String {
    raw(|stream| {
        thread::sleep(TIMEOUT);
        drop(stream);
    })
    .0
}

/// Adds a listener of each type that tells what it sees and in which state.
pub(crate) fn watch(socket: &WebSocket) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    for kind in [EventKind::Open, EventKind::Message, EventKind::Error, EventKind::Close] {
        let sender = sender.clone();
        socket.add_event_listener(kind, move |socket, event| {
            let state = socket.ready_state() as u16;
            let _ = sender.send(format!("{state} {}", describe(event)));
        });
    }
    receiver
}

pub(crate) fn describe(event: &Event) -> String {
    match event {
        Event::Open(_) => "open".into(),
        Event::Message(event) => match event.data.as_message() {
            Message::Text(text) => format!("text {text}"),
            Message::Binary(bytes) => format!("binary {bytes:?}"),
        },
        Event::Error(event) => format!("error {}", event.message),
        Event::Close(CloseEvent { was_clean, code, reason, .. }) => {
            format!("close {was_clean} {code} {reason}").trim_end().into()
        }
    }
}

/// All that a socket saw, up to its end.
pub(crate) fn all(events: &Receiver<String>) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(event) = events.recv_timeout(TIMEOUT) {
        all.push(event);
    }
    all
}

/// Waits until the socket says so.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < until, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A socket that is open.
pub(crate) fn open(url: &str) -> WebSocket {
    let socket = WebSocket::new(url).unwrap();
    until("open", || socket.ready_state() == ReadyState::Open);
    socket
}
