//! The messages that a server counts.

use std::io::Write as _;
use std::sync::mpsc;

use crate::common::*;
use crate::counts::{Echo, WAYS, assert_counts};
use sansock::drain::Drain;
use sansock::frame::Opcode;
use sansock::net::{Error, Incoming, WebSocket, Writer, client};
use sansock::{CloseCode, Config, Delivery, EncodedMessage, Message};

/// The sizes of a message: empty, short, with a longer header, written in place.
const SIZES: [usize; 6] = [0, 5, 125, 126, 40_000, 70_000];

fn total() -> usize {
    SIZES.iter().sum()
}

#[test]
fn messages_are_counted_with_the_bytes_that_the_program_sees() {
    for &(way, serve) in WAYS {
        let server = Running::start(|server| server, serve);
        let mut socket = client::connect(&server.url()).unwrap();
        let (mut messages, mut sum) = (0, 0);
        for size in SIZES {
            socket.send(bytes(1, size)).unwrap();
            assert_eq!(next_message(&mut socket).len(), size);
            // The connection is open, and what it has done is counted.
            (messages, sum) = (messages + 1, sum + size);
            let open = format!("connected 1, accepted 1, open_now 1, received.messages {messages}");
            let open = open + &format!(", sent.messages {messages}");
            let open = match sum {
                0 => open,
                sum => open + &format!(", received.payload_bytes {sum}, sent.payload_bytes {sum}"),
            };
            assert_counts(way, &server.handle, &open);
        }
        // Control frames are no messages.
        socket.ping(b"1234").unwrap();
        socket.close(CloseCode::NORMAL, "").unwrap();
        let closed = format!(
            "connected 1, accepted 1, close_received.1000 1, close_sent.1000 1, \
             received.messages 6, sent.messages 6, \
             received.payload_bytes {sum}, sent.payload_bytes {sum}",
        );
        assert_counts(way, &server.handle, &closed);
        server.stop();
    }
}

/// A way to send a binary message.
type BySocket = fn(&mut WebSocket, &[u8]) -> Result<(), Error>;
type ByWriter = fn(&Writer, &[u8]) -> Result<(), Error>;

/// All ways to send a message, each with every size.
#[test]
fn every_way_to_send_counts_a_message_once() {
    let whole: [(&str, BySocket); 6] = [
        ("send", |socket, bytes| socket.send(bytes)),
        ("queue", |socket, bytes| socket.queue(bytes)),
        ("send_encoded", |socket, bytes| {
            socket.send_encoded(&EncodedMessage::new(Message::Binary(bytes)))
        }),
        ("queue_encoded", |socket, bytes| {
            let message = EncodedMessage::new(Message::Binary(bytes));
            socket.outgoing().queue_encoded(&message)
        }),
        ("send_fragment", |socket, bytes| {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            socket.send_fragment(first, false)?;
            socket.send_fragment(second, true)
        }),
        ("ping between", |socket, bytes| {
            socket.ping(b"no message")?;
            socket.queue(bytes)
        }),
    ];
    for (way, send) in whole {
        assert_sends(way, move |incoming| {
            let mut socket = incoming.accept()?;
            SIZES.iter().try_for_each(|size| send(&mut socket, &bytes(7, *size)))?;
            socket.close(CloseCode::NORMAL, "").map(drop)
        });
    }
    let split: &[(&str, ByWriter)] = &[
        ("Writer::send", |writer, bytes| writer.send(bytes)),
        ("Writer::queue", |writer, bytes| writer.queue(bytes)),
        ("Writer::send_encoded", |writer, bytes| {
            writer.send_encoded(&EncodedMessage::new(Message::Binary(bytes)))
        }),
        ("Writer::queue_encoded", |writer, bytes| {
            writer.queue_encoded(&EncodedMessage::new(Message::Binary(bytes)))
        }),
        ("Writer::send_fragment", |writer, bytes| {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            writer.send_fragment(first, false)?;
            writer.send_fragment(second, true)
        }),
        #[cfg(feature = "hub")]
        ("Subscriber::send", |writer, bytes| {
            let inbox = writer.subscriber(sansock::hub::Budget::default());
            inbox.send(&EncodedMessage::new(Message::Binary(bytes)));
            until("the message is taken out", || !inbox.is_due());
            Ok(())
        }),
    ];
    for &(way, write) in split {
        assert_sends(way, move |incoming| {
            let (mut reader, writer) = incoming.accept()?.split()?;
            SIZES.iter().try_for_each(|size| write(&writer, &bytes(7, *size)))?;
            writer.start_close(CloseCode::NORMAL, "")?;
            while reader.next_event()?.is_some() {}
            // What is refused is not sent.
            assert!(writer.queue("late").is_err());
            Ok(())
        });
    }
}

fn assert_sends<F>(way: &str, serve: F)
where
    F: Fn(&Incoming) -> Result<(), Error> + Send + Sync + 'static,
{
    let server = Running::start(|server| server, serve);
    let mut socket = client::connect(&server.url()).unwrap();
    while socket.next_event().unwrap().is_some() {}
    let text = format!(
        "connected 1, accepted 1, close_received.1000 1, close_sent.1000 1, \
         sent.messages 6, sent.payload_bytes {}",
        total()
    );
    assert_counts(way, &server.handle, &text);
    server.stop();
}

#[test]
fn pieces_and_fragments_count_as_one_message() {
    let config = Config::new().delivery(Delivery::Chunks);
    let ways: [(&str, Echo); 2] = [
        ("whole", |incoming| {
            let mut socket = incoming.accept()?;
            while socket.next_event()?.is_some() {}
            Ok(())
        }),
        ("split", |incoming| {
            let (mut reader, _writer) = incoming.accept()?.split()?;
            while reader.next_message()?.is_some() {}
            Ok(())
        }),
    ];
    for (way, serve) in ways {
        for config in [config, Config::new()] {
            let server = Running::start(|server| server.config(config), serve);
            let mut socket = client::connect(&server.url()).unwrap();
            for size in SIZES {
                let message = bytes(1, size);
                let (first, second) = message.split_at(size / 2);
                socket.send_fragment(first, false).unwrap();
                socket.send_fragment(second, true).unwrap();
            }
            socket.close(CloseCode::NORMAL, "").unwrap();
            let text = format!(
                "connected 1, accepted 1, close_received.1000 1, close_sent.1000 1, \
                 received.messages 6, received.payload_bytes {}",
                total()
            );
            assert_counts(way, &server.handle, &text);
            server.stop();
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_count_with_the_bytes_before_compression() {
    use sansock::deflate::DeflateConfig;
    use sansock::net::Client;
    for &(way, serve) in WAYS {
        let server = Running::start(|server| server.deflate(DeflateConfig::server()), serve);
        let client = Client::new(&server.url()).unwrap().deflate(DeflateConfig::client());
        let mut socket = client.connect().unwrap();
        assert!(socket.deflate().is_some());
        for size in SIZES {
            socket.send(bytes(b'a', size)).unwrap();
            assert_eq!(next_message(&mut socket).len(), size);
        }
        socket.close(CloseCode::NORMAL, "").unwrap();
        let sum = total();
        let text = format!(
            "connected 1, accepted 1, close_received.1000 1, close_sent.1000 1, \
             received.messages 6, received.payload_bytes {sum}, \
             sent.messages 6, sent.payload_bytes {sum}",
        );
        assert_counts(way, &server.handle, &text);
        server.stop();
    }
}

/// Many connections at once, and writers on many threads: nothing is lost.
#[test]
fn a_hundred_clients_add_up() {
    const CLIENTS: u64 = 100;
    for &(way, serve) in WAYS {
        let server = Running::start(|server| server, serve);
        let (ready, all) = mpsc::channel();
        let threads: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (url, ready) = (server.url(), ready.clone());
                std::thread::spawn(move || {
                    let mut socket = client::connect(&url).unwrap();
                    for _ in 0..20 {
                        socket.send("Hello").unwrap();
                        assert_eq!(next_message(&mut socket), b"Hello");
                    }
                    ready.send(()).unwrap();
                    socket.close(CloseCode::NORMAL, "").unwrap();
                })
            })
            .collect();
        (0..CLIENTS).for_each(|_| all.recv_timeout(TIMEOUT).unwrap());
        for thread in threads {
            thread.join().unwrap();
        }
        let text = "connected 100, accepted 100, close_received.1000 100, close_sent.1000 100, \
            received.messages 2000, received.payload_bytes 10000, \
            sent.messages 2000, sent.payload_bytes 10000";
        assert_counts(way, &server.handle, text);
        server.stop();
    }
}

/// The client sees every byte: the heads of the handshake, control frames and messages, and the Close
/// frame that the server writes while the handler waits.
#[test]
fn the_bytes_on_the_wire_are_those_that_the_client_sends_and_receives() {
    for &(way, serve) in WAYS {
        let server = Running::start(|server| server, serve);
        let request = format!("{REQUEST}\r\n");
        let (mut stream, head) = raw_client(server.address());
        let (mut up, mut down) = (request.len(), head.len());
        for size in SIZES {
            let message = masked(Opcode::Binary, &bytes(1, size));
            stream.write_all(&message).unwrap();
            let echo = read_exactly(&mut stream, frame(Opcode::Binary, &bytes(1, size)).len());
            (up, down) = (up + message.len(), down + echo.len());
        }
        let ping = masked(Opcode::Ping, b"1234");
        stream.write_all(&ping).unwrap();
        let answer = read_exactly(&mut stream, frame(Opcode::Pong, b"1234").len());
        (up, down) = (up + ping.len(), down + answer.len());
        let wire = || {
            let counts = server.handle.counts();
            (counts.received.wire_bytes, counts.sent.wire_bytes)
        };
        // A client may have read what the server's thread is about to count.
        until("the Pong is counted", || wire().1 >= down as u64);
        assert_eq!(wire(), (up as u64, down as u64), "{way}");

        server.handle.start_drain(Drain::new());
        let close = read_exactly(&mut stream, 4);
        assert_eq!(close, close_frame(1001), "{way}");
        stream.write_all(&masked_close(1001)).unwrap();
        assert_eq!(read_to_end(&mut stream), b"", "{way}");
        let (up, down) = (up + masked_close(1001).len(), down + 4);
        until("the answer is counted", || wire().0 >= up as u64);
        assert_eq!(wire(), (up as u64, down as u64), "{way}");
        drop(stream);
        server.join();
    }
}

/// By the thread that publishes, and by the one that goes on when the client reads again.
#[test]
#[cfg(feature = "hub")]
fn what_is_published_is_counted_when_it_is_taken_out() {
    use sansock::hub::{Budget, Hub};

    const NUMBER: usize = 400;
    const LENGTH: usize = 50_000;

    let hub = Hub::new();
    let topic = hub.topic("news");
    let server = Running::start(
        |server| server,
        move |incoming| {
            let (mut reader, writer) = incoming.accept()?.split()?;
            let _subscription = topic.subscribe(&writer.subscriber(Budget::new(usize::MAX)));
            while reader.next_event()?.is_some() {}
            Ok(())
        },
    );
    let mut socket = client::connect(&server.url()).unwrap();
    until("it has subscribed", || hub.topic("news").subscriptions() == 1);
    (0..NUMBER).for_each(|_| assert_eq!(hub.topic("news").publish(bytes(1, LENGTH)).accepted, 1));
    let waiting = hub.counts().waiting;
    assert!(waiting > 0, "the network has taken all");
    for _ in 0..NUMBER {
        assert_eq!(next_message(&mut socket).len(), LENGTH);
    }
    let sent = server.handle.counts().sent;
    assert_eq!((sent.messages, sent.payload_bytes), (NUMBER as u64, (NUMBER * LENGTH) as u64));
    socket.close(CloseCode::NORMAL, "").unwrap();
    server.stop();
}
