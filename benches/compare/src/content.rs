//! What the messages of the benchmarks are made of.

use sansock::Role;
use sansock::frame::{FrameHeader, Opcode};
use sansock::mask::Mask;

use self::text::{ASCII, MIXED, text};

#[path = "../../common/text.rs"]
mod text;

/// What a message holds. What is checked as text depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Binary,
    Ascii,
    /// Characters of one to four bytes.
    Mixed,
}

impl Content {
    pub(crate) fn payload(self, size: usize) -> Vec<u8> {
        match self {
            Self::Binary => (0..=u8::MAX).cycle().take(size).collect(),
            Self::Ascii => text(ASCII, size).into_bytes(),
            Self::Mixed => text(MIXED, size).into_bytes(),
        }
    }

    pub(crate) const fn opcode(self) -> Opcode {
        match self {
            Self::Binary => Opcode::Binary,
            Self::Ascii | Self::Mixed => Opcode::Text,
        }
    }
}

/// About 256 KiB of frames of `size` bytes of payload as `receiver` gets them, each with a masking key
/// of its own, and the length of one.
pub(crate) fn frames(content: Content, size: usize, receiver: Role) -> (Vec<u8>, usize) {
    let payload = content.payload(size);
    let count = ((256 << 10) / (size + 14)).clamp(2, 512);
    let mut frames = Vec::new();
    for n in 0..count {
        let mut header = FrameHeader::new(content.opcode(), size as u64);
        let number = u32::try_from(n).unwrap_or_default();
        let key = number.wrapping_mul(0x9E37_79B1).wrapping_add(0x37FA_213D).to_be_bytes();
        header.masking_key = (receiver == Role::Server).then_some(key);
        frames.extend_from_slice(&header.encode());
        let start = frames.len();
        frames.extend_from_slice(&payload);
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(&mut frames[start..]);
        }
    }
    let length = frames.len() / count;
    (frames, length)
}
