//! Programs with an event loop of their own: nothing changes until they take an event, "queue a
//! task" as the standard has it.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use sansock::web::{Events, ReadyState, WebSocket};
use sansock::{CloseCode, Config, Limits};

use super::server::{Results, TIMEOUT, describe, serve, silent, until};

/// What sends one item for each task that was queued.
fn wakes() -> (impl Fn() + Send + Sync + 'static, Receiver<()>) {
    let (sender, woken) = mpsc::channel();
    let wake = move || {
        let _ = sender.send(());
    };
    (wake, woken)
}

/// A socket, its events, and one item for each task that was queued.
pub(crate) fn connect(url: &str) -> (WebSocket, Events, Receiver<()>) {
    let (wake, woken) = wakes();
    let socket = WebSocket::builder(url).unwrap().event_loop(wake).open().unwrap();
    let events = socket.events();
    (socket, events, woken)
}

/// Waits until so many tasks were queued.
pub(crate) fn tasks(woken: &Receiver<()>, count: usize) {
    (0..count).for_each(|_| woken.recv_timeout(TIMEOUT).unwrap());
}

/// The next event, as text, with the state that it leaves.
pub(crate) fn taken(socket: &WebSocket, events: &Events) -> String {
    let event = events.recv_timeout(TIMEOUT).unwrap();
    format!("{} {}", socket.ready_state() as u16, describe(&event))
}

/// A server that sends messages after the handshake, and then waits for the end, whose code it
/// returns.
pub(crate) fn sends(messages: &'static [&'static str]) -> (String, Results<u16>) {
    serve(move |incoming| {
        let mut socket = incoming.accept()?;
        for message in messages {
            socket.send(*message)?;
        }
        while socket.next_event()?.is_some() {}
        Ok(socket.outcome().unwrap().code())
    })
}

/// A server that counts the bytes of messages up to so many, tells so, and goes on.
fn counts(bytes: usize) -> (String, Receiver<()>) {
    let (sender, counted) = mpsc::channel();
    let (url, _) = serve(move |incoming| {
        let (mut socket, mut left) = (incoming.accept()?, bytes);
        while let Some(event) = socket.next_event()? {
            if let sansock::Event::Message(message) = event {
                left -= message.len();
                if left == 0 {
                    let _ = sender.send(());
                }
            }
        }
        Ok(())
    });
    (url, counted)
}

/// A server that sends a Close frame at once, and ends the transport when it is told to.
fn closes() -> (String, Sender<()>) {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let (url, _) = serve(move |incoming| {
        let mut socket = incoming.accept()?;
        socket.get_mut().write_all(b"\x88\x02\x03\xe8")?;
        let _ = ended.lock().unwrap().recv_timeout(TIMEOUT);
        Ok(())
    });
    (url, end)
}

#[test]
fn the_state_changes_with_each_event_that_is_taken() {
    let (url, _) = serve(|incoming| {
        let mut socket =
            incoming.accept_with(&sansock::handshake::Answer::new().subprotocol("b"))?;
        socket.send("one")?;
        socket.send("two")?;
        socket.close(CloseCode::NORMAL, "")
    });
    let (wake, woken) = wakes();
    let builder = WebSocket::builder(&url).unwrap().protocols(["a", "b"]);
    let socket = builder.event_loop(wake).open().unwrap();
    // open, two messages, closing, close: all of it has happened.
    tasks(&woken, 5);
    thread::sleep(Duration::from_millis(20));
    assert_eq!((socket.ready_state(), &*socket.protocol()), (ReadyState::Connecting, ""));
    assert!(socket.send("too early").is_err());
    let events = socket.events();
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    assert_eq!(taken(&socket, &events), "1 open");
    assert_eq!(&*socket.protocol(), "b");
    assert_eq!(taken(&socket, &events), "1 text one");
    assert_eq!(taken(&socket, &events), "1 text two");
    thread::sleep(Duration::from_millis(20));
    assert_eq!(socket.ready_state(), ReadyState::Open);
    assert_eq!(taken(&socket, &events), "3 close true 1000");
    assert!(events.recv().is_none() && events.try_recv().is_none());
    assert_eq!(woken.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[test]
fn closing_by_the_server_is_seen_in_the_next_turn() {
    let (url, end) = closes();
    let (socket, events, woken) = connect(&url);
    tasks(&woken, 2);
    assert_eq!(taken(&socket, &events), "1 open");
    assert_eq!(socket.ready_state(), ReadyState::Open);
    // "change the ready state to CLOSING (2)" fires no event.
    assert!(events.try_recv().is_none());
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    end.send(()).unwrap();
    tasks(&woken, 1);
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    assert_eq!(taken(&socket, &events), "3 close true 1000");
}

#[test]
fn a_failure_is_not_seen_before_its_error_event() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        Ok(socket.get_mut().write_all(b"\xc1\x00")?)
    });
    let (socket, events, woken) = connect(&url);
    assert_eq!(taken(&socket, &events), "1 open");
    tasks(&woken, 3);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    // The connection is over, but this is not known yet.
    socket.send("lost").unwrap();
    assert_eq!(socket.buffered_amount(), 4);
    // Both belong to one task.
    assert!(taken(&socket, &events).starts_with("3 error reserved bits"));
    assert_eq!(socket.buffered_amount(), 4);
    assert_eq!(taken(&socket, &events), "3 close false 1006");
    assert_eq!(socket.buffered_amount(), 4);
}

#[test]
fn buffered_amount_falls_between_turns_only() {
    let (url, counted) = counts(3_000_000);
    let (socket, events, _woken) = connect(&url);
    assert_eq!(taken(&socket, &events), "1 open");
    for count in 1..=3 {
        socket.send(vec![0; 1_000_000]).unwrap();
        assert_eq!(socket.buffered_amount(), count * 1_000_000);
    }
    // The network has taken all of it.
    counted.recv_timeout(TIMEOUT).unwrap();
    thread::sleep(Duration::from_millis(20));
    socket.send("abc").unwrap();
    assert_eq!(socket.buffered_amount(), 3_000_003);
    // A turn without an event is one too, such as that of a timer.
    until("taken", || {
        assert!(events.try_recv().is_none());
        socket.buffered_amount() == 0
    });
    socket.send("abc").unwrap();
    assert_eq!(socket.buffered_amount(), 3);
}

#[test]
fn after_close_buffered_amount_only_rises() {
    let (url, codes) = sends(&[]);
    let (socket, events, woken) = connect(&url);
    assert_eq!(taken(&socket, &events), "1 open");
    socket.send("sent").unwrap();
    socket.close();
    socket.send("lost").unwrap();
    assert_eq!(socket.buffered_amount(), 8);
    assert_eq!(codes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1005);
    tasks(&woken, 3);
    assert_eq!((socket.ready_state(), socket.buffered_amount()), (ReadyState::Closing, 8));
    assert_eq!(taken(&socket, &events), "3 close true 1005");
    assert_eq!(socket.buffered_amount(), 4);
    socket.send("lost").unwrap();
    assert!(events.try_recv().is_none());
    assert_eq!((socket.ready_state(), socket.buffered_amount()), (ReadyState::Closed, 8));
}

#[test]
fn a_message_that_waits_behind_close_is_not_delivered() {
    let (url, _) = sends(&["one", "two", "three"]);
    let (socket, events, woken) = connect(&url);
    tasks(&woken, 4);
    assert_eq!(taken(&socket, &events), "1 open");
    assert_eq!(taken(&socket, &events), "1 text one");
    socket.close_with(3000, "").unwrap();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    assert_eq!(taken(&socket, &events), "3 close true 3000");
}

/// "flag the WebSocket as full and then close the WebSocket connection", whose task comes behind
/// those that wait.
#[test]
fn a_socket_that_is_full_is_open_until_its_error_event() {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let (url, _) = serve(move |incoming| {
        let mut socket = incoming.accept()?;
        socket.send("Hello")?;
        let _ = ended.lock().unwrap().recv_timeout(TIMEOUT);
        Ok(())
    });
    let (wake, woken) = wakes();
    let config = Config::new().limits(Limits::new().buffered(1 << 20));
    let builder = WebSocket::builder(&url).unwrap().config(config);
    let socket = builder.event_loop(wake).open().unwrap();
    let events = socket.events();
    assert_eq!(taken(&socket, &events), "1 open");
    tasks(&woken, 2);
    let (data, mut sent) = (vec![0; 300_000], 0);
    while woken.try_recv().is_err() {
        socket.send(&data).unwrap();
        sent += 300_000;
        assert_eq!((socket.ready_state(), socket.buffered_amount()), (ReadyState::Open, sent));
    }
    assert_eq!(taken(&socket, &events), "1 text Hello");
    let error = taken(&socket, &events);
    assert!(error.starts_with("3 error ") && error.contains("Limits::buffered"), "{error}");
    let left = socket.buffered_amount();
    assert!((300_000..=sent).contains(&left), "{left}");
    assert_eq!(taken(&socket, &events), "3 close false 1006");
    assert_eq!(socket.buffered_amount(), left);
    drop(end);
}

#[test]
fn close_before_the_open_event_starts_the_closing_handshake_if_the_connection_is_established() {
    let (url, codes) = sends(&["Hello"]);
    let (socket, events, woken) = connect(&url);
    tasks(&woken, 2);
    socket.close_with(3001, "").unwrap();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    assert_eq!(codes.recv_timeout(TIMEOUT).unwrap().unwrap(), 3001);
    // As in browsers, there is no `open` after close().
    assert_eq!(taken(&socket, &events), "3 close true 3001");

    let (socket, events, _woken) = connect(&silent());
    socket.close();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    assert!(taken(&socket, &events).starts_with("3 error closed before the connection was"));
    assert_eq!(taken(&socket, &events), "3 close false 1006");
}
