//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455, 4.2.2).

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, PAD, STANDARD};
use sha1::{Digest, Sha1};

/// "which is unlikely to be used by network endpoints that do not understand the WebSocket
/// Protocol" (1.3)
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded" (4.1)
pub(crate) fn encode(nonce: [u8; 16]) -> String {
    STANDARD.encode(nonce)
}

/// Whether `key` is "a base64-encoded [...] value that, when decoded, is 16 bytes in length"
/// (4.2.1).
///
/// The four unused bits of the last character are not checked: they have no effect.
pub(crate) fn is_valid(key: &[u8]) -> bool {
    const ENGINE: GeneralPurpose =
        GeneralPurpose::new(&ALPHABET, PAD.with_decode_allow_trailing_bits(true));
    ENGINE.decode_slice(key, &mut [0; 18]) == Ok(16)
}

/// Returns the value of `Sec-WebSocket-Accept` for the value of `Sec-WebSocket-Key`, which is not
/// checked. For a handshake that other code does
/// ([`Established::after_handshake`](crate::handshake::Established::after_handshake)); the others
/// call this.
///
/// ```
/// let accept = sansock::handshake::accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    // "concatenating /key/ [...] with the string "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", taking the
    // SHA-1 hash of this concatenated value to obtain a 20-byte value and base64-encoding [...] this
    // 20-byte hash." (4.2.2)
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_section_1_3() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn the_example_of_section_4_1() {
        let nonce: [u8; 16] = std::array::from_fn(|i| u8::try_from(i + 1).unwrap());
        assert_eq!(encode(nonce), "AQIDBAUGBwgJCgsMDQ4PEA==");
    }

    #[test]
    fn the_key_is_16_bytes_in_base64() {
        for key in
            ["dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAA==", "//////////////////////=="]
        {
            assert!(is_valid(key.as_bytes()), "{key}");
        }
        assert!(is_valid(encode([0xa5; 16]).as_bytes()));
        for key in [
            "",
            "a",
            "====",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "dGhlIHNhbXBsZSBub25jZSEh",
            "dGhlIHNhbXBsZSBub25j",
            "dGhlIHNhbXBsZSBub25jZQ== ",
            " dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25j\0Q==",
            "dGhlIHNhbXBsZSBub25j-_==",
            "dGhlIHNhbXBsZSBub25jZ===",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        ] {
            assert!(!is_valid(key.as_bytes()), "{key:?}");
        }
    }
}
