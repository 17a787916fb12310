//! Handlers: which are called, when, and what they may do.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sansock::CloseCode;
use sansock::web::{EventKind, ReadyState, WebSocket};

use super::server::{TIMEOUT, all, echo, open, serve, silent, until, watch};

/// Greets and closes.
fn greets() -> String {
    serve(|incoming| {
        let mut socket = incoming.accept()?;
        socket.send("one")?;
        socket.send("two")?;
        socket.close(CloseCode::NORMAL, "")
    })
    .0
}

fn teller(sender: &Sender<String>) -> impl Fn(&str) + Send + 'static {
    let sender = sender.clone();
    move |text| sender.send(text.into()).unwrap()
}

fn taken(receiver: &Receiver<String>) -> String {
    receiver.recv_timeout(TIMEOUT).unwrap()
}

#[test]
fn handlers_that_are_set_late_miss_nothing_and_keep_the_order() {
    let socket = WebSocket::new(&greets()).unwrap();
    until("closed", || socket.ready_state() == ReadyState::Closed);
    let (sender, receiver) = mpsc::channel();
    // In another order than that of the events.
    let tell = teller(&sender);
    socket.on_close(move |_, event| tell(&format!("close {}", event.code)));
    let tell = teller(&sender);
    socket.on_message(move |_, event| tell(event.data.as_text().unwrap()));
    let tell = teller(&sender);
    socket.on_open(move |_, _| tell("open"));
    drop(sender);
    let seen: Vec<_> = (0..4).map(|_| taken(&receiver)).collect();
    assert_eq!(seen, ["open", "one", "two", "close 1000"]);
}

#[test]
fn a_handler_gets_what_it_missed_however_late_it_is_set() {
    let socket = WebSocket::new(&greets()).unwrap();
    let (sender, receiver) = mpsc::channel();
    let tell = teller(&sender);
    socket.on_close(move |_, _| tell("close"));
    assert_eq!(taken(&receiver), "close");
    thread::sleep(Duration::from_millis(50));
    let tell = teller(&sender);
    socket.on_message(move |_, event| tell(event.data.as_text().unwrap()));
    assert_eq!([taken(&receiver), taken(&receiver)], ["one", "two"]);
    let tell = teller(&sender);
    socket.on_open(move |_, _| tell("open"));
    assert_eq!(taken(&receiver), "open");
}

#[test]
fn messages_without_a_listener_do_not_delay_other_events() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        let data = vec![0; 100_000];
        for _ in 0..100 {
            socket.send(&data)?;
        }
        socket.close(CloseCode::NORMAL, "")
    });
    let socket = WebSocket::builder(&url).unwrap().backlog(200_000).open().unwrap();
    assert_eq!(socket.wait().unwrap().code, 1000);
    // The messages were discarded, but `open` was not.
    let (sender, receiver) = mpsc::channel();
    let tell = teller(&sender);
    socket.on_message(move |_, _| tell("message"));
    let tell = teller(&sender);
    socket.on_open(move |_, _| tell("open"));
    assert_eq!(taken(&receiver), "open");
    socket.wait();
    assert!(receiver.try_recv().is_err());
}

#[test]
fn a_handler_replaces_the_one_before_it_and_listeners_add_up_in_order() {
    let socket = WebSocket::new(&silent()).unwrap();
    let (sender, receiver) = mpsc::channel();
    let tell = teller(&sender);
    socket.add_event_listener(EventKind::Close, move |_, _| tell("first"));
    let tell = teller(&sender);
    socket.on_close(move |_, _| tell("replaced"));
    let tell = teller(&sender);
    let removed = socket.add_event_listener(EventKind::Close, move |_, _| tell("removed"));
    let tell = teller(&sender);
    socket.add_event_listener(EventKind::Close, move |_, _| tell("last"));
    let tell = teller(&sender);
    socket.on_close(move |_, _| tell("attribute"));
    assert!(socket.remove_event_listener(removed));
    assert!(!socket.remove_event_listener(removed));
    drop(sender);
    socket.close();
    // The channel ends because the handlers are dropped after `close`.
    assert_eq!(all(&receiver), ["first", "attribute", "last"]);
}

#[test]
fn a_listener_that_another_removes_is_not_called_and_one_that_it_adds_waits_for_the_next() {
    let socket = open(&echo());
    let (sender, receiver) = mpsc::channel();
    let second = Arc::new(Mutex::new(None));
    let (tell, id) = (teller(&sender), Arc::clone(&second));
    let adds = sender.clone();
    socket.add_event_listener(EventKind::Message, move |socket, _| {
        tell("first");
        if let Some(id) = id.lock().unwrap().take() {
            socket.remove_event_listener(id);
            let tell = teller(&adds);
            socket.add_event_listener(EventKind::Message, move |_, _| tell("added"));
        }
    });
    let tell = teller(&sender);
    *second.lock().unwrap() =
        Some(socket.add_event_listener(EventKind::Message, move |_, _| tell("removed")));
    socket.send("a").unwrap();
    socket.send("b").unwrap();
    let seen: Vec<_> = (0..3).map(|_| taken(&receiver)).collect();
    assert_eq!(seen, ["first", "first", "added"]);
}

#[test]
fn handlers_may_send_set_handlers_and_close_on_their_own_socket() {
    let socket = WebSocket::new(&echo()).unwrap();
    let (sender, receiver) = mpsc::channel();
    socket.on_open(move |socket, _| {
        let tell = teller(&sender);
        let mut count = 0;
        socket.on_message(move |socket, event| {
            tell(event.data.as_text().unwrap());
            count += 1;
            if count == 3 {
                assert!(socket.wait().is_none(), "it would wait for itself");
                socket.close_with(4000, "enough").unwrap();
            } else {
                socket.send(format!("{count}")).unwrap();
            }
        });
        let tell = teller(&sender);
        socket.on_close(move |_, event| tell(&format!("close {}", event.code)));
        socket.send("0").unwrap();
    });
    assert_eq!(all(&receiver), ["0", "1", "2", "close 4000"]);
}

#[test]
fn a_handler_that_panics_closes_its_socket_and_nothing_else() {
    let (url, closes) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        socket.send("Hello")?;
        while socket.next_event()?.is_some() {}
        Ok(socket.outcome().unwrap().code())
    });
    let bystander = open(&echo());
    let socket = WebSocket::new(&url).unwrap();
    socket.on_message(|_, _| panic!("as the test wants it"));
    let events = watch(&socket);
    let expected = ["1 open", "2 text Hello", "3 error a handler panicked", "3 close true 1011"];
    assert_eq!(all(&events), expected);
    assert_eq!(closes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1011);
    let (sender, receiver) = mpsc::channel();
    let tell = teller(&sender);
    bystander.on_message(move |_, event| tell(event.data.as_text().unwrap()));
    bystander.send("alive").unwrap();
    assert_eq!(taken(&receiver), "alive");
}

#[test]
fn a_close_handler_that_panics_takes_nothing_with_it() {
    let socket = WebSocket::new(&greets()).unwrap();
    socket.on_close(|_, _| panic!("as the test wants it"));
    let events = watch(&socket);
    assert_eq!(all(&events).last().unwrap(), "3 close true 1000");
    assert_eq!(socket.wait().unwrap().code, 1000);
}

#[test]
fn a_slow_handler_does_not_keep_pings_waiting() {
    let (url, answered) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        socket.send("sleep")?;
        socket.ping(b"are you there?")?;
        while let Some(event) = socket.next_event()? {
            if matches!(event, sansock::Event::Pong(_)) {
                return Ok(());
            }
        }
        panic!("no Pong");
    });
    let socket = WebSocket::new(&url).unwrap();
    let (wake, woken) = mpsc::channel::<()>();
    socket.on_message(move |_, _| {
        let _ = woken.recv_timeout(TIMEOUT);
    });
    answered.recv_timeout(TIMEOUT).unwrap().unwrap();
    wake.send(()).unwrap();
}

#[test]
fn to_drop_the_object_closes_without_a_code_and_drops_the_handlers() {
    let (url, closes) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        while socket.next_event()?.is_some() {}
        Ok(socket.outcome().unwrap().code())
    });
    let socket = open(&url);
    let events = watch(&socket);
    assert_eq!(taken(&events), "1 open");
    drop(socket);
    assert_eq!(closes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1005);
    assert!(all(&events).is_empty());
}

#[test]
fn a_handler_may_drop_the_object() {
    let (url, closes) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        while socket.next_event()?.is_some() {}
        Ok(socket.outcome().unwrap().code())
    });
    let place = Arc::new(Mutex::new(None));
    let mine = Arc::clone(&place);
    let socket = WebSocket::new(&url).unwrap();
    let (sender, receiver) = mpsc::channel();
    let tell = teller(&sender);
    let (go, gone) = mpsc::channel::<()>();
    socket.on_open(move |_, _| {
        gone.recv_timeout(TIMEOUT).unwrap();
        drop(mine.lock().unwrap().take());
        tell("dropped");
    });
    *place.lock().unwrap() = Some(socket);
    go.send(()).unwrap();
    assert_eq!(taken(&receiver), "dropped");
    assert_eq!(closes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1005);
}

#[test]
fn sockets_live_side_by_side() {
    let url = echo();
    let sockets: Vec<_> = (0..20).map(|_| WebSocket::new(&url).unwrap()).collect();
    let (sender, receiver) = mpsc::channel();
    for (index, socket) in sockets.iter().enumerate() {
        socket.on_open(move |socket, _| socket.send(format!("{index}")).unwrap());
        let tell = teller(&sender);
        socket.on_message(move |socket, event| {
            tell(event.data.as_text().unwrap());
            socket.close();
        });
    }
    let mut seen: Vec<usize> = (0..20).map(|_| taken(&receiver).parse().unwrap()).collect();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..20));
    assert!(sockets.iter().all(|socket| socket.wait().unwrap().was_clean));
}

#[test]
fn to_drop_the_object_does_not_wait_for_a_handler_in_progress() {
    let socket = open(&echo());
    let held = Arc::new(Mutex::new(()));
    let (sender, receiver) = mpsc::channel();
    let mine = Arc::clone(&held);
    let tell = teller(&sender);
    let guard = held.lock().unwrap();
    // Two handlers: the second is not called any more.
    socket.on_open(move |_, _| {
        tell("in it");
        drop(mine.lock().unwrap());
    });
    let tell = teller(&sender);
    socket.add_event_listener(EventKind::Open, move |_, _| tell("too late"));
    assert_eq!(taken(&receiver), "in it");
    let start = Instant::now();
    drop(socket);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    drop((guard, sender));
    assert!(all(&receiver).is_empty());
}
