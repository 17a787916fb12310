use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sansock::Role;
use sockudo_ws::{Config, Message, WebSocketStream};

use super::{Peer, seen};
use crate::memory::Memory;
use crate::transport::drive;

/// A client's masking keys come from fastrand, which does not make them hard to foresee (RFC 6455,
/// 5.3), and what a program sends as text is not checked.
pub(super) const PEER: Peer = Peer {
    name: "sockudo-ws",
    receive: |role, transport| {
        let mut socket = socket(role, transport);
        Box::new(move |messages| {
            drive(async {
                let mut bytes = 0;
                for _ in 0..messages {
                    bytes += seen(socket.next().await.unwrap().unwrap().as_bytes());
                }
                bytes
            })
        })
    },
    send: |role, transport, payload| {
        let mut socket = socket(role, transport);
        let (size, message) = (payload.len(), Message::Binary(Bytes::from(payload)));
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
    let role = match role {
        Role::Client => sockudo_ws::Role::Client,
        Role::Server => sockudo_ws::Role::Server,
    };
    WebSocketStream::from_raw(transport, role, Config::default())
}
