//! `service`: what systemd and load balancers see of it.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{ChildStdout, Command};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use sansock::net::client;

use crate::program::{Running, TIMEOUT, example, has_help, refuses, rest};

/// The program, the lines that it prints, and where it listens.
struct Service {
    program: Running,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Service {
    fn start(command: &mut Command) -> Self {
        let mut program = Running::start(command);
        let mut lines = BufReader::new(program.child().stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("listening on ws://").unwrap().strip_suffix('/').unwrap();
        Self { program, lines, address: address.to_owned() }
    }

    fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    fn health(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.split(' ').nth(1).unwrap().to_owned()
    }

    /// Waits for its end. Returns what it prints then.
    fn end(mut self) -> Vec<String> {
        let lines = self.lines.map(Result::unwrap).collect();
        let until = Instant::now() + TIMEOUT;
        let status = loop {
            if let Some(status) = self.program.child().try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end");
            thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{status}");
        lines
    }
}

#[test]
fn help_and_wrong_arguments() {
    has_help("service", &["[ADDR]", "--reuse-port", "--proxy-from", "--grace", "--spread"]);
    for (arguments, named) in [
        (&["nonsense"][..], "\"nonsense\" is not HOST:PORT"),
        (&["--grace", "-1"], "--grace"),
        (&["--spread", "soon"], "--spread: \"soon\" should be a number"),
        (&["--keepalive", "0"], "--keepalive"),
        (&["--proxy-from", "10.0.0.1/8"], "--proxy-from"),
        (&["--forwarded-from", "here"], "--forwarded-from"),
        (&["--nonsense"], "--nonsense"),
    ] {
        refuses("service", arguments, named);
    }
}

/// A directory that is removed at the end.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sansock-service-{name}-{}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn next_state(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 100];
    let n = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..n].to_vec()).unwrap()
}

/// Readiness, the health check that fails first, the closes, and the end.
#[test]
fn it_says_when_it_is_ready_and_when_it_stops_and_drains() {
    let directory = Directory::new("notify");
    let path = directory.0.join("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut command = example("service");
    command.args(["127.0.0.1:0", "--grace", "0.5", "--spread", "0.5"]);
    let mut service = Service::start(command.env("NOTIFY_SOCKET", &path));
    assert_eq!(next_state(&manager), "READY=1");
    let mut sockets: Vec<_> = (0..5).map(|_| client::connect(&service.url()).unwrap()).collect();
    assert_eq!(service.health(), "200");
    let start = Instant::now();
    service.program.signal("-TERM");
    assert_eq!(next_state(&manager), "STOPPING=1");
    assert_eq!(service.health(), "503");
    for socket in &mut sockets {
        let (_, outcome) = rest(socket);
        assert_eq!(outcome.unwrap().code(), 1012);
        assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
    }
    let lines = service.end();
    assert!(lines.len() == 1 && lines[0].starts_with("5 closed, 0 failed"), "{lines:?}");
}

/// In a name that is no file's, as systemd gives it to a service with a namespace of its own.
#[cfg(target_os = "linux")]
#[test]
fn it_finds_a_manager_whose_socket_is_abstract() {
    use std::os::linux::net::SocketAddrExt as _;
    let name = format!("sansock-service-{}", process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    manager.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut command = example("service");
    let _service =
        Service::start(command.arg("127.0.0.1:0").env("NOTIFY_SOCKET", format!("@{name}")));
    assert_eq!(next_state(&manager), "READY=1");
}

/// A new program serves before the old one has ended.
#[test]
fn two_programs_listen_at_one_port() {
    let start = |address: &str| {
        Service::start(example("service").args([address, "--reuse-port", "--closing", "3"]))
    };
    let mut old = start("127.0.0.1:0");
    let mut of_old = client::connect(&old.url()).unwrap();
    let new = start(&old.address);
    assert_eq!(new.address, old.address);
    old.program.signal("-TERM");
    let (_, outcome) = rest(&mut of_old);
    assert_eq!(outcome.unwrap().code(), 1012);
    assert!(old.end()[0].starts_with("1 closed"));
    let mut of_new = client::connect(&new.url()).unwrap();
    of_new.send("hello").unwrap();
    assert_eq!(of_new.next_message().unwrap().unwrap().as_text(), Some("hello"));
    // Without the option the port is taken.
    let ended = Running::start(example("service").arg(&new.address)).end();
    assert!(ended.code == Some(1) && ended.stderr.contains(&new.address), "{ended:?}");
}

/// As systemd passes a socket: file descriptor 3, and two variables. A shell stands in for it.
#[test]
fn it_serves_at_a_socket_that_was_passed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let program = example("service");
    let mut command = Command::new("sh");
    command.stdin(std::os::fd::OwnedFd::from(listener)).stdout(process::Stdio::piped());
    // `exec` keeps the process id.
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" 127.0.0.1:1 3<&0";
    command.args(["-c", script]).arg(program.get_program());
    // Clients may come before the program runs.
    let waiting = thread::spawn({
        let url = format!("ws://{address}/");
        move || client::connect(&url).unwrap()
    });
    let mut service = Service::start(&mut command);
    assert_eq!(service.address, address);
    let mut socket = waiting.join().unwrap();
    socket.send("hello").unwrap();
    assert_eq!(socket.next_message().unwrap().unwrap().as_text(), Some("hello"));
    service.program.signal("-TERM");
    assert_eq!(rest(&mut socket).1.unwrap().code(), 1012);
    service.end();
}
