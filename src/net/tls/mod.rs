//! TLS for the blocking client and server, with [`rustls`] (feature `rustls`).
//!
//! ```no_run
//! let mut socket = sansock::net::client::connect("wss://chat.example/")?;
//! socket.send("Hello")?;
//! # Ok::<(), sansock::net::Error>(())
//! ```
//!
//! A `wss:` URL needs nothing more: [`connect`](super::client::connect) trusts the certificate
//! authorities that the operating system trusts, and checks that the certificate is for the URL's
//! host. [`Connector`] has options. [`Server::tls`](super::Server::tls) with an [`Acceptor`] serves
//! `wss:`. Both give the same [`WebSocket`](super::WebSocket) as without TLS: timeouts, `split` and
//! the shutdown of a server work alike.
//!
//! TLS 1.2 and 1.3 are supported, with the cryptography of *ring*, whatever the default provider of
//! the process is. ALPN offers `http/1.1`. For everything else, build a configuration of rustls,
//! which [`Connector`] and [`Acceptor`] take as it is.
//! [`Timeouts::handshake`](crate::Timeouts::handshake) includes the TLS handshake. If the stream
//! ends without `close_notify` before the peer's Close frame, the error is [`TlsError::Truncated`].

mod acceptor;
mod any_certificate;
mod connector;
mod error;
mod methods;
#[cfg(feature = "webpki-roots")]
mod mozilla;
mod negotiated;
mod pem;
mod provider;
mod records;
mod session;

pub use self::acceptor::{Acceptor, AcceptorBuilder};
pub use self::connector::{Connector, ConnectorBuilder};
pub use self::error::TlsError;
pub use self::negotiated::NegotiatedTls;
pub(super) use self::session::Session;
pub use ::rustls;
