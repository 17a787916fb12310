use bytes::Bytes;
use futures_util::SinkExt;
use sansock::Role;
use yawc::{Frame, Options, WebSocket};

use super::{Peer, seen};
use crate::memory::Memory;
use crate::transport::drive;

pub(super) const PEER: Peer = Peer {
    name: "yawc",
    receive: |role, transport| {
        let mut socket = socket(role, transport);
        Box::new(move |messages| {
            drive(async {
                let mut bytes = 0;
                for _ in 0..messages {
                    bytes += seen(socket.next_frame().await.unwrap().payload());
                }
                bytes
            })
        })
    },
    send: |role, transport, payload| {
        let mut socket = socket(role, transport);
        let payload = Bytes::from(payload);
        Box::new(move |messages| {
            drive(async {
                for _ in 0..messages {
                    socket.send(Frame::binary(payload.clone())).await.unwrap();
                }
            });
            messages * payload.len()
        })
    },
};

fn socket(role: Role, transport: Memory) -> WebSocket<Memory> {
    let role = match role {
        Role::Client => yawc::Role::Client,
        Role::Server => yawc::Role::Server,
    };
    // It checks text only on request, and its default limits are smaller than ours.
    let options =
        Options::default().without_compression().with_utf8().with_limits(8 << 20, 8 << 20);
    WebSocket::from_stream(transport, role, options).unwrap()
}
