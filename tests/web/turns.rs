//! "There MUST be no more than one connection in a CONNECTING state." (RFC 6455, 4.1, step 2)

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use sansock::web::{ReadyState, WebSocket};

use crate::server::{TIMEOUT, echo, serve, until};

/// A server that answers a request when it is told to, and how many requests it has.
fn gated() -> (String, mpsc::Sender<bool>, Arc<AtomicUsize>) {
    let (open, gate) = mpsc::channel();
    let (gate, count) = (Mutex::new(gate), Arc::new(AtomicUsize::new(0)));
    let requests = Arc::clone(&count);
    let (url, _) = serve(move |incoming| {
        count.fetch_add(1, Ordering::SeqCst);
        let accepts = gate.lock().unwrap().recv_timeout(TIMEOUT).unwrap_or(false);
        if accepts {
            let mut socket = incoming.accept()?;
            while socket.next_event()?.is_some() {}
        }
        Ok(())
    });
    (url, open, requests)
}

fn requests_after_a_while(requests: &AtomicUsize, expected: usize) {
    until("the requests have come", || requests.load(Ordering::SeqCst) >= expected);
    thread::sleep(Duration::from_millis(150));
    assert_eq!(requests.load(Ordering::SeqCst), expected);
}

#[test]
fn a_connection_waits_until_another_to_the_same_host_and_port_is_established_or_has_failed() {
    let (url, open, requests) = gated();
    let sockets: Vec<_> = (0..3).map(|_| WebSocket::new(&url).unwrap()).collect();
    requests_after_a_while(&requests, 1);
    assert!(sockets.iter().all(|socket| socket.ready_state() == ReadyState::Connecting));
    // One fails, and the next one's turn comes; then it is established.
    open.send(false).unwrap();
    requests_after_a_while(&requests, 2);
    open.send(true).unwrap();
    requests_after_a_while(&requests, 3);
    open.send(true).unwrap();
    let count = |state| sockets.iter().filter(|socket| socket.ready_state() == state).count();
    until("two are open", || count(ReadyState::Open) == 2);
    until("one has failed", || count(ReadyState::Closed) == 1);
}

#[test]
fn a_connection_to_another_port_does_not_wait() {
    let (url, open, requests) = gated();
    let connecting = WebSocket::new(&url).unwrap();
    requests_after_a_while(&requests, 1);
    let other = WebSocket::new(&echo()).unwrap();
    until("the other is open", || other.ready_state() == ReadyState::Open);
    assert_eq!(connecting.ready_state(), ReadyState::Connecting);
    drop(open);
}

#[test]
fn one_that_waits_can_be_closed() {
    let (url, open, requests) = gated();
    let connecting = WebSocket::new(&url).unwrap();
    requests_after_a_while(&requests, 1);
    let waiting = WebSocket::new(&url).unwrap();
    let third = WebSocket::new(&url).unwrap();
    waiting.close();
    assert_eq!(waiting.wait().unwrap().code, 1006);
    assert_eq!(
        (connecting.ready_state(), third.ready_state()),
        (ReadyState::Connecting, ReadyState::Connecting)
    );
    // Its turn is not waited for.
    open.send(true).unwrap();
    open.send(true).unwrap();
    until("the third is open", || third.ready_state() == ReadyState::Open);
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[test]
fn a_program_may_connect_without_waiting() {
    let (url, open, requests) = gated();
    let connect = |_| WebSocket::builder(&url).unwrap().connect_in_turn(false).open().unwrap();
    let sockets: Vec<_> = (0..2).map(connect).collect();
    requests_after_a_while(&requests, 2);
    drop((open, sockets));
}
