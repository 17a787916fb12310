//! Servers that read nothing, or next to nothing, of what the page sends.

use std::io::Read;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sansock::web::{CloseEvent, ReadyState, WebSocket};
use sansock::{Config, Timeouts};

use crate::server::{TIMEOUT, serve, until};

const CLOSING: Duration = Duration::from_millis(500);
/// More than the buffers of the operating system hold.
const MESSAGE: usize = 32 << 20;

/// Accepts, and then reads `n` bytes at a time, with pauses.
fn slow(n: usize) -> String {
    serve(move |incoming| {
        let socket = incoming.accept()?;
        let mut stream = socket.get_ref().get_ref();
        let mut bytes = vec![0; n];
        let start = Instant::now();
        while start.elapsed() < TIMEOUT {
            if n > 0 && !matches!(stream.read(&mut bytes), Ok(1..)) {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    })
    .0
}

/// An open socket with a message on its way that the server does not take.
fn sending(n: usize) -> WebSocket {
    let timeouts = Timeouts::new().closing(CLOSING);
    let config = Config::new().timeouts(timeouts);
    let socket = WebSocket::builder(&slow(n)).unwrap().config(config).open().unwrap();
    until("open", || socket.ready_state() == ReadyState::Open);
    socket.send(vec![0; MESSAGE]).unwrap();
    socket
}

/// Runs `work` on a thread of its own and returns its result and how long it took.
fn timed<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (T, Duration) {
    let start = Instant::now();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    (receiver.recv_timeout(TIMEOUT).unwrap(), start.elapsed())
}

#[test]
fn the_close_event_comes_within_the_closing_timeout() {
    for n in [0, 1] {
        let socket = sending(n);
        let (event, took) = timed(move || {
            socket.close();
            socket.wait()
        });
        let event = event.unwrap();
        assert!(matches!(event, CloseEvent { was_clean: false, code: 1006, .. }), "{event:?}");
        assert!((CLOSING..CLOSING + Duration::from_secs(1)).contains(&took), "{n}: {took:?}");
    }
}

#[test]
fn dropping_the_object_takes_the_closing_timeout_and_a_second_at_most() {
    for n in [0, 1] {
        let socket = sending(n);
        let ((), took) = timed(move || drop(socket));
        assert!(took < CLOSING + Duration::from_secs(1), "{n}: {took:?}");
    }
}
