//! The libraries, each used as its documentation recommends for speed, with its checks enabled.

mod fastwebsockets;
mod sansock;
mod sansock_tokio;
mod sockudo_ws;
mod tokio_websockets;
mod tungstenite;
mod wtx;
mod yawc;

use std::hint::black_box;

use ::sansock::Role;

use crate::memory::Memory;

/// Receives or sends this many messages, and returns the bytes of payload.
pub(crate) type Run = Box<dyn FnMut(usize) -> usize>;

pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) receive: fn(Role, Memory) -> Run,
    /// Each message must be written before the next is sent.
    pub(crate) send: fn(Role, Memory, Vec<u8>) -> Run,
}

pub(crate) const ALL: [Peer; 9] = [
    sansock::BLOCKING,
    sansock::CORE,
    sansock_tokio::PEER,
    tungstenite::PEER,
    fastwebsockets::PEER,
    tokio_websockets::PEER,
    yawc::PEER,
    sockudo_ws::PEER,
    wtx::PEER,
];

/// Uses a payload with as little work as possible.
#[inline]
fn seen(payload: &[u8]) -> usize {
    black_box(payload.first());
    black_box(payload.last());
    payload.len()
}
