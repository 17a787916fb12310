//! The browser's object over TLS.

use sansock::net::tls::Connector;
use sansock::net::{Error, TlsError};
use sansock::web::{Data, Event, PortPolicy, WebSocket};

use crate::certificates::{Authority, ours};
use crate::common::*;
use crate::{serve, wss};

fn open(server: &Running, tls: Connector) -> WebSocket {
    // The port is chosen by the system, which knows no blocked ones.
    let builder = WebSocket::builder(&wss(server)).unwrap().ports(PortPolicy::Any);
    builder.client(|client| client.tls(tls)).open().unwrap()
}

#[test]
fn the_object_takes_wss_urls() {
    let server = serve(&ours().server());
    let socket = open(&server, ours().connector());
    let events = socket.events();
    assert!(matches!(events.recv_timeout(TIMEOUT), Some(Event::Open(_))));
    socket.send("Hello").unwrap();
    match events.recv_timeout(TIMEOUT) {
        Some(Event::Message(message)) => assert_eq!(message.data, Data::Text("Hello".into())),
        event => panic!("{event:?}"),
    }
    socket.close_with(1000, "").unwrap();
    match events.recv_timeout(TIMEOUT) {
        Some(Event::Close(close)) => assert!(close.was_clean && close.code == 1000),
        event => panic!("{event:?}"),
    }
}

#[test]
fn a_refused_certificate_is_an_error_with_its_cause_and_then_1006() {
    let server = serve(&Authority::new().server());
    let socket = open(&server, ours().connector());
    let events = socket.events();
    match events.recv_timeout(TIMEOUT) {
        Some(Event::Error(error)) => {
            assert!(error.message.contains("trusted"), "{}", error.message);
            let cause = error.cause.unwrap();
            assert!(matches!(&*cause, Error::Tls(TlsError::Certificate(_))), "{cause:?}");
        }
        event => panic!("{event:?}"),
    }
    match events.recv_timeout(TIMEOUT) {
        Some(Event::Close(close)) => assert!(!close.was_clean && close.code == 1006),
        event => panic!("{event:?}"),
    }
}
