//! What a TLS handshake has agreed on.

use rustls::{Connection, ProtocolVersion};

/// What the TLS handshake has agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedTls {
    /// The version of the protocol.
    pub version: Option<ProtocolVersion>,
    /// The ALPN protocol, `http/1.1`; `None` if the peer does not support ALPN.
    pub alpn: Option<Vec<u8>>,
    /// The peer's certificates in DER, its own first. A client shows them only to a server that
    /// requires them.
    pub peer_certificates: Vec<Vec<u8>>,
}

impl From<&Connection> for NegotiatedTls {
    fn from(tls: &Connection) -> Self {
        let chain = tls.peer_certificates().unwrap_or_default();
        Self {
            version: tls.protocol_version(),
            alpn: tls.alpn_protocol().map(Into::into),
            peer_certificates: chain.iter().map(|certificate| certificate.to_vec()).collect(),
        }
    }
}
