//! Blocking client and server over [`std::net`].
//!
//! [`client::connect`] and [`Server`] give a [`WebSocket`]. One thread reads and writes; with
//! [`WebSocket::split`] one thread reads while others write.
//!
//! With the feature `rustls` all of it works over TLS too, with the same types: `connect` takes
//! `wss:` URLs, and `tls` has the options of clients and servers.

mod blocking;
pub mod client;
mod error;
mod linger;
pub(crate) mod lock;
mod opening;
mod outgoing;
mod server;
mod slot;
mod split;
mod stream;
#[cfg(feature = "rustls")]
pub mod tls;
#[cfg(not(feature = "rustls"))]
#[path = "no_tls.rs"]
mod tls;
mod websocket;

pub use client::Client;
pub use error::Error;
pub use outgoing::Outgoing;
pub use server::{Incoming, Server, ServerHandle};
pub use split::{Reader, Writer};
pub use stream::{Socket, Stream};
pub use tls::TlsError;
pub use websocket::{Next, WebSocket};
