//! Frames for a receiver of either role, built by hand, so that the crate's encoder does not test
//! its own decoder.

use sansock::Role;

use crate::frame;
pub use crate::frame::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, masked};
pub use crate::masks::FixedKey;
pub use crate::seen::{Seen, binary, receive, text};

/// Both roles.
pub const BOTH: [Role; 2] = [Role::Client, Role::Server];

/// The masking key of the examples in section 5.7.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The masking key of a frame for a receiver of this role.
fn key_for(to: Role) -> Option<[u8; 4]> {
    (to == Role::Server).then_some(KEY)
}

/// The role of the other end.
pub const fn peer(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// A header for a receiver of this role, with the 7 bits of the length as given and then
/// `extended`.
pub fn raw_header(to: Role, first: u8, length: u8, extended: &[u8]) -> Vec<u8> {
    frame::header_with(first, key_for(to), length, extended)
}

/// A header for a receiver of this role, its length in the shortest form.
pub fn header(to: Role, first: u8, length: u64) -> Vec<u8> {
    frame::header(first, key_for(to), length)
}

/// A frame for a receiver of this role that announces `length` bytes and holds only `payload`.
pub fn cut_frame(to: Role, first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(to, first, length);
    bytes.extend(masked(payload, key_for(to).unwrap_or_default()));
    bytes
}

/// A frame for a receiver of this role.
pub fn frame(to: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    cut_frame(to, first, payload.len() as u64, payload)
}

/// A Close frame for a receiver of this role.
pub fn close_frame(to: Role, code: u16, reason: &[u8]) -> Vec<u8> {
    frame(to, CLOSE, &[&code.to_be_bytes(), reason].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of section 5.7.
    #[test]
    fn frames_are_those_of_the_rfc() {
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(frame(Role::Server, FIN | TEXT, b"Hello"), masked);
        assert_eq!(frame(Role::Client, TEXT, b"Hel"), [0x01, 0x03, 0x48, 0x65, 0x6c]);
        assert_eq!(header(Role::Client, FIN | BINARY, 256), [0x82, 0x7E, 0x01, 0x00]);
        let long = [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(header(Role::Client, FIN | BINARY, 65_536), long);
        let [read] = &frame::frames(&masked)[..] else { panic!("one frame") };
        assert_eq!((read.first, &*read.payload), (FIN | TEXT, &b"Hello"[..]));
    }
}
