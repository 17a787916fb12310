//! What every configuration of ours has.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// The same whatever features others have turned on in rustls: its choice of a default can panic.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// "http/1.1" (RFC 7301, 6): WebSocket begins there.
pub(super) fn http_1_1() -> Vec<Vec<u8>> {
    vec![b"http/1.1".to_vec()]
}
