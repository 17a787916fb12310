//! A server behind a proxy that sends PROXY headers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::common::*;
use sansock::handshake::{HandshakeError, Incomplete, Rejection};
use sansock::net::{Error, ServerError};
use sansock::proxy_protocol::{ProxyProtocol, ProxyProtocolError, tlv};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
/// 192.0.2.9:1 to 192.0.2.2:443, with an identifier.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xc0\0\x02\x09\xc0\0\x02\x02\0\x01\x01\xbb\x05\0\x02id";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x03abc";

/// The errors that a server has reported.
type Reported = Arc<Mutex<Vec<ServerError>>>;

/// A server that tells each client the address that it is taken for.
fn start(settings: Option<ProxyProtocol>) -> (Running, Reported) {
    let reported = Reported::default();
    let reports = Arc::clone(&reported);
    let config = timeouts(|timeouts| timeouts.handshake(ms(800)));
    let server = Running::start(
        |server| {
            let server = server.config(config).on_error(move |error, _| {
                let kept = match error {
                    ServerError::Opening(Error::Io(error)) => {
                        let inner = error.get_ref().and_then(|it| it.downcast_ref());
                        let inner: Option<&ProxyProtocolError> = inner;
                        io::Error::from(*inner.unwrap()).into()
                    }
                    ServerError::Opening(Error::Handshake(error)) => error.clone().into(),
                    other => panic!("{other}"),
                };
                reports.lock().unwrap().push(ServerError::Opening(kept));
            });
            match settings {
                Some(settings) => server.proxy_protocol(settings),
                None => server,
            }
        },
        |incoming| {
            let id = incoming.proxy_header().and_then(|it| it.tlv(tlv::UNIQUE_ID));
            let text = format!(
                "{} {:?}",
                incoming.client_addr(),
                id.map(<[u8]>::escape_ascii).map(|it| it.to_string())
            );
            assert_eq!(incoming.peer_addr().ip().to_string(), "127.0.0.1");
            incoming.reject(&Rejection::new(200).body(text))
        },
    );
    (server, reported)
}

fn trusting_loopback() -> ProxyProtocol {
    ProxyProtocol::from_networks(["127.0.0.0/8"]).unwrap()
}

/// Sends these pieces, and reads to the end. Returns the client's own address and the response.
fn response(address: SocketAddr, pieces: &[&[u8]]) -> (String, String) {
    let mut stream = connect(address);
    let own = stream.local_addr().unwrap().to_string();
    for piece in pieces {
        stream.write_all(piece).unwrap();
        if pieces.len() > 1 {
            thread::sleep(ms(5));
        }
    }
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    (own, text)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn the_clients_address_is_that_of_the_header() {
    let (server, reported) = start(Some(trusting_loopback()));
    let unknown = &b"PROXY UNKNOWN\r\n"[..];
    for (header, expected) in [
        (V1, Some("192.0.2.1:56324 None")),
        (V2, Some("192.0.2.9:1 Some(\"id\")")),
        (LOCAL, None),
        (unknown, None),
    ] {
        let both = [header, GET].concat();
        let dripping: Vec<_> = both.chunks(1).collect();
        for pieces in [&[&both[..]][..], &[header, GET], &dripping] {
            let (own, text) = response(server.address(), pieces);
            let expected = expected.map_or(format!("{own} None"), str::to_owned);
            assert!(text.starts_with("HTTP/1.1 200") && text.ends_with(&expected), "{text}");
        }
    }
    server.stop();
    assert!(reported.lock().unwrap().is_empty());
}

fn errors(reported: &Reported) -> Vec<String> {
    reported.lock().unwrap().iter().map(ToString::to_string).collect()
}

/// There is no response: it might not be HTTP that the other side speaks.
#[test]
fn a_trusted_peer_must_send_a_header_that_is_right() {
    let (server, reported) = start(Some(trusting_loopback().max_header(100)));
    let rows: [(&[u8], ProxyProtocolError); 4] = [
        (GET, ProxyProtocolError::Missing),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 +443\r\n", ProxyProtocolError::Line),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x55", ProxyProtocolError::TooLong(100)),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x51\0\0", ProxyProtocolError::Family(0x51)),
    ];
    for (bytes, expected) in rows {
        assert_eq!(response(server.address(), &[bytes]).1, "", "{expected}");
        until("it is reported", || !reported.lock().unwrap().is_empty());
        assert_eq!(errors(&reported), [expected.to_string()]);
        reported.lock().unwrap().clear();
    }
    server.stop();
}

/// Who is not trusted cannot choose an address: the header is no request.
#[test]
fn a_peer_that_is_not_trusted_is_served_without_a_header_and_refused_with_one() {
    let others = ProxyProtocol::from_networks(["127.0.0.2", "::1"]).unwrap();
    for settings in [Some(others), Some(ProxyProtocol::trusting(|_| false)), None] {
        let (server, reported) = start(settings);
        let (own, text) = response(server.address(), &[GET]);
        assert!(text.ends_with(&format!("{own} None")), "{text}");
        for header in [V1, V2, LOCAL] {
            let text = response(server.address(), &[&[header, GET].concat()]).1;
            assert!(text.starts_with("HTTP/1.1 400"), "{text}");
        }
        server.stop();
        let reported = reported.lock().unwrap();
        let is_request = |it: &ServerError| matches!(it, ServerError::Opening(Error::Handshake(_)));
        assert!(reported.len() == 3 && reported.iter().all(is_request), "{reported:?}");
    }
}

#[test]
fn an_optional_header_may_be_missing() {
    let (server, reported) = start(Some(trusting_loopback().optional(true)));
    let (own, text) = response(server.address(), &[GET]);
    assert!(text.ends_with(&format!("{own} None")), "{text}");
    let dripping: Vec<_> = V2.chunks(1).chain([GET]).collect();
    for pieces in [&[V2, GET][..], &dripping] {
        assert!(response(server.address(), pieces).1.ends_with("192.0.2.9:1 Some(\"id\")"));
    }
    assert_eq!(response(server.address(), &[b"PUT / HTTP/1.1\r\n"]).1, "");
    until("it is reported", || !reported.lock().unwrap().is_empty());
    assert_eq!(errors(&reported), [ProxyProtocolError::Missing.to_string()]);
    server.stop();
}

/// However the bytes drip: the handshake has one deadline, the header included.
#[test]
fn a_header_has_the_time_of_the_handshake() {
    for settings in [trusting_loopback(), trusting_loopback().optional(true)] {
        let (server, reported) = start(Some(settings));
        let drip = |address, bytes: &'static [u8]| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            let mut writer = stream.try_clone().unwrap();
            let start = Instant::now();
            let thread = thread::spawn(move || {
                for byte in bytes {
                    thread::sleep(ms(60));
                    if writer.write_all(&[*byte]).is_err() {
                        return;
                    }
                }
            });
            let _ = stream.read(&mut [0; 1]);
            let time = start.elapsed();
            drop(stream);
            thread.join().unwrap();
            time
        };
        for bytes in [V1, V2, b""] {
            let time = drip(server.address(), bytes);
            assert!(time >= ms(700) && time < ms(800) + TIMEOUT / 2, "{time:?}");
        }
        // Half of a header, and the end.
        drop(response_of_half(server.address()));
        until("all are reported", || reported.lock().unwrap().len() == 4);
        server.stop();
        let reported = reported.lock().unwrap();
        let of = |expected: Incomplete| {
            let is_it = |it: &&ServerError| match it {
                ServerError::Opening(Error::Handshake(HandshakeError::Incomplete(it))) => {
                    *it == expected
                }
                _ => false,
            };
            reported.iter().filter(is_it).count()
        };
        assert_eq!((of(Incomplete::TimedOut), of(Incomplete::UnexpectedEof)), (3, 1));
    }
}

fn response_of_half(address: SocketAddr) -> String {
    let mut stream = connect(address);
    stream.write_all(&V2[..20]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}
