//! Async WebSocket (RFC 6455) on tokio.

mod client;
mod clock;
mod link;
mod message;
mod opening;
mod outgoing;
mod pool;
mod server;
mod split;
mod stream;
#[cfg(not(feature = "rustls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "rustls")]
pub mod tls;
mod transport;
mod websocket;
mod write;

pub use bytestring::ByteString;
pub use client::{Client, connect};
pub use message::Message;
pub use outgoing::Outgoing;
#[cfg(feature = "deflate")]
pub use sansock::deflate;
pub use sansock::net::{Error, HandlerResult, ServerError};
pub use sansock::{
    AsMessage, CloseCode, Config, Delivery, EncodedMessage, Event, Keepalive, Limits, Outcome,
    Timeouts, handshake, uri,
};
pub use server::{Incoming, Server, ServerHandle};
pub use split::{Reader, Writer};
pub use transport::Stream;
pub use websocket::WebSocket;
