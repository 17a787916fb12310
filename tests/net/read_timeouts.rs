//! How often `net::WebSocket` sets its transport's read timeout: a system call each time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::*;
use sansock::handshake::Established;
use sansock::net::{Next, Transport, WebSocket};
use sansock::{Config, Keepalive, ReceiveBuffer, Role, SendBuffer};

/// Counts how often its read timeout is set.
struct Counted {
    stream: TcpStream,
    set: AtomicUsize,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.read(bytes)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Counted {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set.fetch_add(1, Ordering::Relaxed);
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }
}

/// After a long message memory is to be freed soon, and during the next one not: two deadlines that
/// take turns.
#[test]
fn long_messages_one_after_the_other_set_the_read_timeout_a_few_times_in_all() {
    const MESSAGES: usize = 100;
    let config = timeouts(|timeouts| timeouts.keepalive(Keepalive::every(Duration::from_secs(20))));
    for config in [config, Config::new()] {
        let (server, client) = tcp_pair();
        let counted = Counted { stream: server, set: AtomicUsize::new(0) };
        let connection = Established::after_handshake(Role::Server, None).connection(&config);
        let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
        let mut server = WebSocket::new(counted, connection, input, output).unwrap();
        let peer = thread::spawn(move || {
            let mut client = socket(client, Role::Client, Config::new());
            for _ in 0..MESSAGES {
                // Two pieces: the server waits between messages, and within each.
                client.send_fragment(bytes(1, 70_000), false).unwrap();
                client.send_fragment(bytes(1, 70_000), true).unwrap();
                assert_eq!(next_message(&mut client), b"next");
            }
            client
        });
        for _ in 0..MESSAGES {
            assert_eq!(next_message(&mut server).len(), 140_000);
            server.send("next").unwrap();
        }
        let _client = peer.join().unwrap();
        let set = server.get_ref().set.load(Ordering::Relaxed);
        assert!(set < MESSAGES / 10, "{set}");

        // It is set to the next deadline when an earlier one has passed.
        assert_eq!(server.next_event_timeout(ms(1_500)).unwrap(), Next::TimedOut);
        let (_, _, input, _) = server.into_parts();
        assert_eq!(input.capacity(), 0, "the memory is freed");
    }
}
