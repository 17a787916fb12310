//! `web::WebSocket` against the steps of the browsers' standard, with servers of our own that
//! behave as each step needs. `interop/web` has servers of another make.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

#[cfg(feature = "rustls")]
#[path = "../tls/certificates.rs"]
#[expect(dead_code, reason = "it is shared with the tests of TLS")]
mod certificates;
mod close;
mod constructor;
mod feedback;
mod handlers;
mod pull;
mod send;
mod server;
#[cfg(feature = "rustls")]
mod wss;
