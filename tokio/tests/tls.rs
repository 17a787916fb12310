//! The adapter over TLS.
#![cfg(feature = "rustls")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sansock_tokio::tls::{Acceptor, Connector, TlsError};
use sansock_tokio::{Client, CloseCode, Config, Error, Event, Incoming, Server, Timeouts};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn acceptor(&self, name: &str) -> Acceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Acceptor::from_pem(certificate.as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    fn connector(&self) -> Connector {
        let pem = self.0.as_ref().pem();
        Connector::builder().roots_from_pem(pem.as_bytes()).unwrap().build().unwrap()
    }
}

/// Starts an echo server for this name, and returns its port.
async fn start(authority: &Authority, name: &str) -> u16 {
    let timeouts = Timeouts::new().handshake(Duration::from_secs(1));
    let server = Server::bind("127.0.0.1:0").await.unwrap().tls(authority.acceptor(name));
    let server = server.config(Config::new().timeouts(timeouts));
    let port = server.local_addr().port();
    tokio::spawn(server.run(|incoming: Incoming| async move {
        let mut socket = incoming.accept().await?;
        while let Some((event, mut outgoing)) = socket.exchange().await? {
            if let Event::Message(message) = event {
                outgoing.queue(message)?;
            }
        }
        Ok(())
    }));
    port
}

#[tokio::test]
async fn messages_and_the_close_pass_whole_and_split() {
    let authority = Authority::new();
    let port = start(&authority, "127.0.0.1").await;
    let client =
        Client::new(&format!("wss://127.0.0.1:{port}/")).unwrap().tls(authority.connector());
    for split in [false, true] {
        let mut socket = client.connect().await.unwrap();
        assert!(socket.get_ref().tls().is_some());
        let large = vec![7; 1 << 20];
        let outcome = if split {
            let (mut reader, writer) = socket.split();
            let sending = tokio::spawn({
                let large = large.clone();
                async move { writer.send(large).await }
            });
            assert_eq!(reader.next_message().await.unwrap().unwrap().as_bytes(), large);
            sending.await.unwrap().unwrap();
            reader.close(CloseCode::NORMAL, "").await
        } else {
            socket.send(&large).await.unwrap();
            assert_eq!(socket.next_message().await.unwrap().unwrap().as_bytes(), large);
            socket.close(CloseCode::NORMAL, "").await
        };
        assert_eq!(outcome.unwrap().code(), 1000, "{split}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_for_another_host_is_refused() {
    let authority = Authority::new();
    for (name, connector) in
        [("127.0.0.1", Authority::new().connector()), ("other.example", authority.connector())]
    {
        let port = start(&authority, name).await;
        let client = Client::new(&format!("wss://127.0.0.1:{port}/")).unwrap().tls(connector);
        let error = client.connect().await.unwrap_err();
        assert!(matches!(error, Error::Tls(TlsError::Certificate(_))), "{error:?}");
    }
}

#[tokio::test]
async fn a_client_without_tls_is_told_so_or_given_up() {
    let authority = Authority::new();
    let port = start(&authority, "127.0.0.1").await;
    let client = Client::new(&format!("ws://127.0.0.1:{port}/")).unwrap();
    assert!(client.connect().await.is_err());
    // One that says nothing has the time of the handshake.
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    silent.write_all(b"\x16\x03").await.unwrap();
    let mut bytes = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut bytes);
    let _ = tokio::time::timeout(Duration::from_secs(20), end).await.unwrap();
}

#[cfg(feature = "hub")]
#[tokio::test]
async fn a_hub_publishes_over_tls() {
    use sansock_tokio::hub::{Budget, Hub};

    let authority = Authority::new();
    let topic = Hub::new().topic("news");
    let server = Server::bind("127.0.0.1:0").await.unwrap().tls(authority.acceptor("127.0.0.1"));
    let url = format!("wss://127.0.0.1:{}/", server.local_addr().port());
    let room = topic.clone();
    tokio::spawn(server.run(move |incoming: Incoming| {
        let topic = room.clone();
        async move {
            let (mut reader, writer) = incoming.accept().await?.split();
            let _subscription = topic.subscribe(&writer.subscriber(Budget::new(64 << 20)));
            writer.send("subscribed").await?;
            while reader.next_message().await?.is_some() {}
            Ok(())
        }
    }));
    let mut client = Client::new(&url).unwrap().tls(authority.connector()).connect().await.unwrap();
    assert_eq!(client.next_message().await.unwrap().unwrap().as_text(), Some("subscribed"));
    // Much more than sockets hold: the reader's task goes on with what they do not take.
    let lengths = [10, 1 << 20, 1, 20_000, 4 << 20, 0].repeat(3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for length in &lengths {
                topic.publish(vec![7; *length]);
            }
        });
    });
    for length in lengths {
        let message = tokio::time::timeout(Duration::from_secs(20), client.next_message()).await;
        let message = message.expect("it arrives").unwrap().unwrap();
        assert_eq!(message.as_bytes(), vec![7; length]);
    }
}

/// The end of TCP without that of TLS, after a Close frame of ours, and a client that refuses the
/// certificate.
#[cfg(unix)]
#[tokio::test]
async fn a_cut_stream_and_a_handshake_that_fails_are_counted() {
    use sansock_tokio::counts::Refusal;
    use std::net::Shutdown;
    use std::os::fd::AsFd as _;

    let authority = Authority::new();
    let server = Server::bind("127.0.0.1:0").await.unwrap().tls(authority.acceptor("127.0.0.1"));
    let (handle, url) = (server.handle(), format!("wss://{}/", server.local_addr()));
    tokio::spawn(server.run(|incoming: Incoming| async move {
        let mut socket = incoming.accept().await?;
        socket.start_close(CloseCode::new(4002), "").await?;
        while socket.recv().await?.is_some() {}
        Ok(())
    }));
    let client = Client::new(&url).unwrap();
    assert!(client.clone().tls(Authority::new().connector()).connect().await.is_err());
    let socket = client.tls(authority.connector()).connect().await.unwrap();
    let tcp = socket.get_ref().get_ref().as_fd().try_clone_to_owned().unwrap();
    std::net::TcpStream::from(tcp).shutdown(Shutdown::Write).unwrap();
    let start = std::time::Instant::now();
    while handle.counts().close_sent.total() == 0 || handle.counts().refused.total() == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", handle.counts());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let counts = handle.counts();
    assert_eq!(counts.refused.get(Refusal::Tls), 1, "{counts:?}");
    assert_eq!(
        (counts.close_sent.get(4002), counts.close_received.get(1006)),
        (1, 1),
        "{counts:?}"
    );
    drop(socket);
}
