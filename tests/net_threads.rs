//! No thread outlives what it was started for. One test, since it counts this process's threads.
#![cfg(target_os = "linux")]

#[path = "common/net.rs"]
mod common;

use std::fs;

use common::*;
use sansock::net::client;
use sansock::{CloseCode, Config, Role};

fn threads(name: &str) -> usize {
    fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| name.starts_with(comm.trim()))
        .count()
}

#[test]
fn threads_end_with_what_they_were_started_for() {
    const HOUSEKEEPER: &str = "sansock-split";
    // The kernel keeps 15 bytes of a name.
    const CONNECTION: &str = "sansock-connection";

    for reader_first in [true, false] {
        let (socket, peer) = with_raw_peer(Role::Server, Config::new());
        assert_eq!(threads(HOUSEKEEPER), 0);
        let (reader, writer) = socket.split().unwrap();
        let clone = writer.clone();
        until("the housekeeper has its name", || threads(HOUSEKEEPER) == 1);
        if reader_first {
            drop((reader, writer));
            assert_eq!(threads(HOUSEKEEPER), 1);
            drop(clone);
        } else {
            drop((writer, clone));
            assert_eq!(threads(HOUSEKEEPER), 1);
            drop(reader);
        }
        until("the thread has ended", || threads(HOUSEKEEPER) == 0);
        drop(peer);
    }

    let server = Running::start(
        |server| server,
        |incoming| {
            let (mut reader, _writer) = incoming.accept()?.split()?;
            while reader.next_event()?.is_some() {}
            Ok(())
        },
    );
    let mut sockets: Vec<_> = (0..5).map(|_| client::connect(&server.url()).unwrap()).collect();
    until("all are served", || threads(HOUSEKEEPER) == 5 && threads(CONNECTION) == 5);
    sockets[0].close(CloseCode::NORMAL, "").unwrap();
    sockets.swap_remove(1);
    until("two have ended", || threads(HOUSEKEEPER) == 3 && threads(CONNECTION) == 3);
    drop(sockets);
    server.stop();
    until("all have ended", || threads(HOUSEKEEPER) + threads(CONNECTION) == 0);
}
