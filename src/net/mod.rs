//! Blocking client and server over [`std::net`].
//!
//! [`client::connect`] and [`Server`] give a [`WebSocket`]. One thread reads and writes; with
//! [`WebSocket::split`] one thread reads while others write.

pub mod client;
mod error;
mod linger;
mod opening;
mod outgoing;
mod server;
mod slot;
mod split;
mod stream;
mod websocket;

pub use client::Client;
pub use error::Error;
pub use outgoing::Outgoing;
pub use server::{Incoming, Server, ServerHandle};
pub use split::{Reader, Writer};
pub use stream::{Socket, Tcp};
pub use websocket::{Next, WebSocket};
