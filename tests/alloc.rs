//! In steady state sending or receiving a message allocates nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use sansock::handshake::Established;
use sansock::{
    Config, Connection, Delivery, EncodedMessage, Event, Keepalive, Message, ReceiveBuffer, Role,
    SendBuffer, Timeouts,
};
use testkit::masks::Keys;
use testkit::memory::{Counting, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Two ends; what the first sends the second receives.
struct Pair {
    ends: [(Connection, ReceiveBuffer, SendBuffer); 2],
    /// How many bytes one read brings at most.
    read: usize,
}

impl Pair {
    fn new(sender: Role, config: &Config, read: usize) -> Self {
        let receiver = if sender == Role::Client { Role::Server } else { Role::Client };
        let ends = [sender, receiver].map(|role| {
            let connection =
                Established::after_handshake(role, None).connection_with(config, Keys(7));
            (connection, ReceiveBuffer::new(), SendBuffer::new())
        });
        Self { ends, read }
    }

    /// Carries the waiting bytes from one end to the other, and returns the payload bytes that
    /// arrived.
    fn carry(&mut self, from: usize) -> usize {
        let [first, second] = &mut self.ends;
        let (from, to) = if from == 0 { (first, second) } else { (second, first) };
        let mut received = 0;
        while !from.2.is_empty() {
            let ready = from.2.as_slice();
            let spare = to.1.spare_mut();
            let n = ready.len().min(spare.len()).min(self.read);
            spare[..n].copy_from_slice(&ready[..n]);
            to.1.filled(n);
            from.2.consume(n);
            while let Some(event) = to.0.next_event(&mut to.1, &mut to.2).unwrap() {
                if let Event::Message(data) | Event::Chunk { data, .. } = event {
                    received += data.len();
                }
            }
        }
        received
    }
}

/// Asserts that `round` allocates nothing once the buffers have found their size: they double.
fn assert_steady(what: &dyn std::fmt::Debug, mut round: impl FnMut()) {
    (0..6).for_each(|_| round());
    for _ in 0..2 {
        assert_eq!(allocations(&mut round), 0, "{what:?}");
    }
}

const SIZES: [usize; 12] =
    [16, 125, 126, 1_000, 4_096, 4_097, 16_384, 20_000, 40_000, 65_534, 65_535, 65_536];

/// What one read brings: pieces of messages, some of them, or all there is.
const READS: [usize; 3] = [1_448, 16_384, usize::MAX];

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

/// The whole characters of the first `size` bytes.
fn prefix(text: &str, size: usize) -> &str {
    let end = (0..=size).rev().find(|&end| text.is_char_boundary(end)).unwrap();
    &text[..end]
}

#[test]
fn a_message_costs_no_allocation() {
    let text = "Grüße, κόσμε 💩 and so on ".repeat(3_000);
    for sender in [Role::Client, Role::Server] {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            for read in READS {
                let mut pair = Pair::new(sender, &Config::new().delivery(delivery), read);
                for size in SIZES {
                    let text = prefix(&text, size);
                    for message in [Message::Binary(text.as_bytes()), Message::Text(text)] {
                        let what = (sender, delivery, read, size, message.kind());
                        assert_steady(&what, || {
                            let (connection, _, output) = &mut pair.ends[0];
                            connection.send(message, output).unwrap();
                            assert_eq!(pair.carry(0), message.len(), "{what:?}");
                        });
                    }
                }
            }
        }
    }
}

#[test]
fn a_fragmented_message_costs_no_allocation() {
    let bytes = vec![b'x'; 65_536];
    let text = std::str::from_utf8(&bytes).unwrap();
    for sender in [Role::Client, Role::Server] {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            for (read, fragments) in READS.into_iter().flat_map(|read| [2, 7].map(|n| (read, n))) {
                let mut pair = Pair::new(sender, &Config::new().delivery(delivery), read);
                for size in SIZES {
                    let what = (sender, delivery, read, size, fragments);
                    assert_steady(&what, || {
                        let (connection, _, output) = &mut pair.ends[0];
                        let step = size / fragments;
                        for i in 1..fragments {
                            let part = &text[(i - 1) * step..i * step];
                            connection.send_fragment(part, false, output).unwrap();
                            connection.ping(b"between", output).unwrap();
                        }
                        let rest = &text[(fragments - 1) * step..size];
                        connection.send_fragment(rest, true, output).unwrap();
                        assert_eq!(pair.carry(0), size, "{what:?}");
                        pair.carry(1);
                    });
                }
            }
        }
    }
}

#[test]
fn control_frames_and_time_cost_no_allocation() {
    let seconds = Duration::from_secs;
    let keepalive = Keepalive { interval: seconds(1), timeout: seconds(9) };
    let config = Config::new().timeouts(Timeouts::new().keepalive(keepalive).idle(seconds(99)));
    for sender in [Role::Client, Role::Server] {
        let mut pair = Pair::new(sender, &config, usize::MAX);
        let mut now = Instant::now();
        assert_steady(&sender, || {
            for payload in [&[][..], &[7; 125]] {
                let (connection, _, output) = &mut pair.ends[0];
                connection.ping(payload, output).unwrap();
                connection.pong(payload, output).unwrap();
                connection.send("in use", output).unwrap();
                pair.carry(0);
                pair.carry(1);
            }
            now += seconds(2);
            for (connection, _, output) in &mut pair.ends {
                connection.handle_timeout(now, output).unwrap();
                assert!(connection.poll_timeout().is_some());
            }
            pair.carry(0);
            pair.carry(1);
        });
    }
}

/// An echo answers while it still holds the payload.
#[test]
fn an_echo_costs_no_allocation() {
    let message = vec![0xA5; 65_536];
    for sender in [Role::Client, Role::Server] {
        let mut pair = Pair::new(sender, &Config::new(), usize::MAX);
        for size in SIZES {
            assert_steady(&(sender, size), || {
                let [(first, input, output), (second, received, answer)] = &mut pair.ends;
                first.send(&message[..size], output).unwrap();
                while !output.is_empty() {
                    let spare = received.spare_mut();
                    let n = spare.len().min(output.as_slice().len());
                    spare[..n].copy_from_slice(&output.as_slice()[..n]);
                    received.filled(n);
                    output.consume(n);
                    while let Some(event) = second.next_event(received, answer).unwrap() {
                        let Event::Message(echo) = event else { continue };
                        second.send(echo, answer).unwrap();
                    }
                }
                assert!(first.next_event(input, output).unwrap().is_none());
                assert_eq!(pair.carry(1), size);
            });
        }
    }
}

#[test]
fn a_message_that_was_encoded_once_costs_no_allocation() {
    let news = EncodedMessage::new("news".repeat(10_000).as_str());
    for sender in [Role::Client, Role::Server] {
        let mut pair = Pair::new(sender, &Config::new(), usize::MAX);
        assert_steady(&sender, || {
            let (connection, _, output) = &mut pair.ends[0];
            connection.send_encoded(&news, output).unwrap();
            assert_eq!(pair.carry(0), 40_000);
        });
    }
}

#[cfg(feature = "rand")]
#[test]
fn a_random_masking_key_costs_no_allocation() {
    let mut client = Established::after_handshake(Role::Client, None).connection(&Config::new());
    let mut output = SendBuffer::new();
    assert_steady(&"keys", || {
        for _ in 0..1_000 {
            client.send("x", &mut output).unwrap();
            output.consume(output.as_slice().len());
        }
    });
}

/// An idle connection holds only its state, and a buffer only what it was asked to keep.
#[test]
fn an_idle_connection_holds_next_to_nothing() {
    for role in [Role::Client, Role::Server] {
        let mut end = None;
        let made = allocations(|| {
            end = Some(
                Established::after_handshake(role, None).connection_with(&Config::new(), Keys(1)),
            );
        });
        // A client's source of keys.
        assert!(made <= 1, "{made}");
        let buffers = allocations(|| drop((ReceiveBuffer::new(), SendBuffer::new())));
        assert_eq!(buffers, 0);
        let size = size_of::<Connection>();
        assert!(size <= 288, "{size} bytes of state");
    }
}

/// Compressed messages, in one test: contexts are shared between connections, and tests run side by
/// side.
#[cfg(feature = "deflate")]
#[test]
fn a_compressed_message_costs_no_allocation() {
    use sansock::Compression;
    use sansock::deflate::{ContextTakeover, DeflateConfig};
    let text = "{\"id\": 1, \"name\": \"κόσμε 💩\", \"list\": [1, 2, 3]}, ".repeat(1_500);
    for sender in [Role::Client, Role::Server] {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            for takeover in [ContextTakeover::Allowed, ContextTakeover::Forbidden] {
                let deflate =
                    DeflateConfig::client().server_context(takeover).client_context(takeover);
                for read in [1_448, usize::MAX] {
                    let config = Config::new().delivery(delivery);
                    let mut pair = Pair::new(sender, &config, read);
                    for (connection, ..) in &mut pair.ends {
                        *connection = Established::after_handshake(connection.role(), None)
                            .with_deflate(deflate.as_negotiated())
                            .connection_with(&config, Keys(7));
                    }
                    for size in SIZES {
                        let message = Message::Text(prefix(&text, size));
                        let what = (sender, delivery, takeover, read, size);
                        assert_steady(&what, || {
                            let (connection, _, output) = &mut pair.ends[0];
                            connection
                                .send(message.with_compression(Compression::Always), output)
                                .unwrap();
                            connection.send_fragment(message, false, output).unwrap();
                            connection.send_fragment(message, true, output).unwrap();
                            assert_eq!(pair.carry(0), 3 * message.len(), "{what:?}");
                        });
                    }
                }
            }
        }
    }
}
