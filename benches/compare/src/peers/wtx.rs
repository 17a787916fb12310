use sansock::Role;
use wtx::collection::Vector;
use wtx::rng::{Xorshift64, simple_seed};
use wtx::web_socket::{Frame, OpCode, WebSocket, WebSocketBuffer, WebSocketPayloadOrigin};

use super::{Peer, Run, seen};
use crate::memory::Memory;
use crate::transport::drive;

pub(super) const PEER: Peer = Peer {
    name: "wtx",
    receive: |role, transport| match role {
        Role::Client => receive::<true>(transport),
        Role::Server => receive::<false>(transport),
    },
    send: |role, transport, payload| match role {
        Role::Client => send::<true>(transport, payload),
        Role::Server => send::<false>(transport, payload),
    },
};

type Socket<const CLIENT: bool> = WebSocket<(), Xorshift64, Memory, WebSocketBuffer, CLIENT>;

fn socket<const CLIENT: bool>(transport: Memory) -> Socket<CLIENT> {
    let rng = Xorshift64::from(simple_seed());
    WebSocket::new((), false, rng, transport, WebSocketBuffer::default())
}

fn receive<const CLIENT: bool>(transport: Memory) -> Run {
    let mut socket = socket::<CLIENT>(transport);
    let mut buffer = Vector::new();
    Box::new(move |messages| {
        drive(async {
            let mut bytes = 0;
            for _ in 0..messages {
                let origin = WebSocketPayloadOrigin::Adaptive;
                bytes += seen(socket.read_frame(&mut buffer, origin).await.unwrap().payload());
                buffer.clear();
            }
            bytes
        })
    })
}

/// A client's payload is masked in the caller's buffer; the copy that a program needs to keep the
/// original is not measured.
fn send<const CLIENT: bool>(transport: Memory, mut payload: Vec<u8>) -> Run {
    let mut socket = socket::<CLIENT>(transport);
    Box::new(move |messages| {
        drive(async {
            for _ in 0..messages {
                let mut frame = Frame::<_, CLIENT>::new_fin(OpCode::Binary, &mut payload[..]);
                socket.write_frame(&mut frame).await.unwrap();
            }
        });
        messages * payload.len()
    })
}
