//! What all configurations made here share.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// Always *ring*. The default that rustls chooses depends on the features that other crates enable,
/// and can panic.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The ALPN protocol "http/1.1" (RFC 7301, 6), with which a WebSocket handshake begins.
pub(super) fn http_1_1() -> Vec<Vec<u8>> {
    vec![b"http/1.1".to_vec()]
}
