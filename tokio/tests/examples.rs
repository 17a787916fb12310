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
        let mut command = example("tokio_echo_server");
        command.arg("127.0.0.1:0").args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    /// Ends it as a service manager does, and returns its exit code.
    fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
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
    let server = EchoServer::start(&[]);
    let mut command = example("tokio_client");
    let client = command.arg(&server.url).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let mut output = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");
    assert_eq!(server.terminate(), Some(0));
    line.clear();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "close: 1001 \n");
    assert_eq!(client.wait().unwrap().code(), Some(0));
}

#[test]
fn wrong_arguments_are_named_and_end_with_2() {
    let wrong: [(&str, &[&str], &str); 13] = [
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
