//! The examples, as programs.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sansock::ReceiveBuffer;
use sansock_tokio::handshake::http::HttpClientHandshake;
use sansock_tokio::handshake::{Carrier, Offer};
use sansock_tokio::tls::Connector;
use sansock_tokio::{Client, CloseCode, Config, Outcome, WebSocket};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

const SOON: Duration = Duration::from_secs(20);

/// `cargo test` builds the examples together with the tests, `cargo test --test examples` does not.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let target: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
    Command::new(target)
}

/// A server that runs.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = example(name);
        command.arg("127.0.0.1:0").args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    fn echo(arguments: &[&str]) -> Self {
        Self::start("axum_echo_server", arguments)
    }

    /// Host and port.
    fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1.trim_end_matches('/')
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Its exit code, once it has ended.
    async fn ended(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                match self.child.try_wait().unwrap() {
                    Some(status) => return status.code(),
                    None => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        tokio::time::timeout(SOON, ended).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocket<S>) {
    for text in ["hello", &"long".repeat(100_000)] {
        socket.send(text).await.unwrap();
        let message = tokio::time::timeout(SOON, socket.next_message()).await.unwrap();
        assert_eq!(message.unwrap().unwrap().as_text(), Some(text));
    }
}

/// Reads to the end, and returns the code with which the connection ended.
async fn code_of<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocket<S>) -> u16 {
    let drain = async { while socket.recv().await.unwrap().is_some() {} };
    tokio::time::timeout(SOON, drain).await.unwrap();
    socket.outcome().map(Outcome::code).unwrap()
}

/// Receives until this text has come.
async fn hear<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocket<S>, text: &str) {
    let hear =
        async { while socket.next_message().await.unwrap().unwrap().as_text() != Some(text) {} };
    tokio::time::timeout(SOON, hear).await.unwrap();
}

/// Opens a WebSocket over HTTP/2 on a connection to the server.
async fn open_over_http2<S>(io: S, url: &str) -> WebSocket<TokioIo<hyper::upgrade::Upgraded>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = client.handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    let offer = Offer::new(url.parse().unwrap());
    let (handshake, request) =
        HttpClientHandshake::start(&offer, [0; 16], Carrier::ExtendedConnect).unwrap();
    let uri = request.uri().clone();
    // The settings of the server have arrived with its first answer.
    let plain = http::Request::get(uri).body(Body::empty()).unwrap();
    assert_eq!(sender.send_request(plain).await.unwrap().status(), 426);
    let mut request = request.map(|()| Body::empty());
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    let mut response = sender.send_request(request).await.unwrap();
    let established = handshake.verify(&response).unwrap();
    let io = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    WebSocket::from_established(io, established, &Config::new(), ReceiveBuffer::new())
}

#[tokio::test]
async fn it_echoes_over_both_versions_and_signals_close_with_1001() {
    for (signal, threads) in [("-TERM", "1"), ("-INT", "2")] {
        let mut server = Server::echo(&["--threads", threads]);
        let mut over_http_1 = sansock_tokio::connect(&server.url).await.unwrap();
        talk(&mut over_http_1).await;
        let tcp = TcpStream::connect(server.address()).await.unwrap();
        let mut over_http_2 = open_over_http2(tcp, &server.url).await;
        talk(&mut over_http_2).await;
        server.signal(signal);
        assert_eq!(code_of(&mut over_http_1).await, 1001);
        assert_eq!(code_of(&mut over_http_2).await, 1001);
        assert_eq!(server.ended().await, Some(0));
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Server::echo(&[]);
    // It does not answer the Close frame.
    let _socket = sansock_tokio::connect(&server.url).await.unwrap();
    for _ in 0..2 {
        server.signal("-TERM");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(server.ended().await, Some(130));
}

#[tokio::test]
async fn options_have_their_effect() {
    let options = ["--max-message", "1000", "--subprotocol", "one", "--subprotocol", "two"];
    let server = Server::echo(&options);
    let client = Client::new(&server.url).unwrap();
    let client = client.subprotocol("two").subprotocol("one");
    let mut socket = client.connect().await.unwrap();
    assert_eq!(socket.subprotocol(), Some("one"));
    socket.send("x".repeat(1001)).await.unwrap();
    assert_eq!(code_of(&mut socket).await, 1009);
}

#[tokio::test]
async fn the_health_check_fails_before_the_first_close() {
    let mut server = Server::echo(&["--grace", "2", "--spread", "1"]);
    let health = async || {
        let mut tcp = TcpStream::connect(server.address()).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        tcp.write_all(request).await.unwrap();
        let mut text = String::new();
        tokio::time::timeout(SOON, tcp.read_to_string(&mut text)).await.unwrap().unwrap();
        text.split(' ').nth(1).unwrap().to_owned()
    };
    let mut socket = sansock_tokio::connect(&server.url).await.unwrap();
    assert_eq!(health().await, "200");
    let start = Instant::now();
    server.signal("-TERM");
    while health().await != "503" {
        assert!(start.elapsed() < SOON, "it stays green");
    }
    talk(&mut socket).await;
    assert_eq!(code_of(&mut socket).await, 1001);
    assert!(start.elapsed() >= Duration::from_secs(2));
    drop(socket);
    assert_eq!(server.ended().await, Some(0));
}

struct Authority {
    root: String,
    /// Files with the certificate and the key.
    files: [PathBuf; 2],
}

impl Authority {
    fn new(test: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &root).unwrap().pem();
        let file = |name: &str, text: String| {
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{name}"));
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = [file("cert.pem", certificate), file("key.pem", key.serialize_pem())];
        Self { root: root.as_ref().pem(), files }
    }

    fn connector(&self) -> Connector {
        Connector::builder().roots_from_pem(self.root.as_bytes()).unwrap().build().unwrap()
    }
}

#[tokio::test]
async fn with_a_certificate_it_serves_both_versions_by_alpn() {
    let authority = Authority::new("both_versions");
    let [cert, key] = authority.files.each_ref().map(|path| path.to_str().unwrap());
    let mut server = Server::echo(&["--cert", cert, "--key", key, "--handshake-timeout", "1"]);
    assert!(server.url.starts_with("wss://"));
    // One that says nothing keeps no other out, and is let go.
    let mut silent = TcpStream::connect(server.address()).await.unwrap();

    let client = Client::new(&server.url).unwrap().tls(authority.connector());
    let mut over_http_1 = client.connect().await.unwrap();
    talk(&mut over_http_1).await;

    let mut config = Arc::unwrap_or_clone(Arc::<ClientConfig>::from(authority.connector()));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let mut over_http_2 = open_over_http2(tls, &server.url).await;
    talk(&mut over_http_2).await;

    let mut bytes = [0];
    let ended = tokio::time::timeout(SOON, silent.read(&mut bytes)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert_eq!(over_http_1.close(CloseCode::NORMAL, "").await.unwrap().code(), 1000);
    server.signal("-TERM");
    assert_eq!(code_of(&mut over_http_2).await, 1001);
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn the_chat_has_a_page_and_tells_everybody_everything() {
    let mut server = Server::start("axum_chat", &[]);
    let page = {
        let mut tcp = std::net::TcpStream::connect(server.address()).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        std::io::Write::write_all(&mut tcp, request.as_bytes()).unwrap();
        let mut page = String::new();
        tcp.read_to_string(&mut page).unwrap();
        page
    };
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("new WebSocket"), "{page}");
    let url = format!("ws://{}/ws", server.address());
    let mut visitors = Vec::new();
    for _ in 0..3 {
        visitors.push(sansock_tokio::connect(&url).await.unwrap());
    }
    // Who has come in hears itself.
    for (number, visitor) in visitors.iter_mut().enumerate() {
        let line = format!("I am {number}");
        visitor.send(&*line).await.unwrap();
        hear(visitor, &line).await;
    }
    visitors[0].send("<b>hello</b>").await.unwrap();
    for visitor in &mut visitors {
        hear(visitor, "<b>hello</b>").await;
    }
    visitors[1].send(&[1, 2, 3][..]).await.unwrap();
    assert_eq!(code_of(&mut visitors[1]).await, 1003);
    server.signal("-INT");
    assert_eq!(code_of(&mut visitors[0]).await, 1001);
    assert_eq!(code_of(&mut visitors[2]).await, 1001);
    assert_eq!(server.ended().await, Some(0));
}

#[test]
fn wrong_arguments_are_named_and_end_with_2() {
    let run = |arguments: &[&str]| {
        let Output { status, stdout, stderr } =
            example("axum_echo_server").args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    };
    let wrong: [(&[&str], &str); 9] = [
        (&["--nonsense"], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&["--threads", "0"], "--threads"),
        (&["--max-message", "1x"], "--max-message"),
        (&["--grace", "soon"], "--grace"),
        (&["--handshake-timeout", "0"], "--handshake-timeout"),
        (&["--subprotocol", ","], "--subprotocol"),
        (&["--cert", "cert.pem"], "--key"),
        (&["127.0.0.1:0", "127.0.0.1:0"], "127.0.0.1:0"),
    ];
    for (arguments, named) in wrong {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(named), "{arguments:?}: {stderr}");
    }
    let (code, _, stderr) = run(&["127.0.0.1:0", "--cert", "none.pem", "--key", "none.pem"]);
    assert!(code == Some(1) && stderr.contains("none.pem"), "{stderr}");
    let (code, stdout, _) = run(&["--help"]);
    assert!(code == Some(0) && stdout.contains("Usage: axum_echo_server"), "{stdout}");
}
