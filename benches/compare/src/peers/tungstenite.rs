use sansock::Role;
use tungstenite::{Message, WebSocket, protocol};

use super::{Peer, seen};
use crate::memory::Memory;

pub(super) const PEER: Peer = Peer {
    name: "tungstenite",
    receive: |role, transport| {
        let mut socket = socket(role, transport);
        Box::new(move |messages| {
            (0..messages)
                .map(|_| match socket.read().unwrap() {
                    Message::Text(text) => seen(text.as_bytes()),
                    Message::Binary(bytes) => seen(&bytes),
                    other => unreachable!("{other:?}"),
                })
                .sum()
        })
    },
    send: |role, transport, payload| {
        let mut socket = socket(role, transport);
        // Its messages share their bytes, so a clone copies nothing.
        let (size, message) = (payload.len(), Message::binary(payload));
        Box::new(move |messages| {
            (0..messages).for_each(|_| socket.send(message.clone()).unwrap());
            messages * size
        })
    },
};

fn socket(role: Role, transport: Memory) -> WebSocket<Memory> {
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    WebSocket::from_raw_socket(transport, role, None)
}
