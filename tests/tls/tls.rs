//! TLS: which certificates are trusted, how errors are reported, and that connections work as
//! without TLS.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

#[path = "../net/common.rs"]
#[expect(dead_code, reason = "it is shared with the tests of net")]
mod common;

mod certificates;
mod connection;
mod peer;
mod redirects;
#[cfg(feature = "web")]
#[path = "../web/server.rs"]
#[expect(dead_code, reason = "it is shared with the tests of web")]
mod server;
mod slow_readers;
mod split;
#[cfg(feature = "web")]
mod web;
#[cfg(feature = "web")]
mod wss;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, IsCa};

use certificates::{Authority, File, Identity, expired, ours, params, self_signed};
use common::*;
use sansock::Timeouts;
use sansock::counts::Refusal;
use sansock::handshake::{HandshakeError, HeadError, Incomplete, ResponseError};
use sansock::net::tls::rustls::crypto::ring;
use sansock::net::tls::rustls::pki_types::CertificateDer;
use sansock::net::tls::rustls::pki_types::pem::PemObject as _;
use sansock::net::tls::rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use sansock::net::tls::{Acceptor, AcceptorBuilder, Connector};
use sansock::net::{Client, Error, Server, TlsError, WebSocket, client};

/// A server with this certificate that echoes.
pub(crate) fn serve(identity: &Identity) -> Running {
    let acceptor = identity.acceptor();
    Running::start(|server| server.tls(acceptor), echo)
}

pub(crate) fn wss(server: &Running) -> String {
    format!("wss://{}/", server.address())
}

pub(crate) fn connect_to(server: &Running, tls: Connector) -> Result<WebSocket, Error> {
    Client::new(&wss(server))?.tls(tls).connect()
}

pub(crate) fn connect_to_ours(server: &Running) -> WebSocket {
    connect_to(server, ours().connector()).unwrap()
}

/// What a client that trusts [`ours`] says to a server with this certificate.
fn refusal(identity: &Identity) -> (CertificateError, String) {
    match connect_to(&serve(identity), ours().connector()) {
        Err(Error::Tls(TlsError::Certificate(error))) => {
            (error.clone(), TlsError::Certificate(error).to_string())
        }
        result => panic!("{result:?}"),
    }
}

fn anyone() -> Connector {
    Connector::builder().dangerous_accept_any_certificate().build().unwrap()
}

#[test]
fn a_certificate_for_another_host_is_refused_and_both_names_are_told() {
    let (error, text) = refusal(&ours().issue(&params(&["elsewhere.example"])));
    assert!(matches!(error, CertificateError::NotValidForNameContext { .. }), "{error:?}");
    assert!(text.contains("127.0.0.1") && text.contains("elsewhere.example"), "{text}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let (error, text) = refusal(&expired());
    assert!(matches!(error, CertificateError::ExpiredContext { .. }), "{error:?}");
    assert!(text.contains("expired"), "{text}");
}

#[test]
fn a_self_signed_certificate_and_one_of_a_stranger_are_refused() {
    for identity in [self_signed(), Authority::new().server()] {
        let (error, text) = refusal(&identity);
        assert_eq!(error, CertificateError::UnknownIssuer);
        assert!(text.contains("trusted"), "{text}");
    }
}

/// A certificate as `openssl req -x509` makes it; adding it to the trusted roots does not help.
#[test]
fn a_certificate_of_an_authority_is_no_servers() {
    let mut params = params(&["127.0.0.1"]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let identity = Identity::self_signed(&params);
    let (_, text) = refusal(&identity);
    assert!(text.contains("self-signed") && text.contains("CA:TRUE"), "{text}");
}

#[test]
fn a_self_signed_certificate_can_be_trusted_by_name() {
    let identity = self_signed();
    let server = serve(&identity);
    let roots = Connector::builder().roots_from_pem(identity.certificate.as_bytes()).unwrap();
    connect_to(&server, roots.build().unwrap()).unwrap();
}

#[test]
fn only_the_ugly_name_accepts_any_certificate() {
    let elsewhere = ours().issue(&params(&["elsewhere.example"]));
    for identity in [elsewhere, expired(), self_signed(), Authority::new().server()] {
        let server = serve(&identity);
        let mut socket = connect_to(&server, anyone()).unwrap();
        socket.send("Hello").unwrap();
        assert_eq!(next_message(&mut socket), b"Hello");
    }
}

/// The defaults do not know our authority: nothing was switched off.
#[test]
fn the_default_checks_certificates() {
    let server = serve(&ours().server());
    match client::connect(&wss(&server)) {
        // The latter on a machine without any.
        Err(Error::Tls(
            TlsError::Certificate(CertificateError::UnknownIssuer) | TlsError::NoRoots,
        )) => {}
        result => panic!("{result:?}"),
    }
}

#[test]
fn a_plain_client_on_a_tls_port_learns_what_is_wrong() {
    let server = serve(&ours().server());
    match client::connect(&server.url()) {
        Err(Error::Handshake(HandshakeError::Response(ResponseError::Status(response)))) => {
            assert_eq!(response.status(), 400);
            let text = HandshakeError::Response(ResponseError::Status(response)).to_string();
            assert!(text.contains("TLS") && text.contains("wss:"), "{text}");
        }
        result => panic!("{result:?}"),
    }
}

/// Another server than ours answers with an alert.
#[test]
fn a_plain_client_that_gets_an_alert_says_that_it_is_tls() {
    let (ours, mut theirs) = tcp_pair();
    let server = thread::spawn(move || {
        read_head(&mut theirs);
        theirs.write_all(b"\x15\x03\x03\x00\x02\x02\x0a").unwrap();
    });
    let client = Client::new("ws://localhost/").unwrap();
    let error = client.handshake(sansock::net::Stream::from(ours)).unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::Head(HeadError::ControlByte(0x15)))),
        "{error:?}"
    );
    assert!(error.to_string().contains("TLS"), "{error}");
    server.join().unwrap();
}

#[test]
fn a_tls_client_on_a_plain_port_learns_what_is_wrong() {
    let server = Running::start(|server| server, echo);
    let error = connect_to(&server, ours().connector()).unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::NotTls)), "{error:?}");
    assert!(error.to_string().contains("ws:"), "{error}");
}

#[test]
fn a_server_that_says_nothing_has_the_time_of_the_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let client = Client::new(&url).unwrap().config(timeouts(|all| all.handshake(ms(300))));
    let start = Instant::now();
    let error = client.tls(ours().connector()).connect().unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::Incomplete(Incomplete::TimedOut))),
        "{error:?}"
    );
    assert!((ms(280)..TIMEOUT).contains(&start.elapsed()));
}

/// Neither silence nor single bytes extend the handshake's deadline.
#[test]
fn a_slow_tls_handshake_does_not_extend_its_deadline() {
    let acceptor = ours().server().acceptor();
    let config = timeouts(|all| all.handshake(ms(300)));
    let server = Running::start(|server| server.tls(acceptor).config(config), echo);
    let mut stream = connect(server.address());
    until("accepted", || server.handle.connections() == 1);
    let start = Instant::now();
    // A record with a ClientHello of 512 bytes, of which the last never comes.
    let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 400]].concat();
    for byte in hello {
        if stream.write_all(&[byte]).is_err() || server.handle.connections() == 0 {
            break;
        }
        thread::sleep(ms(10));
    }
    until("dropped", || server.handle.connections() == 0);
    assert!(start.elapsed() < ms(2000), "{:?}", start.elapsed());
}

/// Records that come in pieces are not taken for anything else, whatever byte a piece begins with.
#[test]
fn a_tls_handshake_that_arrives_byte_by_byte_succeeds() {
    let server = serve(&ours().server());
    let (client_end, relay_end) = tcp_pair();
    let upstream = connect(server.address());
    for (mut from, mut to) in
        [(relay_end.try_clone().unwrap(), upstream.try_clone().unwrap()), (upstream, relay_end)]
    {
        thread::spawn(move || {
            let mut byte = [0];
            while from.read_exact(&mut byte).and_then(|()| to.write_all(&byte)).is_ok() {
                // Each in a segment of its own, and often in a read of its own.
                thread::sleep(Duration::from_micros(50));
            }
        });
    }
    let stream = ours().connector().connect(client_end, "localhost", &Timeouts::new()).unwrap();
    let (mut socket, _) = Client::new("wss://localhost/").unwrap().handshake(stream).unwrap();
    socket.send("Hello").unwrap();
    assert_eq!(next_message(&mut socket), b"Hello");
}

/// A server that requires client certificates from [`ours`], and answers with the number of them.
fn mutual() -> Running {
    let identity = ours().server();
    let (certificate, key) = (identity.certificate.as_bytes(), identity.key.as_bytes());
    let acceptor = Acceptor::builder_from_pem(certificate, key)
        .and_then(|builder| builder.client_roots_from_pem(ours().pem().as_bytes()))
        .and_then(AcceptorBuilder::build)
        .unwrap();
    Running::start(
        |server| server.tls(acceptor),
        |incoming| {
            let agreed = incoming.tls().unwrap();
            let mut socket = incoming.accept()?;
            assert_eq!(socket.get_ref().tls(), Some(agreed.clone()));
            socket.send(&*agreed.peer_certificates.len().to_string())?;
            while socket.next_event()?.is_some() {}
            Ok(())
        },
    )
}

fn connector_with(identity: &Identity) -> Connector {
    let (certificate, key) = (identity.certificate.as_bytes(), identity.key.as_bytes());
    let builder = Connector::builder().roots_from_pem(ours().pem().as_bytes()).unwrap();
    builder.certificate_from_pem(certificate, key).unwrap().build().unwrap()
}

#[test]
fn a_server_can_want_certificates_of_its_clients() {
    let server = mutual();
    let mut socket = connect_to(&server, connector_with(&ours().client())).unwrap();
    assert_eq!(next_message(&mut socket), b"1");

    let error = connect_to(&server, ours().connector()).unwrap_err();
    let refused = TlsError::Refused(AlertDescription::CertificateRequired);
    assert!(matches!(&error, Error::Tls(error) if *error == refused), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");

    let stranger = connector_with(&Authority::new().client());
    let error = connect_to(&server, stranger).unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::Refused(_))), "{error:?}");
}

#[test]
fn both_sides_agree_on_http_1_1() {
    let server = serve(&ours().server());
    let socket = connect_to_ours(&server);
    let agreed = socket.get_ref().tls().unwrap();
    assert_eq!(agreed.alpn.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(agreed.peer_certificates.len(), 1);
    let plain = Running::start(|server| server, echo);
    assert_eq!(client::connect(&plain.url()).unwrap().get_ref().tls(), None);
}

/// A configuration of rustls is taken as it is.
#[test]
fn a_client_that_wants_another_protocol_is_refused() {
    let server = serve(&ours().server());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ours().pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let error = connect_to(&server, Connector::from(Arc::new(config))).unwrap_err();
    let refused = TlsError::Refused(AlertDescription::NoApplicationProtocol);
    assert!(matches!(&error, Error::Tls(error) if *error == refused), "{error:?}");
}

/// On the side of the server a client that refuses its certificate, or speaks no TLS.
#[test]
fn a_handshake_of_tls_that_fails_is_counted() {
    let server = serve(&ours().server());
    let nobody = Connector::from(Arc::new(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
    ));
    connect_to(&server, nobody).unwrap_err();
    let mut plain = connect(server.address());
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    read_to_end(&mut plain);
    let counts = || server.handle.counts();
    until("both are counted", || counts().refused.get(Refusal::Tls) == 2);
    let mut socket = connect_to_ours(&server);
    socket.send("Hello").unwrap();
    assert_eq!(next_message(&mut socket), b"Hello");
    let counts = counts();
    assert_eq!((counts.connected, counts.open_now, counts.refused.total()), (3, 1, 2));
    assert_eq!((counts.received.payload_bytes, counts.sent.payload_bytes), (5, 5));
}

#[test]
fn certificates_and_keys_are_in_no_debug_output() {
    let identity = ours().server();
    let (certificate, key) = (identity.certificate.as_bytes(), identity.key.as_bytes());
    let builder = Acceptor::builder_from_pem(certificate, key).unwrap();
    assert_eq!(format!("{builder:?}"), "AcceptorBuilder { clients: None, .. }");
}

#[test]
fn a_tunnel_that_is_connected_already_carries_tls() {
    let server = serve(&ours().server());
    let tcp = connect(server.address());
    let stream = ours().connector().connect(tcp, "localhost", &Timeouts::new()).unwrap();
    let client = Client::new("wss://localhost/").unwrap();
    let (mut socket, _) = client.handshake(stream).unwrap();
    socket.send("Hello").unwrap();
    assert_eq!(next_message(&mut socket), b"Hello");
}

#[test]
fn an_acceptor_serves_a_listener_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = ours().server().acceptor();
    let server = thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut stream = acceptor.accept(tcp, &Timeouts::new()).unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).unwrap();
        stream.write_all(&hello).unwrap();
    });
    let tcp = connect(address);
    let mut stream = ours().connector().connect(tcp, "localhost", &Timeouts::new()).unwrap();
    stream.write_all(b"Hello").unwrap();
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"Hello");
    server.join().unwrap();
}

#[test]
fn pem_files_are_read_and_what_is_wrong_with_them_is_told() {
    let (certificate, key) = ours().server().files();
    let acceptor = Acceptor::from_pem_files(certificate.path(), key.path()).unwrap();
    let authority = File::new(&ours().pem());
    let server = Running::start(|server: Server| server.tls(acceptor), echo);
    let roots = Connector::builder().roots_from_pem_file(authority.path()).unwrap();
    connect_to(&server, roots.build().unwrap()).unwrap();

    let empty = File::new("no PEM here\n");
    for path in [empty.path(), "no-such-file.pem".as_ref()] {
        let name = path.file_name().unwrap().to_str().unwrap();
        for error in [
            Connector::builder().roots_from_pem_file(path).unwrap_err(),
            Acceptor::from_pem_files(path, key.path()).unwrap_err(),
            Acceptor::from_pem_files(certificate.path(), path).unwrap_err(),
        ] {
            assert!(matches!(error, TlsError::Pem { .. }), "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    for (chain, key, missing) in [
        (key.path(), key.path(), "contain a certificate"),
        (certificate.path(), certificate.path(), "contain a private key"),
    ] {
        let error = Acceptor::from_pem_files(chain, key).unwrap_err();
        assert!(error.to_string().contains(missing), "{error}");
    }
    let (_, other) = ours().server().files();
    let error = Acceptor::from_pem_files(certificate.path(), other.path()).unwrap_err();
    assert!(matches!(error, TlsError::Session(_)), "{error:?}");
}
