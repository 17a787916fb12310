//! What does not work, and which hop the error names.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::sync::Arc;

use sansock::Timeouts;
use sansock::dial::{ProxyScheme, SocksRefusal, TunnelError};
use sansock::handshake::{HandshakeError, HeadError, Incomplete, UsageError};
use sansock::net::tls::Connector;
use sansock::net::{Error, ProxyCause, Stream, TlsError};

use crate::certificates::ours;
use crate::driver::{Dial, Driver};
use crate::fake::{Fake, USER, acceptor};
use crate::origin::{Origin, closed};

/// What failed at the proxy; the error names it.
fn cause<'e>(error: &'e Error, fake: &Fake) -> &'e ProxyCause {
    let Error::Proxy(error) = error else { panic!("{error:?}") };
    assert_eq!(error.proxy().port(), fake.address.port());
    let named = format!("the proxy {}: ", fake.proxy());
    assert!(error.to_string().starts_with(&named), "{error}");
    error.cause()
}

fn tunnel<'e>(error: &'e Error, fake: &Fake) -> &'e TunnelError {
    match cause(error, fake) {
        ProxyCause::Tunnel(error) => error,
        cause => panic!("{cause:?}"),
    }
}

fn failure<D: Driver>(dial: &Dial) -> Arc<Error> {
    D::talk(dial).unwrap_err()
}

fn a_wrong_password_is_told_apart<D: Driver>() {
    let origin = Origin::start(false);
    for scheme in [ProxyScheme::Http, ProxyScheme::Https, ProxyScheme::Socks5h] {
        let fake = Fake::start(scheme, true);
        for proxy in [fake.proxy(), fake.proxy_with(USER, "wrong")] {
            let error = failure::<D>(&Dial::new(&origin, &fake, proxy));
            let error = tunnel(&error, &fake);
            assert!(error.is_authentication(), "{scheme}: {error:?}");
            if let Some(response) = error.response() {
                assert_eq!((response.status(), response.body()), (407, &b"who are u"[..]));
            }
        }
    }
    assert!(origin.is_untouched());
}

fn a_server_that_the_proxy_cannot_reach_is_the_proxys_error<D: Driver>() {
    let origin = Origin::start(false);
    for scheme in [ProxyScheme::Http, ProxyScheme::Socks5h, ProxyScheme::Socks4a] {
        let fake = Fake::start(scheme, false);
        let mut dial = Dial::new(&origin, &fake, fake.proxy());
        dial.url = format!("ws://origin.test:{}/", closed().port());
        let error = failure::<D>(&dial);
        match (scheme, tunnel(&error, &fake)) {
            (ProxyScheme::Http, TunnelError::Refused(response)) => {
                assert_eq!(response.status(), 502);
            }
            (ProxyScheme::Socks5h, error) => {
                assert_eq!(*error, TunnelError::Socks(SocksRefusal::ConnectionRefused));
            }
            (_, error) => assert_eq!(*error, TunnelError::Socks(SocksRefusal::Rejected)),
        }
    }
}

/// What an HTTP proxy may say instead of a clean 2xx.
fn answers_that_open_no_way_have_their_errors<D: Driver>() {
    let origin = Origin::start(true);
    for (answer, expected) in [
        (&b""[..], TunnelError::UnexpectedEof),
        (b"HTTP/1.1 200 OK\r\nX: ", TunnelError::UnexpectedEof),
        // A body of a success: its length counts for nothing, and the bytes are the server's.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", TunnelError::EarlyBytes),
        (b"SSH-2.0-fake\r\n", TunnelError::Head(HeadError::StartLine)),
        (b"\x05\x00", TunnelError::Head(HeadError::ControlByte(5))),
    ] {
        let fake = Fake::that_answers(move |mut tcp| tcp.write_all(answer));
        let error = failure::<D>(&Dial::new(&origin, &fake, fake.proxy()));
        assert_eq!(*tunnel(&error, &fake), expected);
    }
    assert!(origin.is_untouched());
}

/// A length in a 2xx is ignored: no body is waited for, and none is taken out of the tunnel.
fn a_success_that_claims_a_body_works<D: Driver>() {
    for is_secure in [false, true] {
        let origin = Origin::start(is_secure);
        let server = origin.address;
        for claim in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
            let fake = Fake::that_answers(move |mut tcp| {
                write!(tcp, "HTTP/1.1 200 OK\r\n{claim}\r\n\r\n")?;
                crate::fake::pass_on(tcp, server)
            });
            D::talk(&Dial::new(&origin, &fake, fake.proxy())).unwrap();
        }
    }
}

fn a_proxy_that_is_not_there_is_named_with_its_addresses<D: Driver>() {
    let (origin, fake) = (Origin::start(false), Fake::start(ProxyScheme::Http, false));
    let mut dial = Dial::new(&origin, &fake, fake.proxy());
    dial.proxy_addresses = vec![closed(), closed()];
    let error = failure::<D>(&dial);
    let ProxyCause::Connect(error) = cause(&error, &fake) else { panic!("{error:?}") };
    assert_eq!((error.host(), error.attempts().len()), ("proxy.test", 2));
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// The configuration of TLS for the server is not that for the proxy, and the reverse.
fn certificates_are_checked_for_each_hop<D: Driver>() {
    let origin = Origin::start(true);
    let fake = Fake::start(ProxyScheme::Https, false);
    let mut dial = Dial::new(&origin, &fake, fake.proxy());
    dial.proxy_tls = ours().connector();
    let error = failure::<D>(&dial);
    let is_refused = matches!(cause(&error, &fake), ProxyCause::Tls(TlsError::Certificate(_)));
    assert!(is_refused, "{error:?}");

    // For the name of another server, through a proxy that is trusted.
    let mut dial = Dial::new(&origin, &fake, fake.proxy());
    dial.url = format!("wss://127.0.0.1:{}/", origin.address.port());
    let error = failure::<D>(&dial);
    assert!(matches!(&*error, Error::Tls(TlsError::Certificate(_))), "{error:?}");
    assert!(origin.is_untouched());
}

fn a_proxy_that_speaks_no_tls_is_the_proxys_error<D: Driver>() {
    let origin = Origin::start(false);
    let plain = Fake::that(ProxyScheme::Https, |mut tcp, _| {
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        std::io::copy(&mut tcp, &mut std::io::sink()).map(drop)
    });
    let error = failure::<D>(&Dial::new(&origin, &plain, plain.proxy()));
    assert!(matches!(cause(&error, &plain), ProxyCause::Tls(TlsError::NotTls)), "{error:?}");
}

/// Before its answer, or in the middle of TLS, it is the proxy's error; later it is the server's.
fn the_end_of_a_connection_is_told_apart_by_where_it_comes<D: Driver>() {
    for is_secure in [false, true] {
        let origin = Origin::start(is_secure);
        let hangs_up =
            Fake::that(ProxyScheme::Https, |mut tcp, _| tcp.read(&mut [0; 4096]).map(drop));
        let error = failure::<D>(&Dial::new(&origin, &hangs_up, hangs_up.proxy()));
        assert_eq!(*tunnel(&error, &hangs_up), TunnelError::UnexpectedEof);

        let opens = Fake::that_answers(|mut tcp| {
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            tcp.read(&mut [0; 4096]).map(drop)
        });
        let error = failure::<D>(&Dial::new(&origin, &opens, opens.proxy()));
        let ended = HandshakeError::Incomplete(Incomplete::UnexpectedEof);
        assert!(matches!(&*error, Error::Handshake(it) if *it == ended), "{error:?}");
    }
}

/// "Clients MUST send a closure alert before closing the connection" (RFC 9112, 9.8)
fn tls_with_a_proxy_that_refuses_is_ended_in_order<D: Driver>() {
    let origin = Origin::start(false);
    let fake = Fake::that(ProxyScheme::Https, |tcp, said| {
        let timeouts = Timeouts::new();
        let mut stream = acceptor().accept(tcp, &timeouts).map_err(io::Error::other)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(read(&mut stream)?);
        }
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")?;
        // The end of a stream that was cut off is an error.
        let end = read(&mut stream).map_or_else(|error| error.to_string(), |_| "in order".into());
        said.send(end.into_bytes()).map_err(io::Error::other)
    });
    let error = failure::<D>(&Dial::new(&origin, &fake, fake.proxy()));
    assert!(matches!(tunnel(&error, &fake), TunnelError::Refused(_)), "{error:?}");
    assert_eq!(String::from_utf8(fake.said()).unwrap(), "in order");
}

fn read(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut bytes = [0; 1 << 10];
    loop {
        match stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read.map(|n| bytes[..n].to_vec()),
        }
    }
}

fn a_header_for_the_proxy_is_checked_before_connecting<D: Driver>() {
    let origin = Origin::start(false);
    let fake = Fake::start(ProxyScheme::Http, false);
    let mut dial = Dial::new(&origin, &fake, fake.proxy().header("Host", "other"));
    dial.proxy_addresses = Vec::new();
    let error = failure::<D>(&dial);
    let reserved = UsageError::ReservedHeader("Host".into());
    assert_eq!(*tunnel(&error, &fake), TunnelError::Usage(reserved));
}

/// A lookup of the server's name that fails here is about the server.
fn a_server_that_has_no_address_is_the_servers_error<D: Driver>() {
    let origin = Origin::start(false);
    let fake = Fake::start(ProxyScheme::Socks5, false);
    let error = failure::<D>(&Dial::new(&origin, &fake, fake.proxy()));
    let Error::Connect(error) = &*error else { panic!("{error:?}") };
    assert_eq!(error.host(), "origin.test");
}

/// Without TLS roots of the platform, or with others, the proxy's default is not the server's.
#[test]
fn the_servers_configuration_of_tls_is_not_for_the_proxy() {
    let origin = Origin::start(false);
    let fake = Fake::start(ProxyScheme::Https, false);
    let anyone = Connector::builder().dangerous_accept_any_certificate().build().unwrap();
    let dial = Dial::new(&origin, &fake, fake.proxy());
    let client = sansock::net::Client::new(&dial.url).unwrap().tls(anyone);
    let address = fake.address;
    let client = client.proxy(fake.proxy()).resolver(move |_, _| Ok(vec![address]));
    let error = client.connect().unwrap_err();
    assert!(matches!(cause(&error, &fake), ProxyCause::Tls(_)), "{error:?}");
}

on_all_drivers!(
    a_wrong_password_is_told_apart,
    a_server_that_the_proxy_cannot_reach_is_the_proxys_error,
    answers_that_open_no_way_have_their_errors,
    a_success_that_claims_a_body_works,
    a_proxy_that_is_not_there_is_named_with_its_addresses,
    certificates_are_checked_for_each_hop,
    a_proxy_that_speaks_no_tls_is_the_proxys_error,
    the_end_of_a_connection_is_told_apart_by_where_it_comes,
    tls_with_a_proxy_that_refuses_is_ended_in_order,
    a_header_for_the_proxy_is_checked_before_connecting,
    a_server_that_has_no_address_is_the_servers_error,
);
