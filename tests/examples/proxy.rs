//! The client's options for proxies.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use crate::program::{EchoServer, Ended, Running, example, refuses, run};

/// A proxy of HTTP for one client, which must say `expected`. It answers `answer`, and then passes on
/// bytes to the server that was asked for.
fn proxy(answer: &'static str, expected: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains(expected), "{head}");
        client.write_all(answer.as_bytes()).unwrap();
        let server = TcpStream::connect(head.split(' ').nth(1).unwrap()).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut from, &mut to));
        let _ = io::copy(&mut &server, &mut client);
        let _ = client.shutdown(Shutdown::Write);
    });
    address
}

const OPEN: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// The client with exactly these variables of proxies.
fn run_with(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = example("client");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"] {
        command.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    command.envs(variables.iter().copied());
    Running::start(command.args(arguments)).end()
}

#[test]
fn the_selfcheck_passes_through_a_proxy() {
    let server = EchoServer::start(&[]);
    // Aladdin:open sesame
    let address = proxy(OPEN, "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
    let url = format!("http://Aladdin:open%20sesame@{address}");
    let ended = run("client", &["--selfcheck", "--proxy", &url, &server.url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

#[test]
fn the_environment_counts_if_it_is_asked_for() {
    let server = EchoServer::start(&[]);
    let address = proxy(OPEN, "CONNECT 127.0.0.1:");
    let nowhere = "http://127.0.0.1:1";
    for (variables, arguments) in [
        (&[("HTTP_PROXY", &*address)][..], &["--proxy-env"][..]),
        (&[("ALL_PROXY", nowhere), ("no_proxy", "127.0.0.0/8")], &["--proxy-env"]),
        (&[("HTTP_PROXY", nowhere)], &[]),
        (&[("HTTP_PROXY", nowhere), ("REQUEST_METHOD", "GET")], &["--proxy-env"]),
    ] {
        let arguments = [arguments, &["--selfcheck", &server.url]].concat();
        let ended = run_with(variables, &arguments);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{variables:?}");
    }
    let ended = run_with(&[("HTTP_PROXY", nowhere)], &["--proxy-env", "--echo", &server.url]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(nowhere), "{ended:?}");
}

#[test]
fn a_proxy_that_refuses_is_named_and_its_password_is_not() {
    let address = proxy("HTTP/1.1 403 Not here\r\nContent-Length: 0\r\n\r\n", "CONNECT");
    let url = format!("http://user:secret@{address}");
    let ended = run("client", &["--proxy", &url, "ws://127.0.0.1:1/"]);
    assert_eq!(ended.code, Some(1));
    let said = &ended.stderr;
    assert!(said.contains(&address) && said.contains("403 Not here"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn wrong_proxies_are_named_without_their_passwords() {
    for (arguments, named) in [
        (&["--proxy", "http://user:secret@h/path"][..], "--proxy: "),
        (&["--proxy", "p", "--proxy", "q"], "--proxy-env"),
        (&["--proxy-env", "--proxy", "p"], "--proxy-env"),
    ] {
        let arguments = [arguments, &["ws://127.0.0.1/"]].concat();
        refuses("client", &arguments, named);
        assert!(!run("client", &arguments).stderr.contains("secret"));
    }
    let ended =
        run_with(&[("https_proxy", "http://user:secret@h/path")], &["--proxy-env", "ws://h/"]);
    assert_eq!(ended.code, Some(2));
    let said = &ended.stderr;
    assert!(said.contains("https_proxy") && !said.contains("secret"), "{said}");
}
