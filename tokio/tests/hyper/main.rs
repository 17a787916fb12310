//! WebSocket on hyper, over HTTP/1.1 and HTTP/2, in memory.
#![cfg(feature = "hyper")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod accept;
mod client;
mod close;
mod common;
mod many;
mod refuse;
