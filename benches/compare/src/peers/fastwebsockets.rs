use fastwebsockets::{FragmentCollector, Frame, Payload, WebSocket};
use sansock::Role;

use super::{Peer, seen};
use crate::memory::Memory;
use crate::transport::drive;

pub(super) const PEER: Peer = Peer {
    name: "fastwebsockets",
    receive: |role, transport| {
        // It checks text and joins fragments.
        let mut socket = FragmentCollector::new(socket(role, transport));
        Box::new(move |messages| {
            drive(async {
                let mut bytes = 0;
                for _ in 0..messages {
                    bytes += seen(&socket.read_frame().await.unwrap().payload);
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
                    let frame = Frame::binary(Payload::Borrowed(&payload));
                    socket.write_frame(frame).await.unwrap();
                }
            });
            messages * payload.len()
        })
    },
};

fn socket(role: Role, transport: Memory) -> WebSocket<Memory> {
    let role = match role {
        Role::Client => fastwebsockets::Role::Client,
        Role::Server => fastwebsockets::Role::Server,
    };
    WebSocket::after_handshake(transport, role)
}
