//! The turns of a program's event loop: handlers, several sockets, and what waits for a turn.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use sansock::net::Error;
use sansock::web::{Event, EventKind, ReadyState, WebSocket};

use super::event_loop::{connect, sends, taken, tasks};
use super::server::{TIMEOUT, describe, echo, serve};

#[test]
fn handlers_run_in_the_turn_of_their_event_and_on_its_thread() {
    let (url, _) = sends(&["Hello"]);
    let (socket, events, woken) = connect(&url);
    let (sender, seen) = mpsc::channel::<(String, ThreadId)>();
    for kind in [EventKind::Open, EventKind::Close] {
        let sender = sender.clone();
        socket.add_event_listener(kind, move |socket, event| {
            let text = format!("{} {}", socket.ready_state() as u16, describe(event));
            let _ = sender.send((text, thread::current().id()));
        });
    }
    let me = thread::current().id();
    tasks(&woken, 2);
    assert!(seen.try_recv().is_err());
    assert!(matches!(events.try_recv(), Some(Event::Open(_))));
    assert_eq!(seen.try_recv().unwrap(), ("1 open".into(), me));
    assert_eq!(taken(&socket, &events), "1 text Hello");
    // As in a page: an event that was fired is over.
    socket.on_message(|_, _| panic!("it is set too late"));
    socket.close();
    // Waiting is a loop too.
    assert_eq!(socket.wait().unwrap().code, 1005);
    assert_eq!(seen.try_recv().unwrap(), ("3 close true 1005".into(), me));
    assert_eq!(taken(&socket, &events), "3 close true 1005");
    // The handlers are dropped with what they own.
    drop(sender);
    assert_eq!(seen.recv_timeout(TIMEOUT), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_handler_does_not_wait_for_itself() {
    let (url, _) = sends(&["Hello"]);
    let (socket, events, woken) = connect(&url);
    tasks(&woken, 2);
    socket.on_open(|socket, _| {
        assert!(socket.wait().is_none());
        assert!(socket.events().recv().is_none());
    });
    assert_eq!(taken(&socket, &events), "1 open");
    assert_eq!(taken(&socket, &events), "1 text Hello");
}

#[test]
fn a_handler_that_panics_closes_its_socket() {
    let (url, codes) = sends(&[]);
    let (socket, events, _woken) = connect(&url);
    socket.on_open(|_, _| panic!("as the test wants it"));
    assert_eq!(taken(&socket, &events), "2 open");
    assert_eq!(taken(&socket, &events), "3 error a handler panicked");
    assert_eq!(taken(&socket, &events), "3 close true 1011");
    assert_eq!(codes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1011);
}

#[test]
fn a_wake_that_panics_closes_its_socket() {
    let (url, codes) = sends(&[]);
    let builder = WebSocket::builder(&url).unwrap();
    let socket = builder.event_loop(|| panic!("as the test wants it")).open().unwrap();
    assert_eq!(codes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1011);
    assert!(socket.wait().is_some());
}

#[test]
fn each_events_handle_gets_every_event_of_one_run() {
    let (url, _) = sends(&["Hello"]);
    let (socket, one, woken) = connect(&url);
    let two = socket.events();
    tasks(&woken, 2);
    assert_eq!([taken(&socket, &one), taken(&socket, &one)], ["1 open", "1 text Hello"]);
    assert_eq!([taken(&socket, &two), taken(&socket, &two)], ["1 open", "1 text Hello"]);
    drop(socket);
    assert_eq!(describe(&two.recv().unwrap()), "close true 1005");
    assert_eq!(describe(&one.recv().unwrap()), "close true 1005");
}

#[test]
fn reading_pauses_while_tasks_wait() {
    let (url, sent) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        let (data, mut count) = (vec![0; 100_000], 0);
        socket.set_write_timeout(Duration::from_millis(300));
        while count < 1000 {
            match socket.send(&data) {
                Ok(()) => count += 1,
                Err(Error::Io(_)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    });
    let (socket, events, _woken) = connect(&url);
    // 100 MB would go out if all were read.
    let count = sent.recv_timeout(TIMEOUT).unwrap().unwrap();
    assert!((10..1000).contains(&count), "{count}");
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    let messages = events.filter(|event| matches!(event, Event::Message(_))).count();
    assert!(messages >= 10, "{messages}");
}

#[test]
fn one_loop_runs_many_sockets() {
    let (wake, turns) = mpsc::channel();
    let url = echo();
    let sockets: Vec<_> = (0..10)
        .map(|index| {
            let wake = wake.clone();
            let builder = WebSocket::builder(&url).unwrap();
            let socket = builder.event_loop(move || wake.send(index).unwrap()).open().unwrap();
            let events = socket.events();
            (socket, events)
        })
        .collect();
    let (mut seen, mut open) = (vec![Vec::new(); sockets.len()], sockets.len());
    while open > 0 {
        let index: usize = turns.recv_timeout(TIMEOUT).unwrap();
        let (socket, events) = &sockets[index];
        let Some(event) = events.try_recv() else { continue };
        seen[index].push(describe(&event));
        match event {
            Event::Open(_) => socket.send(format!("{index}")).unwrap(),
            Event::Message(_) => socket.close(),
            Event::Error(_) => {}
            Event::Close(_) => open -= 1,
        }
    }
    for (index, seen) in seen.into_iter().enumerate() {
        assert_eq!(seen, ["open", &format!("text {index}"), "close true 1005"]);
    }
}

#[test]
fn to_drop_the_object_does_not_wait_for_tasks() {
    let (url, codes) = sends(&["Hello"]);
    let (socket, events, woken) = connect(&url);
    tasks(&woken, 2);
    let handlers = Arc::new(());
    let mine = Arc::clone(&handlers);
    socket.on_open(move |_, _| drop(Arc::clone(&mine)));
    drop(socket);
    assert_eq!(Arc::strong_count(&handlers), 1);
    assert_eq!(codes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1005);
    assert_eq!(events.map(|event| describe(&event)).collect::<Vec<_>>(), ["close true 1005"]);
}
