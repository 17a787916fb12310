//! How the echo server treats its clients.

use std::time::{Duration, Instant};

use sansock::net::{Client, WebSocket, client};
use sansock::{CloseCode, Event, Message};

use crate::program::{EchoServer, TIMEOUT, clean, rest};

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
        assert_eq!(socket.outcome(), Some(&clean(CloseCode::NORMAL)), "{path}");
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
    socket.send(bytes).unwrap();
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
fn a_silent_client_times_out() {
    let server = EchoServer::start(&["--handshake-timeout", "1"]);
    let start = Instant::now();
    let answer = server.answer(b"GET / HTTP/1.1\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
    let took = start.elapsed();
    assert!((Duration::from_millis(900)..TIMEOUT / 3).contains(&took), "{took:?}");
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
        // The sockets still exist; the server has not waited for them.
        assert!(start.elapsed() < Duration::from_secs(5), "{signal}: {:?}", start.elapsed());
    }
}
