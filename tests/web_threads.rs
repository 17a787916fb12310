//! The threads of `web::WebSocket` end. In a separate process, in which no other test starts any.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use sansock::net::Server;
use sansock::web::{ReadyState, WebSocket};
use sansock::{Config, Event, Timeouts};

/// Threads of sockets: those of the server have other names.
fn threads() -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // A thread may end between the two.
        fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    let ours = ["sansock-network", "sansock-events", "sansock-split"];
    names.filter(|name| ours.contains(&name.trim_end())).count()
}

fn server() -> String {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", server.local_addr());
    thread::spawn(|| {
        server.run(|incoming| {
            let mut socket = incoming.accept()?;
            while let Some((event, outgoing)) = socket.exchange()? {
                if let Event::Message(message) = event {
                    outgoing.queue(message)?;
                }
            }
            Ok(())
        })
    });
    url
}

fn open(url: &str) -> WebSocket {
    let socket = WebSocket::new(url).unwrap();
    while socket.ready_state() != ReadyState::Open {
        thread::sleep(Duration::from_millis(1));
    }
    socket
}

#[test]
fn no_thread_outlives_its_socket() {
    let url = server();
    assert_eq!(threads(), 0);

    // Dropped while open, with handlers and without.
    let sockets: Vec<_> = (0..10).map(|_| open(&url)).collect();
    sockets.iter().take(5).for_each(|socket| socket.on_message(|_, _| ()));
    sockets.iter().take(5).for_each(|socket| socket.on_open(|_, _| ()));
    assert!(threads() >= 20, "one that reads, one that writes: {}", threads());
    drop(sockets);
    assert_eq!(threads(), 0);

    // Closed, and not dropped.
    let socket = open(&url);
    socket.on_close(|_, _| ());
    socket.close();
    socket.wait();
    let until = Instant::now() + Duration::from_secs(10);
    while threads() > 0 {
        assert!(Instant::now() < until, "{} threads of a socket that is closed", threads());
        thread::sleep(Duration::from_millis(1));
    }
    drop(socket);

    // Dropped in the middle of the opening handshake.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = WebSocket::new(&format!("ws://{}/", silent.local_addr().unwrap())).unwrap();
    socket.on_error(|_, _| ());
    let (_stream, _) = silent.accept().unwrap();
    thread::sleep(Duration::from_millis(20));
    let start = Instant::now();
    drop(socket);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(threads(), 0);

    // A server that does not answer the Close frame.
    let silent = Server::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", silent.local_addr());
    thread::spawn(|| {
        silent.run(|incoming| {
            let socket = incoming.accept()?;
            thread::sleep(Duration::from_secs(30));
            drop(socket);
            Ok(())
        })
    });
    let config = Config::new().timeouts(Timeouts::new().closing(Duration::from_millis(200)));
    let socket = WebSocket::builder(&url).unwrap().config(config).open().unwrap();
    while socket.ready_state() != ReadyState::Open {
        thread::sleep(Duration::from_millis(1));
    }
    let start = Instant::now();
    drop(socket);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(threads(), 0);
}
