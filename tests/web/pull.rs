//! Events taken by pulling.

use std::thread;
use std::time::{Duration, Instant};

use sansock::CloseCode;
use sansock::net::Error;
use sansock::web::{Event, ReadyState, WebSocket};

use super::server::{TIMEOUT, describe, echo, open, serve, silent, until};

#[test]
fn all_events_come_in_order_and_then_none() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        socket.send("one")?;
        socket.send("two")?;
        socket.close(CloseCode::NORMAL, "")
    });
    let socket = WebSocket::new(&url).unwrap();
    // Not before everything has happened.
    until("closed", || socket.ready_state() == ReadyState::Closed);
    let mut events = socket.events();
    let seen: Vec<_> = events.by_ref().map(|event| describe(&event)).collect();
    assert_eq!(seen, ["open", "text one", "text two", "close true 1000"]);
    assert!(events.recv().is_none() && events.try_recv().is_none());
    // The events were already taken: a later handle gets only later events.
    assert!(socket.events().recv().is_none());
}

#[test]
fn each_events_handle_gets_every_event() {
    let socket = WebSocket::new(&echo()).unwrap();
    let (one, two) = (socket.events(), socket.events());
    assert!(matches!(one.recv(), Some(Event::Open(_))));
    socket.send("Hello").unwrap();
    assert_eq!(describe(&one.recv().unwrap()), "text Hello");
    drop(one);
    assert!(matches!(two.recv(), Some(Event::Open(_))));
    assert_eq!(describe(&two.recv().unwrap()), "text Hello");
    drop(socket);
    assert_eq!(describe(&two.recv().unwrap()), "close true 1005");
    assert!(two.recv().is_none());
}

#[test]
fn waiting_can_be_bounded() {
    let socket = WebSocket::new(&silent()).unwrap();
    let events = socket.events();
    let start = Instant::now();
    assert!(events.try_recv().is_none());
    assert!(events.recv_timeout(Duration::from_millis(20)).is_none());
    assert!((Duration::from_millis(20)..Duration::from_secs(5)).contains(&start.elapsed()));
}

#[test]
fn reading_pauses_while_messages_are_not_taken() {
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
        thread::sleep(Duration::from_millis(100));
        Ok(count)
    });
    let socket = WebSocket::builder(&url).unwrap().backlog(1 << 20).open().unwrap();
    let events = socket.events();
    // 100 MB would go out if all were read.
    let count = sent.recv_timeout(TIMEOUT).unwrap().unwrap();
    assert!((10..1000).contains(&count), "{count}");
    let messages = events.filter(|event| matches!(event, Event::Message(_))).count();
    assert!(messages >= 10, "{messages}");
}

#[test]
fn a_socket_with_untaken_messages_can_be_closed() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        for _ in 0..200 {
            socket.send([0; 10_000])?;
        }
        while socket.next_event()?.is_some() {}
        Ok(())
    });
    let socket = open(&url);
    let _events = socket.events();
    thread::sleep(Duration::from_millis(100));
    socket.close();
    assert!(socket.wait().unwrap().was_clean);
}
