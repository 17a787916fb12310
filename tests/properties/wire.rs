//! Frames written and read as the drawing of section 5.2 says, apart from the crate.

use sansock::{MaskSource, Role};

/// A frame, its payload not masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// FIN, reserved bits and opcode.
    pub(crate) first: u8,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = header(self.first, self.key, self.payload.len() as u64);
        bytes.extend(xor(&self.payload, self.key));
        bytes
    }
}

pub(crate) const FIN: u8 = 0x80;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// "Octet i of the transformed data ("transformed-octet-i") is the XOR of octet i of the original data
/// ("original-octet-i") with octet at index i modulo 4 of the masking key" (5.3)
fn xor(octets: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or_default();
    octets.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
}

/// A header with its length in the shortest form.
pub(crate) fn header(first: u8, key: Option<[u8; 4]>, length: u64) -> Vec<u8> {
    let octets = length.to_be_bytes();
    match length {
        0..=125 => header_with(first, key, octets[7], &[]),
        126..=0xFFFF => header_with(first, key, 126, &octets[6..]),
        _ => header_with(first, key, 127, &octets),
    }
}

/// A header with its length in these 7 bits and the octets behind them.
pub(crate) fn header_with(first: u8, key: Option<[u8; 4]>, length: u8, more: &[u8]) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let key = key.as_ref().map_or(&[][..], |key| key);
    [&[first, mask_bit | length][..], more, key].concat()
}

/// Reads the frames of a stream, up to one that is not complete.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    std::iter::from_fn(|| next_frame(&mut bytes)).collect()
}

fn next_frame(bytes: &mut &[u8]) -> Option<Frame> {
    let mut take = |n| {
        let (head, tail) = bytes.split_at_checked(n)?;
        *bytes = tail;
        Some(head)
    };
    let start = take(2)?;
    let (first, masked, seven) = (start[0], start[1] & 0x80 != 0, start[1] & 0x7F);
    let length = match seven {
        126 => take(2)?,
        127 => take(8)?,
        _ => &[seven],
    };
    let length = length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
    let key = if masked { Some(take(4)?.try_into().unwrap()) } else { None };
    Some(Frame { first, key, payload: xor(take(length)?, key) })
}

/// The other end.
pub(crate) fn peer(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

/// Keys that differ from frame to frame and say nothing to anybody.
#[derive(Clone, Debug)]
pub(crate) struct Keys(pub(crate) u32);

impl MaskSource for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0.to_be_bytes()
    }
}
