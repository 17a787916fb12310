//! "The close(code, reason) method steps are:"

use std::time::{Duration, Instant};

use sansock::web::{Error, ReadyState, SyntaxError, WebSocket};
use sansock::{Close, CloseCode, Event};

use super::server::{Results, TIMEOUT, all, echo, open, serve, silent, watch};

/// A server that returns the Close frame it gets: code (0 for none) and reason.
fn tells() -> (String, Results<(u16, String)>) {
    serve(|incoming| {
        let mut socket = incoming.accept()?;
        let mut seen = None;
        while let Some(event) = socket.next_event()? {
            if let Event::Close(Close { code, reason }) = event {
                seen = Some((code.map_or(0, CloseCode::get), reason.to_owned()));
            }
        }
        Ok(seen.unwrap())
    })
}

#[test]
fn a_code_that_is_neither_1000_nor_3000_to_4999_throws_an_invalid_access_error() {
    let socket = WebSocket::new(&silent()).unwrap();
    for code in [0, 999, 1001, 1002, 1005, 1006, 1011, 1015, 2999, 5000, 65535] {
        let error = socket.close_with(code, "").unwrap_err();
        assert!(matches!(error, Error::InvalidAccess(it) if it == code), "{code}: {error}");
        assert_eq!(error.name(), "InvalidAccessError");
    }
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
}

#[test]
fn a_reason_above_123_bytes_throws_a_syntax_error() {
    let socket = open(&echo());
    for reason in ["x".repeat(124), "\u{e9}".repeat(62)] {
        let error = socket.close_with(1000, &reason).unwrap_err();
        assert!(matches!(error, Error::Syntax(SyntaxError::Reason(124))), "{error}");
    }
    assert_eq!(socket.ready_state(), ReadyState::Open);
    // Both are checked in every state.
    socket.close();
    socket.wait();
    assert!(socket.close_with(1001, "").is_err());
    assert!(socket.close_with(1000, &"x".repeat(124)).is_err());
}

#[test]
fn the_close_message_has_code_and_reason_and_no_body_without_them() {
    for (code, reason) in
        [(1000, ""), (1000, "done"), (3000, "\u{20ac}uro"), (4999, &*"x".repeat(123))]
    {
        let (url, closes) = tells();
        let socket = open(&url);
        socket.close_with(code, reason).unwrap();
        assert_eq!(closes.recv_timeout(TIMEOUT).unwrap().unwrap(), (code, reason.into()));
        // The server echoes the code, so this is what comes back.
        let close = socket.wait().unwrap();
        assert_eq!((close.was_clean, close.code, &*close.reason), (true, code, ""));
    }
    let (url, closes) = tells();
    let socket = open(&url);
    socket.close();
    assert_eq!(closes.recv_timeout(TIMEOUT).unwrap().unwrap(), (0, String::new()));
    let close = socket.wait().unwrap();
    assert_eq!((close.was_clean, close.code), (true, 1005));
}

#[test]
fn not_yet_established_fails_the_connection_and_sets_closing() {
    let socket = WebSocket::new(&silent()).unwrap();
    let events = watch(&socket);
    let start = Instant::now();
    socket.close();
    let expected = ["3 error closed before the connection was established", "3 close false 1006"];
    assert_eq!(all(&events), expected);
    // It does not wait for the server.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// "set this's ready state to CLOSING (2)": CLOSED comes with the task of the close event.
#[test]
fn not_yet_established_is_closing_before_it_is_closed() {
    let url = silent();
    // Another thread runs the task, and may be faster than this one now and then.
    let closing = (0..50).filter(|_| {
        let socket = WebSocket::new(&url).unwrap();
        socket.close();
        let state = socket.ready_state();
        assert!(matches!(state, ReadyState::Closing | ReadyState::Closed));
        assert_eq!(socket.wait().unwrap().code, 1006);
        assert_eq!(socket.ready_state(), ReadyState::Closed);
        state == ReadyState::Closing
    });
    assert!(closing.count() > 25);
}

#[test]
fn not_yet_connected_fails_the_connection_too() {
    // 192.0.2.0/24 is for documentation: there is no answer, or an error of the network at once.
    let socket = WebSocket::new("ws://192.0.2.1:9001/").unwrap();
    let start = Instant::now();
    socket.close();
    assert!(matches!(socket.ready_state(), ReadyState::Closing | ReadyState::Closed));
    let close = socket.wait().unwrap();
    assert_eq!((close.was_clean, close.code), (false, 1006));
    drop(socket);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn closing_or_closed_does_nothing() {
    let (url, closes) = tells();
    let socket = open(&url);
    let events = watch(&socket);
    assert_eq!(events.recv_timeout(TIMEOUT).unwrap(), "1 open");
    socket.close_with(3001, "first").unwrap();
    socket.close_with(3002, "second").unwrap();
    socket.close();
    assert_eq!(closes.recv_timeout(TIMEOUT).unwrap().unwrap(), (3001, "first".into()));
    assert_eq!(all(&events), ["3 close true 3001"]);
    socket.close_with(3003, "third").unwrap();
    socket.close();
    assert_eq!(socket.ready_state(), ReadyState::Closed);
}

#[test]
fn if_ready_state_is_not_open_a_message_is_not_fired() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        socket.send("before")?;
        // It has closed when this arrives.
        while let Some((event, outgoing)) = socket.exchange()? {
            if event == Event::Message(sansock::Message::Text("now")) {
                outgoing.send("after")?;
                outgoing.send("after")?;
            }
        }
        Ok(())
    });
    let socket = WebSocket::new(&url).unwrap();
    let events = watch(&socket);
    socket.on_message(|socket, _| {
        socket.send("now").unwrap();
        socket.close();
    });
    assert_eq!(all(&events), ["1 open", "1 text before", "3 close true 1005"]);
}
