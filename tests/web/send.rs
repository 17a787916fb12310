//! "The send(data) method steps are:", and `bufferedAmount`.

use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sansock::web::{Data, Error, Event, ReadyState, WebSocket};
use sansock::{Config, Limits, Message};

use super::server::{Results, TIMEOUT, echo, open, serve, silent, until, watch};

/// A server that reads on request, and counts the bytes of the payloads.
fn reads_when_told() -> (String, mpsc::Sender<()>, Results<usize>) {
    let (tell, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let (url, counts) = serve(move |incoming| {
        let mut socket = incoming.accept()?;
        let _ = told.lock().unwrap().recv_timeout(TIMEOUT);
        let mut bytes = 0;
        while let Some(event) = socket.next_event()? {
            if let sansock::Event::Message(message) = event {
                bytes += message.len();
            }
        }
        Ok(bytes)
    });
    (url, tell, counts)
}

#[test]
fn in_connecting_it_throws_an_invalid_state_error() {
    let socket = WebSocket::new(&silent()).unwrap();
    let error = socket.send("too early").unwrap_err();
    assert!(matches!(error, Error::InvalidState));
    assert_eq!(error.name(), "InvalidStateError");
    assert_eq!(socket.buffered_amount(), 0);
}

#[test]
fn text_and_binary_arrive_as_such() {
    let socket = open(&echo());
    let events = socket.events();
    for message in [
        Message::Text("Gr\u{fc}\u{df}e"),
        Message::Text(""),
        Message::Binary(&[0, 159, 146]),
        Message::Binary(&[]),
    ] {
        socket.send(message).unwrap();
        let event = loop {
            match events.recv() {
                Some(Event::Message(event)) => break event,
                Some(Event::Open(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(event.data.as_message(), message);
        // A received message can be sent unchanged.
        socket.send(&event.data).unwrap();
        let Some(Event::Message(event)) = events.recv() else { panic!("no answer") };
        assert_eq!(event.data.as_message(), message);
    }
}

#[test]
fn it_does_not_wait_and_buffered_amount_falls_as_the_network_takes_the_data() {
    let (url, tell, counts) = reads_when_told();
    let socket = open(&url);
    let data = vec![7; 4 << 20];
    let start = Instant::now();
    for _ in 0..4 {
        socket.send(&data).unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(10));
    let all = 4 * data.len() as u64;
    let waits = socket.buffered_amount();
    assert!(waits > 0 && waits <= all, "{waits}");
    tell.send(()).unwrap();
    // It falls in steps, not at the end of a message only.
    let mut seen = Vec::new();
    let until = Instant::now() + TIMEOUT;
    while socket.buffered_amount() > 0 {
        assert!(Instant::now() < until);
        seen.push(socket.buffered_amount());
    }
    assert!(seen.is_sorted_by(|a, b| a >= b));
    socket.close();
    assert_eq!(counts.recv_timeout(TIMEOUT).unwrap().unwrap(), 4 * data.len());
    assert_eq!(socket.buffered_amount(), 0);
}

#[test]
fn buffered_amount_counts_utf_8_bytes_without_framing() {
    let (url, tell, _counts) = reads_when_told();
    let socket = open(&url);
    // More than the network takes while the server does not read.
    socket.send(vec![0; 32 << 20]).unwrap();
    let mut full = 0;
    until("nothing more is taken", || {
        let before = socket.buffered_amount();
        thread::sleep(Duration::from_millis(500));
        full = socket.buffered_amount();
        full == before
    });
    for (text, bytes) in [("a", 1), ("\u{e9}", 2), ("\u{20ac}", 3), ("\u{1f600}", 4), ("", 0)] {
        socket.send(text).unwrap();
        full += bytes;
        assert_eq!(socket.buffered_amount(), full, "{text}");
    }
    drop(tell);
}

#[test]
fn a_program_that_sends_only_below_a_threshold_keeps_to_it() {
    let (url, tell, counts) = reads_when_told();
    tell.send(()).unwrap();
    let socket = open(&url);
    let data = vec![1; 10_000];
    for _ in 0..1000 {
        until("below the threshold", || socket.buffered_amount() < 50_000);
        socket.send(&data).unwrap();
        assert!(socket.buffered_amount() <= 60_000);
    }
    socket.close();
    assert_eq!(counts.recv_timeout(TIMEOUT).unwrap().unwrap(), 10_000_000);
}

#[test]
fn after_close_the_data_is_dropped_and_stays_counted() {
    let socket = open(&echo());
    socket.close();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    socket.send("lost").unwrap();
    assert_eq!(socket.buffered_amount(), 4);
    socket.wait();
    socket.send([0; 6]).unwrap();
    assert_eq!((socket.ready_state(), socket.buffered_amount()), (ReadyState::Closed, 10));
}

#[test]
fn what_was_sent_before_close_arrives() {
    let (url, tell, counts) = reads_when_told();
    let socket = open(&url);
    socket.send(vec![0; 8 << 20]).unwrap();
    socket.close();
    tell.send(()).unwrap();
    assert_eq!(counts.recv_timeout(TIMEOUT).unwrap().unwrap(), 8 << 20);
    assert!(socket.wait().unwrap().was_clean);
}

#[test]
fn a_buffer_that_is_full_flags_the_socket_as_full_and_closes_it() {
    let (url, _tell, _counts) = reads_when_told();
    let config = Config::new().limits(Limits::new().buffered(1 << 20));
    let socket = WebSocket::builder(&url).unwrap().config(config).open().unwrap();
    until("open", || socket.ready_state() == ReadyState::Open);
    let events = watch(&socket);
    assert_eq!(events.recv_timeout(TIMEOUT).unwrap(), "1 open");
    let (data, mut sent) = (vec![0; 300_000], 0);
    while socket.ready_state() == ReadyState::Open {
        socket.send(&data).unwrap();
        sent += 300_000;
        assert!(sent < 1 << 30);
    }
    let error = events.recv_timeout(TIMEOUT).unwrap();
    assert!(error.contains("Limits::buffered"), "{error}");
    assert_eq!(events.recv_timeout(TIMEOUT).unwrap(), "3 close false 1006");
    // Bytes that were not transmitted stay counted.
    assert!((300_000..=sent).contains(&socket.buffered_amount()));
}

#[test]
fn data_is_shown_as_its_text_or_as_a_number_of_bytes() {
    assert_eq!(Data::from(Message::Text("Hello")).to_string(), "Hello");
    assert_eq!(Data::from(Message::Binary(&[1, 2])).to_string(), "2 bytes");
}
