//! The frame header (RFC 6455, 5.2).

use std::ops::Deref;

use crate::error::ProtocolError;

/// What a frame carries (RFC 6455, 5.2 and 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// 0: continues a fragmented message.
    Continuation = 0x0,
    /// 1: starts a text message.
    Text = 0x1,
    /// 2: starts a binary message.
    Binary = 0x2,
    /// 8: closes the connection.
    Close = 0x8,
    /// 9: asks for a Pong.
    Ping = 0x9,
    /// 10: answers a Ping, or is sent unsolicited.
    Pong = 0xA,
}

impl Opcode {
    /// "Control frames are identified by opcodes where the most significant bit of the opcode is 1"
    /// (5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

impl TryFrom<u8> for Opcode {
    type Error = ProtocolError;

    fn try_from(value: u8) -> Result<Self, ProtocolError> {
        Ok(match value {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            // "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket
            // Connection_." (5.2)
            _ => return Err(ProtocolError::ReservedOpcode(value)),
        })
    }
}

/// The header of a frame, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// The first reserved bit: with permessage-deflate it marks a compressed message (RFC 7692, 6).
    pub rsv1: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The key that masks the payload. A client's frames have one, a server's have none (5.1).
    pub masking_key: Option<[u8; 4]>,
    /// Length of the payload in bytes, at most 2^63 - 1.
    pub payload_len: u64,
}

const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;
pub(crate) const RSV2_RSV3: u8 = 0x30;
pub(crate) const MASK: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

impl FrameHeader {
    /// The longest header: two bytes, a 64-bit length and a masking key.
    pub const MAX_LEN: usize = 14;
    /// The longest payload of a control frame (5.5).
    pub const MAX_CONTROL: usize = 125;

    /// Creates the header of a frame that is final and not masked.
    #[must_use]
    pub const fn new(opcode: Opcode, payload_len: u64) -> Self {
        Self { fin: true, rsv1: false, opcode, masking_key: None, payload_len }
    }

    /// Reads a header from the start of `bytes`. Returns the header and its length in bytes, or
    /// `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if the header alone is wrong, as soon as the bytes that show it have
    /// arrived: reserved bits and opcodes, fragmented or long control frames, lengths that are not
    /// minimal or have the top bit set. Whether RSV1 or a mask is allowed is for the receiver to
    /// decide.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let padded;
        let (bytes, arrived) = if let Some(start) = bytes.first_chunk() {
            // The usual case, since a payload follows. The longest header fits: no other bounds
            // check is needed.
            (start, Self::MAX_LEN)
        } else {
            padded = Self::pad(bytes);
            (&padded, bytes.len())
        };
        Self::decode_padded(bytes, arrived)
    }

    #[cold]
    fn pad(bytes: &[u8]) -> [u8; Self::MAX_LEN] {
        let mut padded = [0; Self::MAX_LEN];
        padded.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
        padded
    }

    /// Reads a header of which the first `arrived` bytes are there. Missing bytes are 0, which can
    /// only violate the minimal-length rule, and that is checked once they have arrived.
    #[inline]
    fn decode_padded(
        bytes: &[u8; Self::MAX_LEN],
        arrived: usize,
    ) -> Result<Option<(Self, usize)>, ProtocolError> {
        if arrived == 0 {
            return Ok(None);
        }
        let &[first, second, l0, l1, l2, l3, l4, l5, l6, l7, ..] = bytes;
        // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
        if first & RSV2_RSV3 != 0 {
            return Err(ProtocolError::ReservedBits(first));
        }
        let (fin, rsv1) = (first & FIN != 0, first & RSV1 != 0);
        let opcode = Opcode::try_from(first & 0x0F)?;
        let (masked, length) = (second & MASK != 0, second & !MASK);
        // "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
        // fragmented." (5.5)
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::FragmentedControl);
            }
            if length > 125 {
                return Err(ProtocolError::ControlTooLong);
            }
        }
        let (payload_len, shortest, at) = match length {
            LENGTH_16 => (u64::from(u16::from_be_bytes([l0, l1])), 126, 4),
            LENGTH_64 => (u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]), 1 << 16, 10),
            short => (u64::from(short), 0, 2),
        };
        // "the most significant bit MUST be 0"
        if payload_len >> 63 != 0 {
            return Err(ProtocolError::LengthTopBit);
        }
        if arrived < at {
            return Ok(None);
        }
        // "the minimal number of bytes MUST be used to encode the length"
        if payload_len < shortest {
            return Err(ProtocolError::NonMinimalLength);
        }
        let end = if masked { at.saturating_add(4) } else { at };
        if arrived < end {
            return Ok(None);
        }
        let key = bytes.get(at..).and_then(<[u8]>::first_chunk);
        let masking_key = if masked { key.copied() } else { None };
        Ok(Some((Self { fin, rsv1, opcode, masking_key, payload_len }, end)))
    }

    /// Returns the header's bytes, its length in the shortest form (5.2).
    #[inline]
    #[must_use]
    pub fn encode(&self) -> EncodedHeader {
        let mut bytes = [0; Self::MAX_LEN];
        let length = self.encode_to(&mut bytes);
        EncodedHeader { bytes, length }
    }

    /// Writes the header to the start of `bytes` and returns its length.
    #[inline]
    pub(crate) fn encode_to(&self, bytes: &mut [u8; Self::MAX_LEN]) -> usize {
        let (fin, rsv1) = (if self.fin { FIN } else { 0 }, if self.rsv1 { RSV1 } else { 0 });
        bytes[0] = fin | rsv1 | self.opcode as u8;
        let mask = if self.masking_key.is_some() { MASK } else { 0 };
        let at = if let Ok(short @ 0..=125) = u8::try_from(self.payload_len) {
            bytes[1] = mask | short;
            2
        } else if let Ok(medium) = u16::try_from(self.payload_len) {
            bytes[1] = mask | LENGTH_16;
            bytes[2..4].copy_from_slice(&medium.to_be_bytes());
            4
        } else {
            bytes[1] = mask | LENGTH_64;
            bytes[2..10].copy_from_slice(&self.payload_len.to_be_bytes());
            10
        };
        let Some(key) = self.masking_key else { return at };
        let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) else { return at };
        *place = key;
        at.saturating_add(4)
    }
}

/// The bytes of a frame header; dereferences to a slice of 2 to 14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedHeader {
    bytes: [u8; FrameHeader::MAX_LEN],
    length: usize,
}

impl Deref for EncodedHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl AsRef<[u8]> for EncodedHeader {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests;
