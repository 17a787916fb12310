//! Answers to messages that came with others.

use sansock::{Connection, SendBuffer};
use sansock_tokio::{Config, Event, ReceiveBuffer, WebSocket};
use testkit::frame::{BINARY, FIN, Frame};

#[tokio::test]
async fn the_answer_to_the_last_message_takes_those_before_along() {
    let payload = vec![7; 10_000];
    let mut input = ReceiveBuffer::new();
    let message = Frame { first: FIN | BINARY, key: Some([0; 4]), payload: payload.clone() };
    input.extend_from_slice(&message.bytes().repeat(3));
    let (io, _peer) = tokio::io::duplex(1 << 20);
    let connection = Connection::server(&Config::new());
    let mut socket = WebSocket::new(io, connection, input, SendBuffer::new());
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let Some((Event::Message(message), mut outgoing)) = socket.exchange().await.unwrap() else {
            panic!("no message");
        };
        outgoing.queue(message).unwrap();
        waiting.push(outgoing.buffered_amount());
    }
    assert_eq!(waiting, [10_004, 20_008, 0]);

    // What the program says on its own is written with what follows.
    socket.queue(payload).unwrap();
    assert_eq!(socket.buffered_amount(), 10_004);
}
