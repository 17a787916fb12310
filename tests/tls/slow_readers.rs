//! Peers that read nothing, or one byte at a time, of what is encrypted for them.

use std::io::{self, Read as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sansock::net::{Error, WebSocket};

use crate::certificates::ours;
use crate::common::*;
use crate::connect_to_ours;

const WRITE_TIMEOUT: Duration = ms(300);
/// More than the buffers of the operating system hold.
const MESSAGE: usize = 32 << 20;

fn send(mut socket: WebSocket) -> Result<(), Error> {
    socket.send(bytes(0, MESSAGE))
}

fn send_split(socket: WebSocket) -> Result<(), Error> {
    let (_reader, writer) = socket.split()?;
    writer.send(bytes(0, MESSAGE))
}

/// Whether the peer reads one byte at a time below TLS, or nothing.
fn result_of(
    way: fn(WebSocket) -> Result<(), Error>,
    drips: bool,
) -> (Result<(), Error>, Duration) {
    let (give, result) = mpsc::channel();
    let acceptor = ours().server().acceptor();
    let server = Running::start(
        |server| server.tls(acceptor).write_timeout(WRITE_TIMEOUT),
        move |incoming| {
            let start = Instant::now();
            let result = way(incoming.accept()?);
            give.send((result, start.elapsed())).unwrap();
            Ok(())
        },
    );
    let socket = connect_to_ours(&server);
    let (seen, took) = loop {
        if drips {
            // A broken stream shows in the result.
            let _ = socket.get_ref().get_ref().read(&mut [0]);
        }
        match result.recv_timeout(ms(2)) {
            Ok(seen) => break seen,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(error) => panic!("{error}"),
        }
    };
    drop(socket);
    server.stop();
    (seen, took)
}

#[test]
fn a_peer_that_reads_next_to_nothing_costs_a_write_timeout() {
    thread::scope(|scope| {
        for (way, drips) in
            [(send as fn(_) -> _, false), (send, true), (send_split, false), (send_split, true)]
        {
            scope.spawn(move || {
                let (result, took) = within(TIMEOUT * 2, move || result_of(way, drips));
                let Err(Error::Io(error)) = result else { panic!("{result:?}") };
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                assert!((WRITE_TIMEOUT..TIMEOUT / 2).contains(&took), "{drips}: {took:?}");
            });
        }
    });
}
