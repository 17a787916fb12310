//! The chat as a program, and visitors of it.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sansock::net::{Client, Next, WebSocket};
use sansock::{Event, Message, Outcome};
use serde_json::{Value, json};

/// The most that anything here may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// The server on a port of its own; it ends with the test.
pub(crate) struct Chat {
    program: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
}

impl Chat {
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", options, Stdio::null())
    }

    pub(crate) fn start_at(address: &str, options: &[&str], stderr: Stdio) -> Self {
        let mut command = example();
        command.arg(address).args(options);
        let mut program =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, url) = line.trim().split_once("http://").unwrap();
        Self { program, address: url.strip_suffix('/').unwrap().into() }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_at("/")
    }

    /// A client of the room at this path.
    pub(crate) fn client_at(&self, path: &str) -> Client {
        Client::new(&format!("ws://{}{path}", self.address)).unwrap()
    }

    /// A visitor that has an id.
    pub(crate) fn visit(&self) -> Visitor {
        self.visit_at("/")
    }

    pub(crate) fn visit_at(&self, path: &str) -> Visitor {
        Visitor::new(self.client_at(path).subprotocol("chat").connect().unwrap())
    }

    /// A visitor with this name that has received the list of users.
    pub(crate) fn join(&self, name: &str) -> Visitor {
        self.join_at("/", name)
    }

    pub(crate) fn join_at(&self, path: &str, name: &str) -> Visitor {
        let mut visitor = self.visit_at(path);
        visitor.join(name);
        visitor
    }

    pub(crate) fn get(&self, path: &str) -> (String, String) {
        self.get_of("localhost", path)
    }

    /// A GET whose Host header names `host`.
    pub(crate) fn get_of(&self, host: &str, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.into(), body.into())
    }

    /// The first line that it writes to a piped stderr.
    pub(crate) fn complaint(mut self) -> String {
        let stderr = self.program.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(stderr).read_line(&mut line).unwrap();
            sender.send(line)
        });
        lines.recv_timeout(TIMEOUT).unwrap()
    }

    #[cfg(unix)]
    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        self.signal("-INT");
        self.wait()
    }

    /// Waits for the end of the program, and returns its exit code.
    #[cfg(unix)]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.program.wait().unwrap().code()
    }

    /// Sends a signal, such as `-INT`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.program.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn example() -> Command {
    let test = env::current_exe().unwrap();
    // Cargo puts examples beside the directory of the tests.
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = profile.join("examples/chat").with_extension(env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: `cargo build --examples` first", path.display());
    Command::new(path)
}

/// Runs the program to its end: its exit code, and what it printed.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = example().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

pub(crate) fn has(users: &Value, name: &str) -> bool {
    users.as_array().unwrap().iter().any(|user| user == name)
}

pub(crate) struct Visitor {
    pub(crate) socket: WebSocket,
    pub(crate) id: Value,
}

impl Visitor {
    /// "The server sends `{type:"id", id}` on opening", before all else.
    pub(crate) fn new(socket: WebSocket) -> Self {
        let mut visitor = Self { socket, id: Value::Null };
        let message = visitor.next();
        assert_eq!(message["type"], "id", "{message}");
        visitor.id = message["id"].clone();
        visitor
    }

    /// As MDN's page does it.
    pub(crate) fn sign_in(&mut self, name: &str) {
        self.send(&json!({ "name": name, "date": 1, "id": self.id, "type": "username" }));
    }

    /// Signs in, and waits for the list of users.
    pub(crate) fn join(&mut self, name: &str) {
        self.sign_in(name);
        self.until("username", |message| message["name"] == name);
        self.until("userlist", |message| has(&message["users"], name));
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.send(&json!({ "text": text, "type": "message", "id": self.id, "date": 1 }));
    }

    /// Sends a text with a key.
    pub(crate) fn say_once(&mut self, text: &str, key: &str) {
        self.send(&json!({ "text": text, "type": "message", "key": key }));
    }

    /// Returns the id under which the message with this key is stored.
    pub(crate) fn acknowledged(&mut self, key: &str) -> Value {
        self.until("ack", |message| message["key"] == key)["id"].clone()
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.socket.send(message.to_string().as_str()).unwrap();
    }

    pub(crate) fn next(&mut self) -> Value {
        self.next_before(Instant::now() + TIMEOUT)
    }

    fn next_before(&mut self, end: Instant) -> Value {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no message comes");
            match self.socket.next_event_timeout(left).unwrap() {
                Next::Event(Event::Message(Message::Text(text))) => {
                    return serde_json::from_str(text).unwrap();
                }
                Next::Event(Event::Ping(_)) | Next::TimedOut => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns the next message of this type for which `is_it` returns true.
    pub(crate) fn until(&mut self, kind: &str, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        let end = Instant::now() + TIMEOUT;
        loop {
            let message = self.next_before(end);
            if message["type"] == kind && is_it(&message) {
                return message;
            }
        }
    }

    pub(crate) fn until_users(&mut self, users: &[&str]) {
        self.until("userlist", |message| message["users"] == json!(users));
    }

    /// Returns the server's next error text.
    pub(crate) fn error(&mut self) -> String {
        self.until("error", |_| true)["text"].as_str().unwrap().to_owned()
    }

    /// Reads to the end, and returns the outcome.
    pub(crate) fn outcome(mut self) -> Option<Outcome> {
        while let Ok(Some(_)) = self.socket.next_event() {}
        self.socket.outcome().cloned()
    }
}
