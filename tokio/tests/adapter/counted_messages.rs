//! The messages that a server counts.

use std::pin::Pin;

use sansock::{Message, Role};
use sansock_tokio::{
    CloseCode, Config, Delivery, EncodedMessage, Error, Incoming, WebSocket, Writer,
};
use testkit::wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{Running, drain};
use crate::counts::{WAYS, assert_counts, upgrade};

/// The sizes of a message: empty, short, with a longer header, written in place.
const SIZES: [usize; 6] = [0, 5, 125, 126, 40_000, 70_000];

fn total() -> usize {
    SIZES.iter().sum()
}

const CLOSED: &str = "connected 1, accepted 1, close_received.1000 1, close_sent.1000 1";

#[tokio::test]
async fn messages_are_counted_with_the_bytes_that_the_program_sees() {
    for (way, handler) in WAYS {
        let running = Running::start(|server| server, handler).await;
        let counts = || running.handle.counts();
        let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
        let mut sum = 0;
        for (messages, size) in (1..).zip(SIZES) {
            socket.send(vec![1; size]).await.unwrap();
            assert_eq!(socket.next_message().await.unwrap().unwrap().as_message().len(), size);
            sum += size;
            // The connection is open, and what it has done is counted.
            let both = |what: &str, n: usize| format!(", received.{what} {n}, sent.{what} {n}");
            let bytes = if sum > 0 { both("payload_bytes", sum) } else { String::new() };
            let messages = both("messages", messages);
            let open = format!("connected 1, accepted 1, open_now 1{messages}{bytes}");
            assert_counts(way, counts, &open).await;
        }
        // Control frames are no messages.
        socket.ping(b"1234").await.unwrap();
        socket.close(CloseCode::NORMAL, "").await.unwrap();
        let closed = format!(
            "{CLOSED}, received.messages 6, received.payload_bytes {sum}, \
             sent.messages 6, sent.payload_bytes {sum}"
        );
        assert_counts(way, counts, &closed).await;
        running.end().await;
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;
type BySocket = for<'a> fn(&'a mut WebSocket, &'a [u8]) -> Sending<'a>;
type ByWriter = for<'a> fn(&'a Writer, &'a [u8]) -> Sending<'a>;

fn encoded(bytes: &[u8]) -> EncodedMessage {
    EncodedMessage::new(Message::Binary(bytes))
}

#[tokio::test]
async fn every_way_to_send_on_a_whole_connection_counts_a_message_once() {
    let ways: [(&str, BySocket); 5] = [
        ("send", |socket, bytes| Box::pin(socket.send(bytes))),
        ("queue", |socket, bytes| Box::pin(async move { socket.queue(bytes) })),
        ("send_encoded", |socket, bytes| {
            Box::pin(async move { socket.send_encoded(&encoded(bytes)).await })
        }),
        ("queue_encoded", |socket, bytes| {
            Box::pin(async move { socket.outgoing().queue_encoded(&encoded(bytes)) })
        }),
        ("send_fragment", |socket, bytes| {
            Box::pin(async move {
                let (first, second) = bytes.split_at(bytes.len() / 2);
                socket.send_fragment(first, false).await?;
                socket.send_fragment(second, true).await
            })
        }),
    ];
    for (way, send) in ways {
        assert_sends(way, move |incoming: Incoming| async move {
            let mut socket = incoming.accept().await?;
            for size in SIZES {
                send(&mut socket, &vec![7; size]).await?;
            }
            socket.close(CloseCode::NORMAL, "").await?;
            Ok(())
        })
        .await;
    }
}

#[tokio::test]
async fn every_way_to_send_on_a_split_connection_counts_a_message_once() {
    let ways: &[(&str, ByWriter)] = &[
        ("send", |writer, bytes| Box::pin(writer.send(bytes))),
        ("queue", |writer, bytes| Box::pin(async move { writer.queue(bytes) })),
        ("send_encoded", |writer, bytes| {
            Box::pin(async move { writer.send_encoded(&encoded(bytes)).await })
        }),
        ("queue_encoded", |writer, bytes| {
            Box::pin(async move { writer.queue_encoded(&encoded(bytes)) })
        }),
        ("send_fragment", |writer, bytes| {
            Box::pin(async move {
                let (first, second) = bytes.split_at(bytes.len() / 2);
                writer.send_fragment(first, false).await?;
                writer.send_fragment(second, true).await
            })
        }),
        #[cfg(feature = "hub")]
        ("Subscriber::send", |writer, bytes| {
            Box::pin(async move {
                let inbox = writer.subscriber(sansock_tokio::hub::Budget::default());
                inbox.send(&encoded(bytes));
                while inbox.is_due() {
                    writer.flush().await?;
                }
                Ok(())
            })
        }),
    ];
    for &(way, write) in ways {
        assert_sends(way, move |incoming: Incoming| async move {
            let (mut reader, writer) = incoming.accept().await?.split();
            for size in SIZES {
                write(&writer, &vec![7; size]).await?;
            }
            writer.ping(b"no message").await?;
            reader.close(CloseCode::NORMAL, "").await?;
            // What is refused is not sent.
            assert!(writer.queue("late").is_err());
            Ok(())
        })
        .await;
    }
}

async fn assert_sends<F, H>(way: &str, handler: F)
where
    F: Fn(Incoming) -> H + Send + Sync + 'static,
    H: Future<Output = sansock_tokio::HandlerResult> + Send + 'static,
{
    let running = Running::start(|server| server, handler).await;
    let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
    drain(&mut socket).await.unwrap();
    let text = format!("{CLOSED}, sent.messages 6, sent.payload_bytes {}", total());
    assert_counts(way, || running.handle.counts(), &text).await;
    running.end().await;
}

#[tokio::test]
async fn pieces_and_fragments_count_as_one_message() {
    for (way, handler) in WAYS {
        // `echo` answers whole messages only.
        let config = Config::new().delivery(Delivery::Chunks);
        let running = Running::start(|server| server.config(config), handler).await;
        let mut socket = sansock_tokio::connect(&running.url).await.unwrap();
        for size in SIZES {
            let message = vec![1; size];
            let (first, second) = message.split_at(size / 2);
            socket.send_fragment(first, false).await.unwrap();
            socket.send_fragment(second, true).await.unwrap();
        }
        socket.close(CloseCode::NORMAL, "").await.unwrap();
        let text = format!("{CLOSED}, received.messages 6, received.payload_bytes {}", total());
        assert_counts(way, || running.handle.counts(), &text).await;
        running.end().await;
    }
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn compressed_messages_count_with_the_bytes_before_compression() {
    use sansock_tokio::deflate::DeflateConfig;
    for (way, handler) in WAYS {
        let deflates = |server: sansock_tokio::Server| server.deflate(DeflateConfig::server());
        let running = Running::start(deflates, handler).await;
        let client = sansock_tokio::Client::new(&running.url).unwrap();
        let mut socket = client.deflate(DeflateConfig::client()).connect().await.unwrap();
        assert!(socket.deflate().is_some());
        for size in SIZES {
            socket.send(vec![b'a'; size]).await.unwrap();
            assert_eq!(socket.next_message().await.unwrap().unwrap().as_message().len(), size);
        }
        socket.close(CloseCode::NORMAL, "").await.unwrap();
        let sum = total();
        let text = format!(
            "{CLOSED}, received.messages 6, received.payload_bytes {sum}, \
             sent.messages 6, sent.payload_bytes {sum}"
        );
        assert_counts(way, || running.handle.counts(), &text).await;
        running.end().await;
    }
}

/// Many connections on many threads: nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_clients_add_up() {
    for (way, handler) in WAYS {
        let running = Running::start(|server| server, handler).await;
        let clients: Vec<_> = (0..100)
            .map(|_| {
                let url = running.url.clone();
                tokio::spawn(async move {
                    let mut socket = sansock_tokio::connect(&url).await.unwrap();
                    for _ in 0..20 {
                        socket.send("Hello").await.unwrap();
                        assert!(socket.next_message().await.unwrap().is_some());
                    }
                    socket.close(CloseCode::NORMAL, "").await.unwrap();
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let text = "connected 100, accepted 100, close_received.1000 100, close_sent.1000 100, \
            received.messages 2000, received.payload_bytes 10000, \
            sent.messages 2000, sent.payload_bytes 10000";
        assert_counts(way, || running.handle.counts(), text).await;
        running.end().await;
    }
}

/// The client sees every byte: the heads of the handshake, control frames and messages.
#[tokio::test]
async fn the_bytes_on_the_wire_are_those_that_the_client_sends_and_receives() {
    for (way, handler) in WAYS {
        let running = Running::start(|server| server, handler).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let (mut up, mut down) = upgrade(&mut stream).await;
        for size in SIZES {
            let message = wire::frame(Role::Server, wire::FIN | wire::BINARY, &vec![1; size]);
            stream.write_all(&message).await.unwrap();
            let mut echo = wire::frame(Role::Client, wire::FIN | wire::BINARY, &vec![1; size]);
            stream.read_exact(&mut echo).await.unwrap();
            (up, down) = (up + message.len(), down + echo.len());
        }
        let close = wire::frame(Role::Server, wire::CLOSE, &[3, 0xe8]);
        stream.write_all(&close).await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [0x88, 2, 3, 0xe8], "{way}");
        let counts = running.handle.counts();
        let wire = (counts.received.wire_bytes, counts.sent.wire_bytes);
        let seen = (up + close.len(), down + rest.len());
        assert_eq!(wire, (seen.0 as u64, seen.1 as u64), "{way}");
        drop(stream);
        running.end().await;
    }
}
