//! This crate's adapter for tokio, without a runtime: the transport is always ready.

use sansock::handshake::Established;
use sansock::{Config, Event, ReceiveBuffer, Role};
use sansock_tokio::WebSocket;

use super::{Peer, seen};
use crate::memory::Memory;
use crate::transport::drive;

pub(super) const PEER: Peer = Peer {
    name: "sansock-tokio",
    receive: |role, transport| {
        let mut socket = socket(role, transport);
        Box::new(move |messages| {
            drive(async {
                let mut bytes = 0;
                for _ in 0..messages {
                    bytes += match socket.recv().await.unwrap() {
                        Some(Event::Message(message)) => seen(message.as_bytes()),
                        other => unreachable!("{other:?}"),
                    };
                }
                bytes
            })
        })
    },
    send: |role, transport, payload| {
        let mut socket = socket(role, transport);
        Box::new(move |messages| {
            drive(async {
                for _ in 0..messages {
                    socket.send(&payload).await.unwrap();
                }
            });
            messages * payload.len()
        })
    },
};

fn socket(role: Role, transport: Memory) -> WebSocket<Memory> {
    let established = Established::after_handshake(role, None);
    WebSocket::from_established(transport, established, &Config::new(), ReceiveBuffer::new())
}
