//! The opening handshake with the types of the crate `http`, for programs whose HTTP library has
//! parsed the request or the response: hyper, axum, h2 and others.
//!
//! The checks, errors, statuses and negotiation are those of
//! [`ServerHandshake`](crate::handshake::ServerHandshake) and
//! [`ClientHandshake`](crate::handshake::ClientHandshake). The HTTP library reads and writes the
//! heads, so its limits apply and not [`HeadLimits`](crate::handshake::HeadLimits). When the response
//! has left, or has arrived, the stream that the library hands over belongs to the WebSocket:
//! [`Established`](crate::handshake::Established) makes its connection.
//!
//! With extended CONNECT (RFC 8441) an end of the stream (`END_STREAM`) is the end of the transport,
//! and a reset (`RST_STREAM`) with CANCEL drops it. A server announces
//! `SETTINGS_ENABLE_CONNECT_PROTOCOL`, and a client waits for it; both are the HTTP library's.
#![cfg(feature = "http")]

mod client;
mod fields;
mod server;

pub use client::HttpClientHandshake;
pub use server::HttpServerHandshake;
