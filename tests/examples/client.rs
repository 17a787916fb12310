//! The client for the terminal, its echo and its selfcheck.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};

use sansock::handshake::{Answer, Rejection};
use sansock::net::{Error, WebSocket};
use sansock::{CloseCode, Event, Message};

use crate::program::{EchoServer, Running, clean, example, rest, run, serve};

#[test]
fn the_selfcheck_passes_the_echo_server() {
    let server = EchoServer::start(&["--max-message", "1048576"]);
    let ended = run("client", &["--selfcheck", &server.url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

#[test]
fn the_selfcheck_says_what_a_server_does_wrong() {
    type Fault = fn(&mut WebSocket) -> Result<(), Error>;
    let faults: [(Fault, &str); 4] = [
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
        (|socket| socket.get_ref().abort().map_err(Error::Io), "1006"),
    ];
    for (fault, said) in faults {
        let (url, _served) = serve(move |incoming| fault(&mut incoming.accept()?));
        let ended = run("client", &["--selfcheck", &url]);
        assert_eq!(ended.code, Some(1), "{said}: {ended:?}");
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
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
        let abrupt = incoming.request().path() == "/abrupt";
        let mut socket = incoming.accept()?;
        let bytes = vec![0xff; 70_000];
        for message in [Message::Text("w\u{f6}rld"), Message::Binary(&bytes)] {
            socket.send(message)?;
            assert_eq!(socket.next_event()?, Some(Event::Message(message)));
        }
        if abrupt {
            socket.abort()?;
            return Ok(None);
        }
        socket.close(CloseCode::GOING_AWAY, "")?;
        Ok(socket.outcome().cloned())
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
        let request = incoming.request();
        assert_eq!(request.headers().get_str("Cookie"), Some("session=1"));
        assert_eq!(request.headers().get_str("X-Other"), Some("a: b"));
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

#[cfg(feature = "redirects")]
#[test]
fn the_client_follows_as_many_redirects_as_it_is_told() {
    use sansock::handshake::Rejection;

    let (url, _served) = serve(|incoming| match incoming.request().path() {
        "/end" => incoming.accept()?.close(CloseCode::NORMAL, "here").map(Some),
        _ => incoming.reject(&Rejection::new(302).header("Location", "/end")).map(|()| None),
    });
    let ended = run("client", &["--follow", "1", &url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert!(ended.stdout.contains("close: 1000 here"), "{ended:?}");
    for (arguments, text) in
        [(&["--follow", "0", &url][..], "more than 0 redirects"), (&[&*url], "302")]
    {
        let ended = run("client", arguments);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(text), "{ended:?}");
    }
}

#[cfg(feature = "reconnect")]
#[test]
fn the_client_connects_again_and_lines_wait_for_it() {
    use std::sync::atomic::{AtomicU32, Ordering};

    let connections = AtomicU32::new(0);
    let (url, served) = serve(move |incoming| {
        let mut socket = incoming.accept()?;
        if connections.fetch_add(1, Ordering::Relaxed) == 0 {
            socket.close(CloseCode::GOING_AWAY, "")?;
            return Ok((Vec::new(), None));
        }
        Ok(rest(&mut socket))
    });
    let (program, mut input, mut output) = interactive(&["--reconnect", &url]);
    assert_eq!(line(&mut output), "open");
    assert_eq!(line(&mut output), "close: 1001 ");
    served.recv().unwrap().unwrap();
    input.write_all(b"one\n").unwrap();
    assert_eq!(line(&mut output), "open");
    input.write_all(b"two\n").unwrap();
    drop(input);
    let (lines, outcome) = served.recv().unwrap().unwrap();
    assert_eq!(outcome, Some(clean(CloseCode::NORMAL)), "the end of the input closes");
    assert!(lines.ends_with(&["two".to_owned()]), "{lines:?}");
    assert_eq!(line(&mut output), "close: 1000 ");
    let ended = program.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("ended with 1001; the next attempt is in"), "{ended:?}");

    // Each connection echoes.
    let connections = AtomicU32::new(0);
    let (url, served) = serve(move |incoming| {
        let mut socket = incoming.accept()?;
        socket.send("x")?;
        assert_eq!(socket.next_event()?, Some(Event::Message(Message::Text("x"))));
        let codes = [CloseCode::GOING_AWAY, CloseCode::NORMAL];
        socket.close(codes[connections.fetch_add(1, Ordering::Relaxed) as usize], "")
    });
    let ended = run("client", &["--echo", "--reconnect", &url]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(served.try_iter().count(), 2);
}

#[test]
fn a_server_that_refuses_says_why() {
    let (url, _) = serve(|incoming| {
        let rejection = match incoming.request().path() {
            "/page" => Rejection::new(404).header("Content-Type", "text/html").body("<p>no</p>"),
            _ => Rejection::new(400).body("rooms are \u{1b}[31mcolourless\nmore"),
        };
        incoming.reject(&rejection)?;
        Ok(())
    });
    let ended = run("client", &[&url]);
    assert_eq!(ended.code, Some(1));
    let why = "answered 400 Bad Request: rooms are \\u{1b}[31mcolourless\n";
    assert!(ended.stderr.ends_with(why), "{ended:?}");

    let ended = run("client", &[&format!("{url}page")]);
    assert!(ended.stderr.ends_with("answered 404 Not Found\n"), "{ended:?}");
}
