//! The client's nonce (RFC 6455, 4.1).

use rand::Rng;

/// Returns a nonce for the client's opening handshake: "a nonce consisting of a randomly selected
/// 16-byte value" that "MUST be selected randomly for each connection" (RFC 6455, 4.1).
#[must_use]
pub fn random_nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    rand::rng().fill_bytes(&mut nonce);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_differ() {
        assert_ne!(random_nonce(), random_nonce());
    }
}
