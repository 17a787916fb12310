//! No thread outlives its connection. One test, because it counts this process's threads.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, thread};

use sansock::handshake::Established;
use sansock::net::{Server, Stream, WebSocket, client};
use sansock::{CloseCode, Config, ReceiveBuffer, Role, SendBuffer};

/// A server's end of a connection, and the bare stream at the other.
fn with_raw_peer() -> (WebSocket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let stream = Stream::from(listener.accept().unwrap().0);
    let connection = Established::after_handshake(Role::Server, None).connection(&Config::new());
    let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
    (WebSocket::new(stream, connection, input, output).unwrap(), peer)
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(8), "still waiting: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn threads(name: &str) -> usize {
    fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| name.starts_with(comm.trim()))
        .count()
}

#[test]
fn threads_end_with_what_they_were_started_for() {
    const BACKGROUND: &str = "sansock-split";
    // The kernel keeps 15 bytes of a name.
    const CONNECTION: &str = "sansock-connection";

    for reader_first in [true, false] {
        let (socket, peer) = with_raw_peer();
        assert_eq!(threads(BACKGROUND), 0);
        let (reader, writer) = socket.split().unwrap();
        let clone = writer.clone();
        until("the background thread has its name", || threads(BACKGROUND) == 1);
        if reader_first {
            drop((reader, writer));
            assert_eq!(threads(BACKGROUND), 1);
            drop(clone);
        } else {
            drop((writer, clone));
            assert_eq!(threads(BACKGROUND), 1);
            drop(reader);
        }
        until("the thread has ended", || threads(BACKGROUND) == 0);
        drop(peer);
    }

    let server = Server::bind("127.0.0.1:0").unwrap();
    let (handle, url) = (server.handle(), format!("ws://{}/", server.local_addr()));
    let running = thread::spawn(|| {
        server.run(|incoming| {
            let (mut reader, _writer) = incoming.accept()?.split()?;
            while reader.next_event()?.is_some() {}
            Ok(())
        })
    });
    let mut sockets: Vec<_> = (0..5).map(|_| client::connect(&url).unwrap()).collect();
    until("all are served", || threads(BACKGROUND) == 5 && threads(CONNECTION) == 5);
    sockets[0].close(CloseCode::NORMAL, "").unwrap();
    sockets.swap_remove(1);
    until("two have ended", || threads(BACKGROUND) == 3 && threads(CONNECTION) == 3);
    drop(sockets);
    handle.shutdown();
    running.join().unwrap().unwrap();
    until("all have ended", || threads(BACKGROUND) + threads(CONNECTION) == 0);
}
