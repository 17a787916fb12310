//! The examples, as programs.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// `cargo test` builds the examples together with the tests, `cargo test --test examples` does not.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let target: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
    Command::new(target)
}

fn run(name: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = example(name).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

struct EchoServer {
    child: Child,
    url: String,
}

impl EchoServer {
    fn start(arguments: &[&str]) -> Self {
        Self::of("tokio_echo_server", arguments)
    }

    fn of(name: &str, arguments: &[&str]) -> Self {
        Self::at(name, "127.0.0.1:0", arguments)
    }

    fn at(name: &str, address: &str, arguments: &[&str]) -> Self {
        let mut command = example(name);
        command.arg(address).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    /// Ends it as a service manager does, and returns its exit code.
    fn terminate(self) -> Option<i32> {
        self.signal("-TERM")
    }

    fn signal(mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_client_finds_the_server_right_in_every_mode() {
    for mode in ["lend", "split", "stream"] {
        for threads in ["1", "2"] {
            let server = EchoServer::start(&["--mode", mode, "--threads", threads]);
            let (code, stdout, stderr) = run("tokio_client", &["--selfcheck", &server.url]);
            assert_eq!((code, &*stderr), (Some(0), ""), "{mode}, {threads}");
            assert!(stdout.starts_with("all right"), "{stdout}");
            assert_eq!(server.terminate(), Some(0));
        }
    }
}

#[test]
fn a_signal_closes_connections_with_1001() {
    check_signal(EchoServer::start(&[]), "-TERM");
    #[cfg(feature = "hyper")]
    for signal in ["-TERM", "-INT"] {
        check_signal(EchoServer::of("hyper_echo_server", &[]), signal);
    }
}

fn check_signal(server: EchoServer, signal: &str) {
    let mut command = example("tokio_client");
    let client = command.arg(&server.url).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let mut output = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");
    assert_eq!(server.signal(signal), Some(0));
    line.clear();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "close: 1001 \n");
    assert_eq!(client.wait().unwrap().code(), Some(0));
}

/// Two servers on one port, one after the other.
#[cfg(feature = "reconnect")]
#[test]
fn the_client_connects_again_and_lines_wait_for_it() {
    use std::io::Write as _;

    let server = EchoServer::start(&[]);
    let url = server.url.clone();
    let mut command = example("tokio_client");
    let command = command.args(["--reconnect", &url]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = command.spawn().unwrap();
    let mut input = client.stdin.take().unwrap();
    let mut output = BufReader::new(client.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "open\n");
    input.write_all(b"one\n").unwrap();
    assert_eq!(line(), "text: one\n");
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(line(), "close: 1001 \n");
    input.write_all(b"two\n").unwrap();
    let address = url.split('/').nth(2).unwrap();
    let server = EchoServer::at("tokio_echo_server", address, &[]);
    assert_eq!(line(), "open\n");
    assert_eq!(line(), "text: two\n");
    drop(input);
    assert_eq!(line(), "close: 1000 \n");
    assert_eq!(client.wait().unwrap().code(), Some(0));
    assert_eq!(server.terminate(), Some(0));
}

#[cfg(feature = "redirects")]
#[test]
fn the_client_follows_as_many_redirects_as_it_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = testkit::redirects::redirect_forever(listener, std::time::Duration::ZERO);
    let (code, _, stderr) = run("tokio_client", &["--follow", "3", &format!("ws://{address}/")]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("more than 3 redirects"), "{stderr}");
    testkit::redirects::end(address);
    assert_eq!(server.join().unwrap(), 4);
}

#[cfg(feature = "hyper")]
#[test]
fn the_client_finds_hypers_server_right() {
    let server = EchoServer::of("hyper_echo_server", &[]);
    let (code, stdout, stderr) = run("tokio_client", &["--selfcheck", &server.url]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(stdout.starts_with("all right"), "{stdout}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn wrong_arguments_are_named_and_end_with_2() {
    let wrong: [(&str, &[&str], &str); 16] = [
        ("tokio_echo_server", &["--nonsense"], "--nonsense"),
        ("tokio_echo_server", &["nonsense"], "nonsense"),
        ("tokio_echo_server", &["--mode", "fast"], "--mode"),
        ("tokio_echo_server", &["--threads", "0"], "--threads"),
        ("tokio_echo_server", &["--max-message", "1x"], "--max-message"),
        ("tokio_echo_server", &["--handshake-timeout", "0"], "--handshake-timeout"),
        ("tokio_echo_server", &["--subprotocol", ","], "--subprotocol"),
        ("tokio_echo_server", &["--cert", "cert.pem"], "--key"),
        ("tokio_client", &[], "URL"),
        ("tokio_client", &["http://127.0.0.1/"], "http://127.0.0.1/"),
        ("tokio_client", &["ws://127.0.0.1/", "--echo", "--selfcheck"], "--selfcheck"),
        ("tokio_client", &["ws://127.0.0.1/", "--proxy", "ftp://p"], "--proxy"),
        ("tokio_client", &["ws://127.0.0.1/", "--follow", "some"], "--follow"),
        ("tokio_client", &["ws://127.0.0.1/", "--selfcheck", "--reconnect"], "--reconnect"),
        ("tokio_autobahn_client", &[], "URL"),
        ("tokio_autobahn_client", &["ws://127.0.0.1/", "--agent", "a b"], "--agent"),
    ];
    for (name, arguments, named) in wrong {
        let (code, stdout, stderr) = run(name, arguments);
        assert_eq!((code, &*stdout), (Some(2), ""), "{name} {arguments:?}");
        assert!(stderr.contains(named), "{name} {arguments:?}: {stderr}");
    }
    for name in ["tokio_echo_server", "tokio_client", "tokio_autobahn_client"] {
        let (code, stdout, _) = run(name, &["--help"]);
        assert!(code == Some(0) && stdout.contains(&format!("Usage: {name}")), "{name}");
    }
}

#[cfg(feature = "hyper")]
#[test]
fn wrong_arguments_of_hypers_server_are_named() {
    let wrong: [(&[&str], &str); 6] = [
        (&["--nonsense"], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&["--max-message", "1x"], "--max-message"),
        (&["--handshake-timeout", "0"], "--handshake-timeout"),
        (&["--subprotocol", ","], "--subprotocol"),
        (&["--cert", "cert.pem"], "--key"),
    ];
    for (arguments, named) in wrong {
        let (code, stdout, stderr) = run("hyper_echo_server", arguments);
        assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(named), "{arguments:?}: {stderr}");
    }
    let (code, stdout, _) = run("hyper_echo_server", &["--help"]);
    assert!(code == Some(0) && stdout.contains("Usage: hyper_echo_server"));
}

/// hyper's server over HTTP/2.
#[cfg(feature = "hyper")]
mod http2 {
    use std::time::Duration;

    use hyper::client::conn::http2::{Builder, SendRequest};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use sansock_tokio::handshake::{Carrier, Offer};
    use sansock_tokio::hyper::{ClientHandshake, Upgraded};
    use sansock_tokio::{Config, Error, Message, WebSocket};
    use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
    use tokio::net::TcpStream;

    use super::EchoServer;

    const NAME: &str = "hyper_echo_server";

    fn address(server: &EchoServer) -> &str {
        server.url.split('/').nth(2).unwrap()
    }

    async fn connect(
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> SendRequest<String> {
        let builder = Builder::new(TokioExecutor::new());
        let made = sansock_tokio::hyper::http2(builder, TokioIo::new(io), &Config::new()).await;
        let (http, connection) = made.unwrap();
        tokio::spawn(connection);
        http
    }

    async fn open(
        http: &mut SendRequest<String>,
        offer: Offer,
    ) -> Result<WebSocket<Upgraded>, Error> {
        let (handshake, request) =
            ClientHandshake::start(&offer, Carrier::ExtendedConnect).unwrap();
        let response = http.send_request(request.map(|()| String::new())).await.unwrap();
        handshake.finish(response, &Config::new()).await
    }

    async fn check(http: &mut SendRequest<String>, url: &str) -> WebSocket<Upgraded> {
        let offer = Offer::new(url.parse().unwrap()).subprotocol("a").subprotocol("b");
        let mut socket = open(http, offer).await.unwrap();
        assert_eq!(socket.subprotocol(), Some("b"));
        for message in [Message::from("text"), Message::from(vec![7; 200_000])] {
            socket.send(&message).await.unwrap();
            assert_eq!(socket.next_message().await.unwrap(), Some(message));
        }
        socket
    }

    #[tokio::test]
    async fn echoes_and_a_signal_closes_each_with_1001() {
        let server = EchoServer::of(NAME, &["--subprotocol", "b", "--max-message", "200000"]);
        let tcp = TcpStream::connect(address(&server)).await.unwrap();
        let mut http = connect(tcp).await;
        let mut sockets = Vec::new();
        for _ in 0..3 {
            sockets.push(check(&mut http, &server.url).await);
        }
        let mut too_large = sockets.pop().unwrap();
        too_large.send(vec![0; 200_001]).await.unwrap();
        assert_eq!(too_large.next_message().await.unwrap(), None);
        assert_eq!(too_large.outcome().unwrap().code(), 1009);

        let page = Offer::new(server.url.parse().unwrap()).origin("https://other.example");
        let Error::Handshake(error) = open(&mut http, page).await.unwrap_err() else { panic!() };
        assert_eq!(error.response().unwrap().status(), 403);
        let plain = http::Request::get(server.url.replace("ws", "http")).body(String::new());
        assert_eq!(http.send_request(plain.unwrap()).await.unwrap().status(), 200);

        let ended = tokio::task::spawn_blocking(|| server.terminate());
        for mut socket in sockets {
            assert_eq!(socket.next_message().await.unwrap(), None);
            assert_eq!(socket.outcome().unwrap().code(), 1001);
        }
        assert_eq!(ended.await.unwrap(), Some(0));
    }

    #[tokio::test]
    async fn a_client_that_asks_for_nothing_has_the_time_of_the_handshake() {
        let server = EchoServer::of(NAME, &["--handshake-timeout", "1"]);
        let mut tcp = TcpStream::connect(address(&server)).await.unwrap();
        let end = tokio::time::timeout(Duration::from_secs(20), tcp.read_u8()).await;
        assert!(end.unwrap().is_err());
    }

    #[cfg(feature = "rustls")]
    #[tokio::test]
    async fn over_tls_the_version_is_negotiated() {
        use std::sync::Arc;

        use sansock_tokio::tls::Connector;
        use tokio_rustls::TlsConnector;
        use tokio_rustls::rustls::ClientConfig;

        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let folder = std::env::temp_dir().join(format!("hyper_echo_{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
        let server = EchoServer::of(NAME, &[&files[..], &["--subprotocol", "b"]].concat());
        std::fs::remove_dir_all(&folder).unwrap();

        let connector = Connector::builder()
            .roots_from_pem(certified.cert.pem().as_bytes())
            .unwrap()
            .build()
            .unwrap();
        let mut socket = sansock_tokio::Client::new(&server.url).unwrap().tls(connector.clone());
        socket = socket.subprotocol("b");
        let mut socket = socket.connect().await.unwrap();
        assert_eq!(socket.get_ref().tls().unwrap().alpn_protocol(), Some(&b"http/1.1"[..]));
        socket.send("hello").await.unwrap();
        assert_eq!(socket.next_message().await.unwrap(), Some(Message::from("hello")));

        let mut config = ClientConfig::clone(&Arc::from(connector));
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect(address(&server)).await.unwrap();
        let name = "127.0.0.1".try_into().unwrap();
        let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        check(&mut connect(tls).await, &server.url).await;
    }
}
