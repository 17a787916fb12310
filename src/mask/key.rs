//! A masking key, rotated to the octet that comes next.

/// The four octets of a masking key in the order in which they come next, the first in the lowest
/// bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(pub(super) u32);

impl Key {
    pub(super) const fn new(octets: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(octets))
    }

    /// The key after `length` more bytes.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a rotation is one modulo 32")]
    pub(super) const fn after(self, length: usize) -> Self {
        Self(self.0.rotate_right((length as u32).wrapping_mul(8)))
    }

    /// The key twice, to mask a word of eight bytes.
    #[inline]
    pub(super) const fn twice(self) -> u64 {
        (self.0 as u64) << 32 | self.0 as u64
    }
}
