//! The examples as programs: what they print, how they end, and what is on the wire.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use sansock::net::{Client, Error, Incoming, Server, WebSocket, client};
use sansock::{Answer, CloseCode, Event, Message, Outcome};

/// The most that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Cargo puts examples beside the directory of the tests.
fn example(name: &str) -> Command {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = profile.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: `cargo build --examples` first", path.display());
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A program that runs; it ends with the test at the latest.
struct Running(Option<Child>);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }

    /// Waits for its end. For programs that print less than a pipe holds.
    fn end(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        while self.child().try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let Output { status, stdout, stderr } = self.0.take().unwrap().wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    #[cfg(unix)]
    fn signal(&mut self, signal: &str) {
        let pid = self.child().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(name: &str, arguments: &[&str]) -> Ended {
    Running::start(example(name).args(arguments)).end()
}

/// The echo server on a port of its own.
struct EchoServer {
    program: Running,
    /// `127.0.0.1:PORT`
    address: String,
    url: String,
}

impl EchoServer {
    fn start(options: &[&str]) -> Self {
        let mut program = Running::start(example("echo_server").arg("127.0.0.1:0").args(options));
        let mut lines = BufReader::new(program.child().stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let url = line.strip_prefix("listening on ").unwrap().to_owned();
        let address = url.strip_prefix("ws://").and_then(|rest| rest.strip_suffix('/')).unwrap();
        let page = lines.next().unwrap().unwrap();
        assert!(page.contains(&format!("http://{address}/")), "{page}");
        Self { program, address: address.into(), url }
    }

    /// Sends bytes as they are and reads to the end.
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> (String, String) {
        let answer = self.answer(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.into(), body.into())
    }
}

/// A server in this process, for clients; each connection's result is received.
fn serve<T: Send + 'static>(
    serve: impl Fn(&mut Incoming) -> Result<T, Error> + Send + Sync + 'static,
) -> (String, Receiver<Result<T, Error>>) {
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

/// All that the peer still sends, and how it ends.
fn rest(socket: &mut WebSocket) -> (Vec<String>, Option<Outcome>) {
    let mut messages = Vec::new();
    while let Ok(Some(event)) = socket.next_event() {
        if let Event::Message(Message::Text(text)) = event {
            messages.push(text.to_owned());
        }
    }
    (messages, socket.outcome())
}

fn clean(code: CloseCode) -> Outcome {
    Outcome::Clean(Some(code))
}

#[test]
fn each_has_help() {
    let options: [(&str, &[&str]); 4] = [
        ("echo_server", &["[ADDR]", "--max-message", "--handshake-timeout", "--subprotocol"]),
        ("client", &["URL", "--subprotocol", "--header", "--ping", "--echo", "--selfcheck"]),
        ("autobahn_client", &["URL", "--agent"]),
        ("two_threads", &["[URL]"]),
    ];
    for (name, words) in options {
        for option in ["--help", "-h"] {
            let ended = run(name, &[option]);
            assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{name} {option}");
            for word in ["Usage:", name].iter().chain(words) {
                assert!(ended.stdout.contains(word), "{name} {option}: {word}");
            }
        }
    }
}

#[test]
fn wrong_arguments_are_named_and_end_with_2() {
    let wrong: [(&str, &[&str], &str); 22] = [
        ("echo_server", &["--nonsense"], "--nonsense"),
        ("echo_server", &["nonsense"], "nonsense"),
        ("echo_server", &["127.0.0.1:65536"], "127.0.0.1:65536"),
        ("echo_server", &["127.0.0.1:0", "127.0.0.2:0"], "127.0.0.2:0"),
        ("echo_server", &["--max-message"], "--max-message"),
        ("echo_server", &["--max-message", "1x"], "1x"),
        ("echo_server", &["--handshake-timeout", "0"], "0"),
        ("client", &[], "URL"),
        ("client", &["http://127.0.0.1/"], "http://127.0.0.1/"),
        ("client", &["ws://127.0.0.1/#fragment"], "fragment"),
        ("client", &["ws://127.0.0.1/", "more"], "more"),
        ("client", &["ws://127.0.0.1/", "--nonsense"], "--nonsense"),
        ("client", &["ws://127.0.0.1/", "--echo", "--selfcheck"], "--selfcheck"),
        ("client", &["ws://127.0.0.1/", "--header", "X-Nothing"], "X-Nothing"),
        ("client", &["ws://127.0.0.1/", "--header", "Upgrade: h2c"], "Upgrade"),
        ("client", &["ws://127.0.0.1/", "--subprotocol", "a b"], "a b"),
        ("client", &["ws://127.0.0.1/", "--ping", "often"], "often"),
        ("autobahn_client", &[], "URL"),
        ("autobahn_client", &["127.0.0.1:9001"], "127.0.0.1:9001"),
        ("autobahn_client", &["ws://127.0.0.1/", "--nonsense"], "--nonsense"),
        ("two_threads", &["--messages", "many"], "many"),
        ("two_threads", &["--", "--help"], "--help"),
    ];
    for (name, arguments, named) in wrong {
        let ended = run(name, arguments);
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{name} {arguments:?}");
        assert!(ended.stderr.contains(named), "{name} {arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("--help"), "{name} {arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn a_taken_port_is_named() {
    let server = EchoServer::start(&[]);
    let ended = run("echo_server", &[&server.address]);
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""));
    assert!(ended.stderr.contains(&format!("cannot listen at {}", server.address)), "{ended:?}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let server = EchoServer::start(&[]);
    let url = server.url.clone();
    drop(server);
    for arguments in [&[&*url][..], &["--echo", &url], &["--selfcheck", &url]] {
        let ended = run("client", arguments);
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""));
        assert!(ended.stderr.contains(&url), "{ended:?}");
    }
}

#[test]
fn the_server_echoes_each_type_on_every_path() {
    let server = EchoServer::start(&[]);
    for path in ["", "chat", "a/b?c=d"] {
        let mut socket = client::connect(&format!("{}{path}", server.url)).unwrap();
        for message in [Message::Text("w\u{f6}rld"), Message::Binary(b"\xff"), Message::Text("")] {
            socket.send(message).unwrap();
            assert_eq!(socket.next_event().unwrap(), Some(Event::Message(message)), "{path}");
        }
        socket.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(socket.outcome(), Some(clean(CloseCode::NORMAL)), "{path}");
    }
}

#[test]
fn the_server_chooses_the_first_offered_subprotocol_that_it_knows() {
    let server = EchoServer::start(&["--subprotocol", "one", "--subprotocol", "two"]);
    let offers: [(&[&str], Option<&str>); 5] = [
        (&["two", "one"], Some("two")),
        (&["three", "one", "two"], Some("one")),
        (&["ONE", "two"], Some("two")),
        (&["three"], None),
        (&[], None),
    ];
    for (offered, chosen) in offers {
        let client = Client::new(&server.url).unwrap();
        let client = offered.iter().fold(client, |client, name| client.subprotocol(*name));
        assert_eq!(client.connect().unwrap().subprotocol(), chosen, "{offered:?}");
    }
}

#[test]
fn the_limit_on_messages_is_kept_and_told_with_1009() {
    let server = EchoServer::start(&["--max-message", "1000"]);
    let bytes = [0; 1001];
    let mut socket = client::connect(&server.url).unwrap();
    socket.send(&bytes[..1000]).unwrap();
    let echo = socket.next_event().unwrap();
    assert_eq!(echo, Some(Event::Message(Message::Binary(&bytes[..1000]))));
    socket.send(&bytes).unwrap();
    assert_eq!(rest(&mut socket).1, Some(clean(CloseCode::MESSAGE_TOO_BIG)));

    let mut socket = client::connect(&server.url).unwrap();
    socket.send_fragment(&bytes[..500], false).unwrap();
    socket.send_fragment(&bytes[..501], true).unwrap();
    assert_eq!(rest(&mut socket).1, Some(clean(CloseCode::MESSAGE_TOO_BIG)));
}

#[test]
fn violations_are_told_with_their_codes() {
    let server = EchoServer::start(&[]);
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let frames: [(&[u8], u16); 3] = [
        (b"\x83\x80\0\0\0\0", 1002),     // a reserved opcode
        (b"\x81\x00", 1002),             // not masked
        (b"\x81\x81\0\0\0\0\xff", 1007), // no UTF-8
    ];
    for (frame, code) in frames {
        let answer = server.answer(&[request, frame].concat());
        let [high, low] = code.to_be_bytes();
        assert!(answer.ends_with(&[0x88, 2, high, low]), "{frame:02x?}: {answer:02x?}");
    }
}

#[test]
fn a_silent_client_is_let_go() {
    let server = EchoServer::start(&["--handshake-timeout", "1"]);
    let start = Instant::now();
    let answer = server.answer(b"GET / HTTP/1.1\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
    let took = start.elapsed();
    assert!((Duration::from_millis(900)..PATIENCE / 3).contains(&took), "{took:?}");
}

#[test]
fn the_page_carries_its_own_script_and_no_other_may_run() {
    let server = EchoServer::start(&[]);
    let (head, page) = server.get("/");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for header in ["Content-Type: text/html; charset=utf-8", "X-Content-Type-Options: nosniff"] {
        assert!(head.contains(header), "{head}");
    }
    let nonce = head.split("script-src 'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
    let nonce = nonce.unwrap();
    for word in ["Content-Security-Policy: default-src 'none'", "frame-ancestors 'none'"] {
        assert!(head.contains(word), "{head}");
    }
    for tag in ["script", "style"] {
        assert_eq!(page.matches(&format!("<{tag}")).count(), 1, "{tag}");
        assert!(page.contains(&format!("<{tag} nonce=\"{nonce}\">")), "{tag}");
    }
    for foreign in ["src=", "href=", "innerHTML"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_ne!(server.get("/").1, page, "the nonce is fresh");
    assert!(server.get("/favicon.ico").0.starts_with("HTTP/1.1 204 "));
    assert!(server.get("/nothing").0.starts_with("HTTP/1.1 404 "));
}

#[cfg(unix)]
#[test]
fn signals_close_every_connection_with_1001() {
    for signal in ["-INT", "-TERM"] {
        let mut server = EchoServer::start(&[]);
        let mut sockets: Vec<WebSocket> =
            (0..3).map(|_| client::connect(&server.url).unwrap()).collect();
        let start = Instant::now();
        server.program.signal(signal);
        for socket in &mut sockets {
            assert_eq!(rest(socket).1, Some(clean(CloseCode::GOING_AWAY)), "{signal}");
        }
        assert_eq!(server.program.end().code, Some(0), "{signal}");
        // The sockets are still there, and nobody waited for them to be dropped.
        assert!(start.elapsed() < Duration::from_secs(5), "{signal}: {:?}", start.elapsed());
    }
}

#[test]
fn the_selfcheck_passes_the_echo_server() {
    let server = EchoServer::start(&["--max-message", "1048576"]);
    let ended = run("client", &["--selfcheck", &server.url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

#[test]
fn the_selfcheck_says_what_a_server_does_wrong() {
    type Fault = fn(&mut WebSocket) -> Result<(), Error>;
    let faults: [(Fault, &str); 5] = [
        (|socket| answer(socket, |_| Message::Text("?")), "Text of 0 bytes in 1 frames"),
        (|socket| answer(socket, |message| Message::Binary(message.as_bytes())), "Text of 0 bytes"),
        (
            |socket| {
                answer(socket, |message| match message {
                    Message::Binary(bytes) => Message::Binary(&bytes[..bytes.len().min(65_535)]),
                    text @ Message::Text(_) => text,
                })
            },
            "Binary of 65536 bytes in 1 frames",
        ),
        (|_| Ok(()), "1006"),
        (
            |socket| {
                answer(socket, |message| message)?;
                Ok(())
            },
            "",
        ),
    ];
    for (fault, said) in faults {
        let (url, _served) = serve(move |incoming| fault(&mut incoming.accept()?));
        let ended = run("client", &["--selfcheck", &url]);
        if said.is_empty() {
            assert_eq!(ended.code, Some(0), "{ended:?}");
        } else {
            assert_eq!(ended.code, Some(1), "{said}: {ended:?}");
            assert!(ended.stderr.contains(said), "{said}: {ended:?}");
        }
    }
}

/// Answers each message until the end.
fn answer(socket: &mut WebSocket, by: fn(Message<'_>) -> Message<'_>) -> Result<(), Error> {
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            outgoing.queue(by(message))?;
        }
    }
    Ok(())
}

#[test]
fn the_echo_client_ends_well_only_after_a_closing_handshake() {
    let (url, served) = serve(|incoming| {
        let abrupt = incoming.request().is_some_and(|request| request.path() == "/abrupt");
        let mut socket = incoming.accept()?;
        let bytes = vec![0xff; 70_000];
        for message in [Message::Text("w\u{f6}rld"), Message::Binary(&bytes)] {
            socket.send(message)?;
            assert_eq!(socket.next_event()?, Some(Event::Message(message)));
        }
        if abrupt {
            return Ok(None);
        }
        socket.close(CloseCode::GOING_AWAY, "")?;
        Ok(socket.outcome())
    });
    let ended = run("client", &["--echo", &url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(served.recv().unwrap().unwrap(), Some(clean(CloseCode::GOING_AWAY)));

    let ended = run("client", &["--echo", &format!("{url}abrupt")]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("1006"), "{ended:?}");
}

/// The client for the terminal, with its input and output in hand.
fn interactive(arguments: &[&str]) -> (Running, ChildStdin, BufReader<ChildStdout>) {
    let mut program = Running::start(example("client").args(arguments).stdin(Stdio::piped()));
    let input = program.child().stdin.take().unwrap();
    let output = BufReader::new(program.child().stdout.take().unwrap());
    (program, input, output)
}

fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim_end_matches('\n').to_owned()
}

#[test]
fn the_client_sends_lines_and_shows_what_arrives() {
    let (url, served) = serve(|incoming| {
        let request = incoming.request().unwrap();
        assert_eq!(request.headers().text("Cookie"), Some("session=1"));
        assert_eq!(request.headers().text("X-Other"), Some("a: b"));
        assert!(request.subprotocols().eq(["one", "two"]));
        let mut socket = incoming.accept_with(&Answer::new().subprotocol("two"))?;
        socket.send("\u{1b}[31mred\n")?;
        socket.send(b"\x00\xff")?;
        socket.ping(b"\x01")?;
        Ok(rest(&mut socket))
    });
    let (program, mut input, mut output) = interactive(&[
        "--subprotocol=one",
        "--subprotocol",
        "two",
        "--header",
        "Cookie: session=1",
        "--header",
        "X-Other:a: b",
        &url,
    ]);
    assert_eq!(line(&mut output), "open, subprotocol two");
    assert_eq!(line(&mut output), r"text: \u{1b}[31mred\n");
    assert_eq!(line(&mut output), "binary, 2 bytes: 00 ff");
    assert_eq!(line(&mut output), "ping: 01");
    input.write_all("h\u{e9}llo\n\nlast".as_bytes()).unwrap();
    drop(input);
    let (lines, outcome) = served.recv().unwrap().unwrap();
    assert_eq!(lines, ["h\u{e9}llo", "", "last"]);
    assert_eq!(outcome, Some(clean(CloseCode::NORMAL)), "the end of the input closes");
    assert_eq!(line(&mut output), "close: 1000 ");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn the_client_shows_how_the_server_closes() {
    let (url, _served) = serve(|incoming| incoming.accept()?.close(CloseCode::GOING_AWAY, "bye"));
    let (program, _input, mut output) = interactive(&[&url]);
    assert_eq!(line(&mut output), "open");
    assert_eq!(line(&mut output), "close: 1001 bye");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn the_client_pings() {
    let server = EchoServer::start(&[]);
    let (program, input, mut output) = interactive(&[&server.url, "--ping", "1"]);
    assert_eq!(line(&mut output), "open");
    assert!(line(&mut output).starts_with("pong: "));
    drop(input);
    assert_eq!(program.end().code, Some(0));
}

#[cfg(unix)]
#[test]
fn signals_close_the_client_with_1000() {
    let (url, served) = serve(|incoming| Ok(rest(&mut incoming.accept()?)));
    for signal in ["-INT", "-TERM"] {
        let (mut program, _input, mut output) = interactive(&[&url]);
        assert_eq!(line(&mut output), "open");
        program.signal(signal);
        assert_eq!(served.recv().unwrap().unwrap().1, Some(clean(CloseCode::NORMAL)), "{signal}");
        assert_eq!(program.end().code, Some(0), "{signal}");
    }
}

#[test]
fn two_threads_count_all_echoes() {
    let server = EchoServer::start(&[]);
    for url in [None, Some(&*server.url)] {
        let ended = Running::start(example("two_threads").args(["--messages", "20000"]).args(url));
        let ended = ended.end();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
        assert!(ended.stdout.contains("20000 echoes"), "{ended:?}");
    }
}

#[test]
fn the_autobahn_client_plays_every_case_and_asks_for_the_reports() {
    let (url, served) = serve(|incoming| {
        let target = incoming.request().unwrap().target().to_owned();
        let mut socket = incoming.accept()?;
        match &*target {
            "/getCaseCount" => socket.send("3")?,
            "/runCase?case=1&agent=a%20b" => {
                socket.send("echo")?;
                assert_eq!(socket.next_event()?, Some(Event::Message(Message::Text("echo"))));
            }
            // A frame with a reserved bit, and no Close frame.
            "/runCase?case=2&agent=a%20b" => {
                socket.get_mut().write_all(b"\xc1\x00")?;
                assert_eq!(rest(&mut socket).1, Some(clean(CloseCode::PROTOCOL_ERROR)));
                return Ok(target);
            }
            "/runCase?case=3&agent=a%20b" => {
                socket.get_ref().get_ref().shutdown(Shutdown::Both)?;
                return Ok(target);
            }
            _ => {}
        }
        socket.close(CloseCode::NORMAL, "")?;
        Ok(target)
    });
    let ended = run("autobahn_client", &[&url, "--agent", "a b"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    for target in [
        "/getCaseCount",
        "/runCase?case=1&agent=a%20b",
        "/runCase?case=2&agent=a%20b",
        "/runCase?case=3&agent=a%20b",
        "/updateReports?agent=a%20b",
    ] {
        assert_eq!(served.recv().unwrap().unwrap(), target);
    }
}
