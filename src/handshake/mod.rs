//! The opening handshake (RFC 6455, 4), both roles, without I/O.
//!
//! [`ClientHandshake`] and [`ServerHandshake`] take the peer's head out of the receive buffer as
//! its bytes arrive, check it, and write their own to the send buffer. They end in [`Established`],
//! which makes the connection. Bytes after the peer's head stay in the receive buffer: they are
//! frames.

mod answer;
mod body;
mod carrier;
mod client;
mod deflate;
mod error;
mod established;
mod expected;
mod extensions;
mod fields;
mod head;
pub(crate) mod headers;
mod host;
pub mod http;
mod key;
mod limits;
mod offer;
mod opening;
mod origin;
mod random;
mod request;
mod request_line;
mod response;
pub(crate) mod response_reader;
mod server;
pub(crate) mod status_line;

pub use answer::{Answer, Rejection};
pub use carrier::Carrier;
pub use client::ClientHandshake;
pub use error::{HandshakeError, HeadError, Incomplete, RequestError, ResponseError, UsageError};
pub use established::Established;
pub use fields::Headers;
pub use host::{Host, HostPolicy, InvalidHost};
pub use key::accept_key;
pub use limits::HeadLimits;
pub use offer::Offer;
pub use opening::Opening;
pub use origin::{InvalidOrigin, Origin, OriginPolicy};
#[cfg(feature = "rand")]
pub use random::random_nonce;
pub use request::Request;
pub use response::Response;
pub use server::ServerHandshake;
