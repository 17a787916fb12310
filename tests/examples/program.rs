//! Starts and ends programs, and the peers that they talk to.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use sansock::net::{Error, Incoming, Server, WebSocket};
use sansock::{CloseCode, Event, Message, Outcome};

/// The most that anything here may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Cargo puts examples beside the directory of the tests.
pub(crate) fn example(name: &str) -> Command {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = profile.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: `cargo build --examples` first", path.display());
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A program that runs; it ends with the test at the latest.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }

    /// Waits for its end. For programs that print less than a pipe holds.
    pub(crate) fn end(mut self) -> Ended {
        let until = Instant::now() + TIMEOUT;
        while self.child().try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let Output { status, stdout, stderr } = self.0.take().unwrap().wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&mut self, signal: &str) {
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
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn run(name: &str, arguments: &[&str]) -> Ended {
    Running::start(example(name).args(arguments)).end()
}

/// `--help` is no error and shows these words.
pub(crate) fn has_help(name: &str, words: &[&str]) {
    for option in ["--help", "-h"] {
        let ended = run(name, &[option]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{name} {option}");
        for word in ["Usage:", name].iter().chain(words) {
            assert!(ended.stdout.contains(word), "{name} {option}: {word}");
        }
    }
}

/// Wrong arguments end the program with 2; it names what is wrong.
pub(crate) fn refuses(name: &str, arguments: &[&str], named: &str) {
    let ended = run(name, arguments);
    assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{name} {arguments:?}");
    assert!(ended.stderr.contains(named), "{name} {arguments:?}: {}", ended.stderr);
    assert!(ended.stderr.contains("--help"), "{name} {arguments:?}: {}", ended.stderr);
}

/// The echo server on a port of its own.
pub(crate) struct EchoServer {
    pub(crate) program: Running,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    pub(crate) url: String,
}

impl EchoServer {
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut program = Running::start(example("echo_server").arg("127.0.0.1:0").args(options));
        let mut lines = BufReader::new(program.child().stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let url = line.strip_prefix("listening on ").unwrap().to_owned();
        let (scheme, rest) = url.split_once("://").unwrap();
        let address = rest.strip_suffix('/').unwrap();
        let page = lines.next().unwrap().unwrap();
        let http = scheme.replace("ws", "http");
        assert!(page.contains(&format!("{http}://{address}/")), "{page}");
        Self { program, address: address.into(), url }
    }

    /// Sends bytes as they are and reads to the end.
    pub(crate) fn answer(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    pub(crate) fn get(&self, path: &str) -> (String, String) {
        let answer = self.answer(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.into(), body.into())
    }
}

/// A server in this process, for clients; each connection's result is received.
pub(crate) fn serve<T: Send + 'static>(
    serve: impl Fn(&Incoming) -> Result<T, Error> + Send + Sync + 'static,
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

/// Reads everything that the peer still sends, and returns how it ended.
pub(crate) fn rest(socket: &mut WebSocket) -> (Vec<String>, Option<Outcome>) {
    let mut messages = Vec::new();
    while let Ok(Some(event)) = socket.next_event() {
        if let Event::Message(Message::Text(text)) = event {
            messages.push(text.to_owned());
        }
    }
    (messages, socket.outcome().cloned())
}

pub(crate) fn clean(code: CloseCode) -> Outcome {
    Outcome::Clean { code: Some(code), reason: "".into() }
}
