//! What events and close codes a `wss:` URL gives.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sansock::Outcome;
use sansock::net::{self, Server};
use sansock::web::{Event, ReadyState, WebSocket};

use crate::certificates::{Identity, ours, self_signed};

use crate::server::{TIMEOUT, all, silent, until, watch};

/// An echo server with this certificate, and the close codes it sees.
fn serve(identity: &Identity) -> (String, mpsc::Receiver<u16>) {
    let server = Server::bind("127.0.0.1:0").unwrap().tls(identity.acceptor());
    let url = format!("wss://{}/", server.local_addr());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        server.run(move |incoming| {
            let mut socket = incoming.accept()?;
            while let Some((event, outgoing)) = socket.exchange()? {
                if let sansock::Event::Message(message) = event {
                    outgoing.queue(message)?;
                }
            }
            let _ = sender.send(socket.outcome().map_or(0, Outcome::code));
            Ok(())
        })
    });
    (url, receiver)
}

fn connect(url: &str) -> WebSocket {
    let builder = WebSocket::builder(url).unwrap();
    builder.client(|client| client.tls(ours().connector())).open().unwrap()
}

#[test]
fn messages_go_both_ways_and_the_close_is_clean() {
    let (url, codes) = serve(&ours().server());
    // The standard takes `https:` too.
    let socket = connect(&url.replacen("wss", "https", 1));
    assert_eq!(socket.url(), url);
    let data = vec![7; 3 << 20];
    let events = socket.events();
    assert!(matches!(events.recv(), Some(Event::Open(_))));
    socket.send(&data).unwrap();
    let Some(Event::Message(event)) = events.recv() else { panic!("no echo") };
    assert!(event.data.as_bytes() == data);
    until("all is taken", || socket.buffered_amount() == 0);
    socket.close_with(3000, "done").unwrap();
    let close = socket.wait().unwrap();
    assert_eq!((close.was_clean, close.code), (true, 3000));
    assert_eq!(codes.recv_timeout(TIMEOUT).unwrap(), 3000);
}

#[test]
fn to_drop_the_object_closes_without_a_code() {
    let (url, codes) = serve(&ours().server());
    let socket = connect(&url);
    until("open", || socket.ready_state() == ReadyState::Open);
    drop(socket);
    assert_eq!(codes.recv_timeout(TIMEOUT).unwrap(), 1005);
}

#[test]
fn an_untrusted_certificate_fires_error_and_close() {
    let (url, _) = serve(&self_signed());
    let socket = connect(&url);
    let Some(Event::Error(error)) = socket.events().recv() else { panic!("no error event") };
    assert!(matches!(error.cause.as_deref(), Some(net::Error::Tls(_))), "{error:?}");
    assert_eq!(socket.wait().unwrap().code, 1006);
}

#[test]
fn close_ends_a_tls_handshake_that_gets_no_answer() {
    let socket = connect(&silent().replacen("ws", "wss", 1));
    let events = watch(&socket);
    thread::sleep(Duration::from_millis(20));
    let start = Instant::now();
    socket.close();
    let expected = ["3 error closed before the connection was established", "3 close false 1006"];
    assert_eq!(all(&events), expected);
    drop(socket);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
