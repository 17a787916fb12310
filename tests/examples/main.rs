//! The examples as programs: what they print, how they end, and what is on the wire.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod client;
mod echo_server;
mod event_loop;
mod program;
#[cfg(feature = "proxy-env")]
mod proxy;
#[cfg(all(unix, feature = "proxy-protocol"))]
mod service;
#[cfg(feature = "web")]
mod web;

use std::io::Write;
use std::net::Shutdown;

use program::{EchoServer, clean, has_help, refuses, rest, run, serve};
use sansock::{CloseCode, Event, Message};

#[test]
fn each_has_help() {
    let options: [(&str, &[&str]); 5] = [
        (
            "echo_server",
            &["[ADDR]", "--max-message", "--handshake-timeout", "--subprotocol", "--cert", "--key"],
        ),
        (
            "client",
            &[
                "URL",
                "--subprotocol",
                "--header",
                "--ping",
                "--proxy URL",
                "--proxy-env",
                "NO_PROXY",
                "--follow",
                "--reconnect",
                "--ca",
                "--echo",
                "--selfcheck",
            ],
        ),
        ("event_loop", &["[ADDR]"]),
        ("autobahn_client", &["URL", "--agent"]),
        ("two_threads", &["[URL]"]),
    ];
    for (name, words) in options {
        has_help(name, words);
    }
}

#[test]
fn wrong_arguments_are_named_and_end_with_2() {
    let wrong: [(&str, &[&str], &str); 34] = [
        ("echo_server", &["--nonsense"], "--nonsense"),
        ("echo_server", &["nonsense"], "\"nonsense\" is not HOST:PORT"),
        ("echo_server", &["127.0.0.1:65536"], "127.0.0.1:65536"),
        ("echo_server", &[":0"], "\":0\" is not HOST:PORT"),
        ("echo_server", &["127.0.0.1:0", "127.0.0.2:0"], "127.0.0.2:0"),
        ("echo_server", &["--max-message"], "--max-message"),
        ("echo_server", &["--max-message", "1x"], "\"1x\" should be a whole number"),
        ("echo_server", &["--handshake-timeout", "0"], "--handshake-timeout"),
        ("echo_server", &["--subprotocol", ","], "--subprotocol"),
        ("echo_server", &["--cert", "cert.pem"], "--key"),
        ("echo_server", &["--key", "key.pem"], "--cert"),
        ("event_loop", &["nonsense"], "\"nonsense\" is not HOST:PORT"),
        ("event_loop", &["127.0.0.1:0", "--nonsense"], "--nonsense"),
        ("client", &[], "URL"),
        ("client", &["--ca"], "--ca"),
        ("client", &["http://127.0.0.1/"], "http://127.0.0.1/"),
        ("client", &["ws://127.0.0.1/#fragment"], "fragment"),
        ("client", &["ws://127.0.0.1/", "more"], "more"),
        ("client", &["ws://127.0.0.1/", "--nonsense"], "--nonsense"),
        ("client", &["ws://127.0.0.1/", "--echo", "--selfcheck"], "--selfcheck"),
        ("client", &["ws://127.0.0.1/", "--header", "X-Nothing"], "X-Nothing"),
        ("client", &["ws://127.0.0.1/", "--header", "Upgrade: h2c"], "Upgrade"),
        ("client", &["ws://127.0.0.1/", "--subprotocol", "a b"], "a b"),
        ("client", &["ws://127.0.0.1/", "--ping", "often"], "--ping"),
        ("client", &["ws://127.0.0.1/", "--proxy"], "--proxy"),
        ("client", &["ws://127.0.0.1/", "--proxy", "ftp://p"], "--proxy"),
        ("client", &["ws://127.0.0.1/", "--follow", "-1"], "--follow"),
        ("client", &["ws://127.0.0.1/", "--follow"], "--follow"),
        ("client", &["ws://127.0.0.1/", "--selfcheck", "--reconnect"], "--reconnect"),
        ("autobahn_client", &[], "URL"),
        ("autobahn_client", &["127.0.0.1:9001"], "127.0.0.1:9001"),
        ("autobahn_client", &["ws://127.0.0.1/", "--nonsense"], "--nonsense"),
        ("two_threads", &["--messages", "many"], "--messages"),
        ("two_threads", &["--", "--help"], "--help"),
    ];
    for (name, arguments, named) in wrong {
        refuses(name, arguments, named);
    }
}

#[test]
fn a_taken_port_is_named() {
    let server = EchoServer::start(&[]);
    for name in ["echo_server", "event_loop"] {
        let ended = run(name, &[&server.address]);
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""));
        let named = format!("cannot listen on {}", server.address);
        assert!(ended.stderr.contains(&named), "{ended:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let server = EchoServer::start(&[]);
    let (url, address) = (server.url.clone(), server.address.clone());
    drop(server);
    for arguments in [&[&*url][..], &["--echo", &url], &["--selfcheck", &url]] {
        let ended = run("client", arguments);
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""));
        assert!(ended.stderr.contains(&address), "{ended:?}");
    }
}

#[test]
fn two_threads_count_all_echoes() {
    let server = EchoServer::start(&[]);
    for url in [None, Some(&*server.url)] {
        let arguments: Vec<&str> = ["--messages", "20000"].into_iter().chain(url).collect();
        let ended = run("two_threads", &arguments);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
        assert!(ended.stdout.contains("20000 echoes"), "{ended:?}");
    }
}

#[test]
fn the_autobahn_client_plays_every_case_and_asks_for_the_reports() {
    let (url, served) = serve(|incoming| {
        let target = incoming.request().target().to_owned();
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
    // The server's threads may end in another order than the client's cases.
    let mut targets: Vec<_> = (0..5).map(|_| served.recv().unwrap().unwrap()).collect();
    targets.sort_unstable();
    assert_eq!(
        targets,
        [
            "/getCaseCount",
            "/runCase?case=1&agent=a%20b",
            "/runCase?case=2&agent=a%20b",
            "/runCase?case=3&agent=a%20b",
            "/updateReports?agent=a%20b",
        ]
    );
}
