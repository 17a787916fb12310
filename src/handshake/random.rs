//! What is drawn at random: the client's nonce (RFC 6455, 4.1), and the masking keys of its
//! connection.
#![cfg(feature = "rand")]

use super::established::Established;
use crate::config::Config;
use crate::connection::Connection;
use crate::mask::RandomMasks;
use crate::mask::random::fill;

impl Established {
    /// Makes the connection. A client takes its masking keys from
    /// [`RandomMasks`](crate::mask::RandomMasks).
    #[must_use]
    pub fn connection(&self, config: &Config) -> Connection {
        self.connection_with(config, RandomMasks::new())
    }
}

/// Returns a nonce for the client's opening handshake: "a nonce consisting of a randomly selected
/// 16-byte value" that "MUST be selected randomly for each connection" (RFC 6455, 4.1).
#[must_use]
pub fn random_nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    fill(&mut nonce);
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
