//! The four octets of a masking key, rotated to the one that comes next.

/// The four octets of a masking key as they are due next, the first in the lowest bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(pub(super) u32);

impl Key {
    pub(super) const fn new(octets: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(octets))
    }

    /// The key `length` bytes further on.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a rotation is one modulo 32")]
    pub(super) const fn after(self, length: usize) -> Self {
        Self(self.0.rotate_right((length as u32).wrapping_mul(8)))
    }

    /// The key twice: what a word of eight bytes is masked with.
    #[inline]
    pub(super) const fn twice(self) -> u64 {
        (self.0 as u64) << 32 | self.0 as u64
    }
}
