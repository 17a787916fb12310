//! The content of the benchmarks' messages.

use sansock::Role;

use self::text::{ASCII, MIXED, text};

#[path = "../../common/text.rs"]
mod text;

/// The content of a message; it decides whether UTF-8 is checked.
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

    /// The first byte of a message in one frame (RFC 6455, 5.2).
    const fn first_byte(self) -> u8 {
        match self {
            Self::Binary => 0x82,
            Self::Ascii | Self::Mixed => 0x81,
        }
    }
}

/// About 256 KiB of frames for `receiver`, with `size` bytes of payload and a masking key each, and
/// the length of one frame.
pub(crate) fn frames(content: Content, size: usize, receiver: Role) -> (Vec<u8>, usize) {
    let payload = content.payload(size);
    let count = ((256 << 10) / (size + 14)).clamp(2, 512);
    let mut frames = Vec::new();
    for n in 0..count {
        let number = u32::try_from(n).unwrap_or_default();
        let key = number.wrapping_mul(0x9E37_79B1).wrapping_add(0x37FA_213D).to_be_bytes();
        let key = (receiver == Role::Server).then_some(key);
        push_frame(&mut frames, content.first_byte(), key, &payload);
    }
    let length = frames.len() / count;
    (frames, length)
}

/// A frame by hand, so that no library's encoder makes what the libraries read.
fn push_frame(frames: &mut Vec<u8>, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
    let mask = if key.is_some() { 0x80 } else { 0 };
    frames.push(first);
    match payload.len() {
        length @ 0..126 => frames.push(mask | length as u8),
        length @ 126..0x1_0000 => {
            frames.push(mask | 126);
            frames.extend((length as u16).to_be_bytes());
        }
        length => {
            frames.push(mask | 127);
            frames.extend((length as u64).to_be_bytes());
        }
    }
    let Some(key) = key else { return frames.extend_from_slice(payload) };
    frames.extend(key);
    frames.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, of_key)| byte ^ of_key));
}
