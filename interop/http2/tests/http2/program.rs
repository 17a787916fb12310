//! The programs: the echo server of `tokio/examples`, the proxies, and Node.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use rcgen::generate_simple_self_signed;

/// The most that anything here may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// A program that ends with the test.
pub(crate) struct Program {
    child: Child,
    /// `127.0.0.1:PORT`, where it listens.
    pub(crate) address: String,
    directory: PathBuf,
}

impl Program {
    /// One that prints a line with its URL or port.
    fn that_says_where(mut command: Command, directory: PathBuf) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let line = first_line(child.stdout.as_mut().unwrap());
        let port = line.trim_end_matches(['/', '\n']).rsplit(':').next().unwrap();
        let address = format!("127.0.0.1:{}", port.parse::<u16>().expect("it says its port"));
        Self { child, address, directory }
    }

    /// One that is told where to listen.
    fn that_is_told_where(mut command: Command, address: String, directory: PathBuf) -> Self {
        let mut child = command.stdin(Stdio::null()).spawn().expect("see interop/http2/run");
        let start = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(start.elapsed() < TIMEOUT, "it does not listen");
            assert!(child.try_wait().unwrap().is_none(), "it does not start");
            thread::sleep(Duration::from_millis(10));
        }
        Self { child, address, directory }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for its end. Returns the last line that it has printed.
    pub(crate) fn ended(&mut self) -> String {
        let mut text = String::new();
        let stdout = self.child.stdout.as_mut().unwrap();
        std::io::Read::read_to_string(stdout, &mut text).unwrap();
        assert!(self.child.wait().unwrap().success());
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Ends it as a service manager does.
    pub(crate) fn terminate(&mut self) {
        self.signal("-TERM");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn first_line(stdout: &mut ChildStdout) -> String {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    line
}

fn fresh_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory = env::temp_dir().join(format!("sansock-http2-{}-{number}", process::id()));
    fs::create_dir(&directory).unwrap();
    directory
}

/// The port stays free: the system does not choose it again soon.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn variable(name: &str) -> PathBuf {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: use interop/http2/run")).into()
}

/// Where the example `service` is.
pub(crate) fn service_path() -> PathBuf {
    variable("EXAMPLES").join("service")
}

/// The example `service`, with these arguments.
pub(crate) fn service(arguments: &[&str]) -> Program {
    let mut command = Command::new(service_path());
    command.args(arguments);
    Program::that_says_where(command, fresh_directory())
}

/// A directory of the test.
pub(crate) fn directory_of() -> PathBuf {
    fresh_directory()
}

/// A program with a configuration that `command` writes into this directory, and that listens at
/// this address.
pub(crate) fn configured(command: impl FnOnce(&Path, &str) -> Command) -> Program {
    let (directory, address) = (fresh_directory(), free_address());
    let command = command(&directory, &address);
    Program::that_is_told_where(command, address, directory)
}

/// `hyper_echo_server`.
pub(crate) fn echo_server(is_secure: bool) -> Program {
    let mut command = Command::new(variable("EXAMPLES").join("hyper_echo_server"));
    command.args(["127.0.0.1:0", "--subprotocol", "chat"]);
    let directory = fresh_directory();
    if is_secure {
        let made = generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
        for (option, file, text) in [
            ("--cert", "cert.pem", made.cert.pem()),
            ("--key", "key.pem", made.signing_key.serialize_pem()),
        ] {
            fs::write(directory.join(file), text).unwrap();
            command.arg(option).arg(directory.join(file));
        }
    }
    Program::that_says_where(command, directory)
}

/// What a proxy speaks with the server behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Inside {
    Http1,
    Http2,
}

pub(crate) fn haproxy(server: &str, inside: Inside) -> Program {
    let (directory, address) = (fresh_directory(), free_address());
    let speaks = match inside {
        Inside::Http1 => "",
        Inside::Http2 => "proto h2 ws h2",
    };
    let configuration = format!(
        "defaults
             mode http
             timeout connect 10s
             timeout client 60s
             timeout server 60s
             timeout tunnel 60s
         frontend outside
             bind {address}
             default_backend inside
         backend inside
             server echo {server} {speaks}\n"
    );
    let file = directory.join("haproxy.cfg");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("haproxy");
    command.args(["-db", "-q", "-f"]).arg(file);
    Program::that_is_told_where(command, address, directory)
}

pub(crate) fn nghttpx(server: &str, inside: Inside) -> Program {
    let (directory, address) = (fresh_directory(), free_address());
    let comma = |address: &str| address.replace(':', ",");
    let speaks = match inside {
        Inside::Http1 => "http/1.1",
        Inside::Http2 => "h2",
    };
    let mut command = Command::new("nghttpx");
    command.args(["--conf=/dev/null", "--single-process", "--log-level=ERROR"]);
    command.arg(format!("--frontend={};no-tls", comma(&address)));
    command.arg(format!("--backend={};;proto={speaks};no-tls", comma(server)));
    command.arg("--accesslog-file=/dev/null");
    Program::that_is_told_where(command, address, directory)
}

fn node(arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/node_peer.js")).args(arguments);
    command.env("INTEROP", variable("INTEROP"));
    command
}

/// Node as a server that echoes.
pub(crate) fn node_server() -> Program {
    Program::that_says_where(node(&["serve"]), fresh_directory())
}

/// Node as a client of the server at this URL; it checks the echoes.
pub(crate) fn node_client(url: &str) {
    let mut child = node(&["connect", url]).spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > TIMEOUT => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("Node does not end: {url}");
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    assert!(status.success(), "Node at {url}: {status}");
}
