//! Writes and reads frames as the drawing of RFC 6455, 5.2 shows them, independently of the crate.

/// A frame with its unmasked payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, reserved bits and opcode.
    pub first: u8,
    /// `None` if it is not masked.
    pub key: Option<[u8; 4]>,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether it is the last of its message.
    pub const fn fin(&self) -> bool {
        self.first & FIN != 0
    }

    /// Whether RSV1 is set: with permessage-deflate, whether a message that begins here is
    /// compressed.
    pub const fn rsv1(&self) -> bool {
        self.first & 0x40 != 0
    }

    /// The opcode, without FIN.
    pub const fn opcode(&self) -> u8 {
        self.first & 0xF
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = header(self.first, self.key, self.payload.len() as u64);
        bytes.extend(masked(&self.payload, self.key.unwrap_or_default()));
        bytes
    }
}

/// The first byte of a frame: the bit FIN and an opcode. Control frames are always final, so theirs
/// has both.
pub const FIN: u8 = 0x80;
/// An opcode.
pub const CONTINUATION: u8 = 0x0;
/// An opcode.
pub const TEXT: u8 = 0x1;
/// An opcode.
pub const BINARY: u8 = 0x2;
/// FIN and an opcode.
pub const CLOSE: u8 = 0x88;
/// FIN and an opcode.
pub const PING: u8 = 0x89;
/// FIN and an opcode.
pub const PONG: u8 = 0x8A;

/// "Octet i of the transformed data ("transformed-octet-i") is the XOR of octet i of the original
/// data ("original-octet-i") with octet at index i modulo 4 of the masking key" (5.3)
pub fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
}

/// A header with its length in the shortest form.
pub fn header(first: u8, key: Option<[u8; 4]>, length: u64) -> Vec<u8> {
    let octets = length.to_be_bytes();
    match length {
        0..=125 => header_with(first, key, octets[7], &[]),
        126..=0xFFFF => header_with(first, key, 126, &octets[6..]),
        _ => header_with(first, key, 127, &octets),
    }
}

/// A header with the given 7 bits of the length and the given octets after them.
pub fn header_with(first: u8, key: Option<[u8; 4]>, length: u8, more: &[u8]) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let key = key.as_ref().map_or(&[][..], |key| key);
    [&[first, mask_bit | length][..], more, key].concat()
}

/// Reads the frames of a stream, up to the first incomplete one.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    std::iter::from_fn(|| next_frame(&mut bytes)).collect()
}

fn next_frame(bytes: &mut &[u8]) -> Option<Frame> {
    let mut take = |n| {
        let (head, tail) = bytes.split_at_checked(n)?;
        *bytes = tail;
        Some(head)
    };
    let start = take(2)?;
    let (first, has_key, seven) = (start[0], start[1] & 0x80 != 0, start[1] & 0x7F);
    let length = match seven {
        126 => take(2)?,
        127 => take(8)?,
        _ => &[seven],
    };
    let length = length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
    let key = if has_key { Some(take(4)?.try_into().unwrap()) } else { None };
    Some(Frame { first, key, payload: masked(take(length)?, key.unwrap_or_default()) })
}
