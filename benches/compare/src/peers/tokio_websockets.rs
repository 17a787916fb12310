use futures_util::{SinkExt, StreamExt};
use sansock::Role;
use tokio_websockets::{ClientBuilder, Message, ServerBuilder, WebSocketStream};

use super::{Peer, seen};
use crate::memory::Memory;
use crate::transport::drive;

pub(super) const PEER: Peer = Peer {
    name: "tokio-websockets",
    receive: |role, transport| {
        let mut socket = socket(role, transport);
        Box::new(move |messages| {
            drive(async {
                let mut bytes = 0;
                for _ in 0..messages {
                    let message = socket.next().await.unwrap().unwrap();
                    // Text is checked on access.
                    bytes += match message.as_text() {
                        Some(text) => seen(text.as_bytes()),
                        None => seen(message.as_payload()),
                    };
                }
                bytes
            })
        })
    },
    send: |role, transport, payload| {
        let mut socket = socket(role, transport);
        let (size, message) = (payload.len(), Message::binary(payload));
        Box::new(move |messages| {
            drive(async {
                for _ in 0..messages {
                    socket.send(message.clone()).await.unwrap();
                }
            });
            messages * size
        })
    },
};

fn socket(role: Role, transport: Memory) -> WebSocketStream<Memory> {
    match role {
        Role::Client => ClientBuilder::new().take_over(transport),
        Role::Server => ServerBuilder::new().serve(transport),
    }
}
