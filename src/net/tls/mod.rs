//! TLS for the blocking client and server, with [`rustls`] (feature `rustls`).
//!
//! ```no_run
//! let mut socket = sansock::net::client::connect("wss://chat.example/")?;
//! socket.send("Hello")?;
//! # Ok::<(), sansock::net::Error>(())
//! ```
//!
//! A `wss:` URL needs nothing more: [`connect`](super::client::connect) trusts whom the operating
//! system trusts, and checks that the certificate is for the URL's host. [`Connector`] has the options.
//! [`Server::tls`](super::Server::tls) and an [`Acceptor`] serve `wss:`. What they give is the same
//! [`WebSocket`](super::WebSocket) as without TLS: timeouts, `split` and a server's shutdown work as
//! there.
//!
//! TLS 1.2 and 1.3 with the cryptography of *ring*, whatever the process's default provider is; ALPN
//! offers `http/1.1`. For all else make a configuration of rustls, which [`Connector`] and [`Acceptor`]
//! take as it is. The TLS handshake counts into [`Timeouts::handshake`](crate::Timeouts::handshake).
//! An end of the stream without `close_notify`, before the peer's Close frame, is
//! [`TlsError::Truncated`].

mod acceptor;
mod anyone;
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
