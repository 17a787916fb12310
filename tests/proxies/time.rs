//! Deadlines hold for the whole of dialling, whatever a proxy does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use sansock::Timeouts;
use sansock::dial::{ProxyScheme, TunnelError};
use sansock::handshake::{HandshakeError, Incomplete};
use sansock::net::{Error, ProxyCause};

use crate::driver::{Dial, Driver, TIMEOUT};
use crate::fake::{Fake, drip, pass_on};
use crate::origin::{Origin, silent};

/// Half a second, of which a busy machine makes more.
const SHORT: Duration = Duration::from_millis(500);

/// Fails within [`SHORT`], a second look included.
fn late<D: Driver>(dial: &mut Dial) -> std::sync::Arc<Error> {
    dial.timeouts = Timeouts::new().handshake(SHORT);
    let start = Instant::now();
    let error = D::talk(dial).unwrap_err();
    let took = start.elapsed();
    assert!(SHORT <= took && took < SHORT + Duration::from_secs(2), "{took:?}: {error}");
    error
}

fn is_late(error: &Error) -> bool {
    let Error::Proxy(error) = error else { return false };
    matches!(error.tunnel(), Some(TunnelError::TimedOut))
}

/// Keeps the connection open until the client ends it.
fn wait(mut tcp: TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut tcp, &mut std::io::sink()).map(drop)
}

fn a_proxy_that_says_nothing_is_given_up<D: Driver>() {
    let origin = Origin::start(true);
    for scheme in [
        ProxyScheme::Http,
        // It never answers the ClientHello.
        ProxyScheme::Https,
        ProxyScheme::Socks5h,
        ProxyScheme::Socks4a,
    ] {
        let fake = Fake::that(scheme, |tcp, _| wait(tcp));
        let error = late::<D>(&mut Dial::new(&origin, &fake, fake.proxy()));
        assert!(is_late(&error), "{scheme}: {error:?}");
    }
}

/// Each byte comes well within the time; together they take longer.
fn a_proxy_that_drips_gains_no_time<D: Driver>() {
    let origin = Origin::start(true);
    for (scheme, answer) in [
        (ProxyScheme::Http, &b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"[..]),
        (ProxyScheme::Socks5h, b"\x05\x00\x05\x00\x00\x03\xff........................."),
    ] {
        let fake = Fake::that(scheme, |tcp, _| drip(tcp, answer, Duration::from_millis(50)));
        let error = late::<D>(&mut Dial::new(&origin, &fake, fake.proxy()));
        assert!(is_late(&error), "{scheme}: {error:?}");
    }
    // A refusal that drips its body is a refusal.
    let fake = Fake::that_answers(|mut tcp| {
        tcp.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9999\r\n\r\n")?;
        drip(tcp, b"no ", Duration::from_millis(50))
    });
    let error = late::<D>(&mut Dial::new(&origin, &fake, fake.proxy()));
    let Error::Proxy(error) = &*error else { panic!("{error:?}") };
    let response = error.tunnel().and_then(TunnelError::response).unwrap();
    assert_eq!(response.status(), 403);
    assert!(response.body().starts_with(b"no no "), "{response:?}");
}

/// The time is one for the proxy, TLS and the opening handshake together.
fn what_the_proxy_has_used_up_is_gone<D: Driver>() {
    for is_secure in [false, true] {
        let origin = Origin::start(is_secure);
        let fake = Fake::that_answers(|mut tcp| {
            thread::sleep(SHORT * 3 / 5);
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            // Not the server's: it never answers.
            wait(tcp)
        });
        let error = late::<D>(&mut Dial::new(&origin, &fake, fake.proxy()));
        let timed_out = HandshakeError::Incomplete(Incomplete::TimedOut);
        assert!(matches!(&*error, Error::Handshake(it) if *it == timed_out), "{error:?}");
    }
}

/// A proxy that opens the way in time, and then passes on one byte at a time.
fn a_slow_tunnel_is_given_up<D: Driver>() {
    let origin = Origin::start(true);
    let server = origin.address;
    let fake = Fake::that_answers(move |mut tcp| {
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let mut server = TcpStream::connect(server)?;
        let (mut up, mut from) = (server.try_clone()?, tcp.try_clone()?);
        thread::spawn(move || std::io::copy(&mut from, &mut up));
        let mut byte = [0];
        while server.read(&mut byte)? > 0 {
            tcp.write_all(&byte)?;
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });
    let error = late::<D>(&mut Dial::new(&origin, &fake, fake.proxy()));
    assert!(matches!(&*error, Error::Handshake(_)), "{error:?}");
}

fn the_connect_timeout_is_for_the_proxys_addresses<D: Driver>() {
    let (origin, fake) = (Origin::start(false), Fake::start(ProxyScheme::Http, false));
    let (silent, _listener) = silent();
    let mut dial = Dial::new(&origin, &fake, fake.proxy());
    dial.proxy_addresses = vec![silent, silent];
    dial.connect_timeout = SHORT;
    let start = Instant::now();
    let error = D::talk(&dial).unwrap_err();
    assert!(start.elapsed() < SHORT + Duration::from_secs(2), "{:?}", start.elapsed());
    let Error::Proxy(error) = &*error else { panic!("{error:?}") };
    let ProxyCause::Connect(error) = error.cause() else { panic!("{error:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

/// A client without a deadline waits for as long as the proxy takes.
fn without_a_deadline_a_slow_proxy_is_awaited<D: Driver>() {
    let origin = Origin::start(false);
    let server = origin.address;
    let fake = Fake::that_answers(move |mut tcp| {
        for byte in b"HTTP/1.1 200 OK\r\n\r\n" {
            tcp.write_all(&[*byte])?;
            thread::sleep(Duration::from_millis(10));
        }
        pass_on(tcp, server)
    });
    let mut dial = Dial::new(&origin, &fake, fake.proxy());
    dial.timeouts = Timeouts::new().handshake(None);
    assert!(TIMEOUT > SHORT);
    D::talk(&dial).unwrap();
}

on_all_drivers!(
    a_proxy_that_says_nothing_is_given_up,
    a_proxy_that_drips_gains_no_time,
    what_the_proxy_has_used_up_is_gone,
    a_slow_tunnel_is_given_up,
    the_connect_timeout_is_for_the_proxys_addresses,
    without_a_deadline_a_slow_proxy_is_awaited,
);
