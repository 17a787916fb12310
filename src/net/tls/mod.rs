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
#[cfg(feature = "webpki-roots")]
mod mozilla;
mod pem;
mod records;
mod session;

pub use self::acceptor::{Acceptor, AcceptorBuilder};
pub use self::connector::{Connector, ConnectorBuilder};
pub use self::error::TlsError;
pub(super) use self::session::Session;
pub use ::rustls;

use std::sync::Arc;

use ::rustls::ProtocolVersion;
use ::rustls::crypto::{CryptoProvider, ring};

use super::Stream;

/// What the TLS handshake has agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// The version of the protocol.
    pub version: Option<ProtocolVersion>,
    /// The ALPN protocol, `http/1.1`; `None` if the peer knows no ALPN.
    pub alpn: Option<Vec<u8>>,
    /// The certificates that the peer has shown, in DER, its own first; those of a client only if the
    /// server wants them.
    pub peer_certificates: Vec<Vec<u8>>,
}

impl Stream {
    /// What the TLS handshake has agreed on; `None` without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<Agreed> {
        self.0.tls.as_ref().map(|session| {
            session.look(|tls| Agreed {
                version: tls.protocol_version(),
                alpn: tls.alpn_protocol().map(Into::into),
                peer_certificates: tls
                    .peer_certificates()
                    .map(|chain| chain.iter().map(|certificate| certificate.to_vec()).collect())
                    .unwrap_or_default(),
            })
        })
    }
}

/// The same whatever features others have turned on in rustls: its choice of a default can panic.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// "http/1.1" (RFC 7301, 6): WebSocket begins there.
fn http_1_1() -> Vec<Vec<u8>> {
    vec![b"http/1.1".to_vec()]
}
