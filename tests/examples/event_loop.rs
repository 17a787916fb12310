//! How the event loop treats its clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sansock::net::client;
use sansock::{CloseCode, Event, Message};

use crate::program::{Running, TIMEOUT, clean, example, rest, run};

struct EventLoop {
    #[cfg_attr(not(unix), expect(dead_code, reason = "held until the test ends"))]
    program: Running,
    address: String,
    url: String,
}

fn start() -> EventLoop {
    let mut program = Running::start(example("event_loop").arg("127.0.0.1:0"));
    let mut output = BufReader::new(program.child().stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let address = url["ws://".len()..].trim_end_matches('/').to_owned();
    EventLoop { program, address, url }
}

#[test]
fn the_selfcheck_passes_the_event_loop() {
    let server = start();
    let ended = run("client", &["--selfcheck", &server.url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

#[test]
fn a_request_that_is_wrong_gets_its_answer_and_the_end() {
    let server = start();
    for (request, status) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "HTTP/1.1 426 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "),
        (b"\x16\x03\x01", "HTTP/1.1 400 "),
    ] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(status), "{answer}");
    }
}

#[test]
fn a_violation_is_told_even_to_a_client_that_still_sends() {
    let server = start();
    let mut socket = client::connect(&server.url).unwrap();
    // An unmasked frame, and many bytes after it.
    socket.get_mut().write_all(b"\x81\x01x").unwrap();
    socket.get_mut().write_all(&vec![0; 1 << 20]).unwrap();
    assert_eq!(rest(&mut socket).1, Some(clean(CloseCode::PROTOCOL_ERROR)));
}

#[test]
fn a_client_that_does_not_read_stops_being_read_and_loses_nothing() {
    let server = start();
    let (mut reader, writer) = client::connect(&server.url).unwrap().split().unwrap();
    let payload = vec![7; 1 << 20];
    let sending = std::thread::spawn(move || {
        for _ in 0..32 {
            writer.send(&payload).unwrap();
        }
        writer.start_close(CloseCode::NORMAL, "").unwrap();
    });
    // Until then the server cannot write.
    std::thread::sleep(Duration::from_millis(300));
    let other = run("client", &["--selfcheck", &server.url]);
    assert_eq!((other.code, &*other.stderr), (Some(0), ""));
    let mut received = 0;
    while let Some(event) = reader.next_event().unwrap() {
        if let Event::Message(Message::Binary(bytes)) = event {
            assert!(bytes.len() == 1 << 20 && bytes.iter().all(|&byte| byte == 7));
            received += 1;
        }
    }
    sending.join().unwrap();
    assert_eq!(received, 32);
}

#[cfg(unix)]
#[test]
fn signals_close_every_connection_with_1001_and_end_the_loop() {
    for signal in ["-INT", "-TERM"] {
        let mut server = start();
        let mut sockets: Vec<_> = (0..3).map(|_| client::connect(&server.url).unwrap()).collect();
        let begun = Instant::now();
        server.program.signal(signal);
        for socket in &mut sockets {
            assert_eq!(rest(socket).1, Some(clean(CloseCode::GOING_AWAY)), "{signal}");
        }
        assert_eq!(server.program.end().code, Some(0), "{signal}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{signal}");
    }
}
