//! Masking (RFC 6455, 5.3): the key, the position in it, and the kernels that apply it.
//!
//! The kernels are one loop ([`data`]) over registers of several widths. All `unsafe` of this
//! module is in `x86` and `neon`: viewing an array of bytes as a register, and calling code that
//! was compiled for a feature which the CPU was found to have.

mod data;
pub(crate) mod kernels;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(feature = "rand")]
mod source;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use data::Pair;
#[cfg(feature = "rand")]
pub use source::{RandomMasks, random_nonce};

/// A masking key and the position in it: applied piece by piece, at any cut.
///
/// "Octet i of the transformed data is the XOR of octet i of the original data with octet at index
/// i modulo 4 of the masking key." (RFC 6455, 5.3) So masking twice with one key gives the original.
///
/// ```
/// use sansock::Mask;
///
/// // The masked "Hello" of RFC 6455, 5.7, unmasked in two pieces.
/// let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut mask = Mask::new([0x37, 0xfa, 0x21, 0x3d]);
/// mask.apply(&mut payload[..3]);
/// mask.apply(&mut payload[3..]);
/// assert_eq!(&payload, b"Hello");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    key: Key,
}

impl Mask {
    /// Starts at the first byte of a payload.
    #[inline]
    #[must_use]
    pub const fn new(key: [u8; 4]) -> Self {
        Self { key: Key::new(key) }
    }

    /// Masks or unmasks the next bytes of the payload in place.
    #[inline]
    pub fn apply(&mut self, data: &mut [u8]) {
        let length = data.len();
        in_place(data, self.key);
        self.key = self.key.after(length);
    }

    /// Masks or unmasks the next bytes of the payload while copying them, in one pass.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    #[expect(clippy::inline_always, reason = "short data are masked in the caller's own code")]
    #[inline(always)]
    pub fn apply_to(&mut self, source: &[u8], target: &mut [u8]) {
        assert_eq!(source.len(), target.len(), "source and target differ in length");
        copying(source, target, self.key);
        self.key = self.key.after(source.len());
    }
}

/// Where a client's masking keys come from: "The masking key needs to be unpredictable" (5.3).
///
/// With the feature `rand`, `RandomMasks` is the one to use. A source of one's own must be a CSPRNG
/// too: "the masking key for a given frame MUST NOT make it simple for a server/proxy to predict the
/// masking key for a subsequent frame."
pub trait MaskSource: Send {
    /// A fresh key for the next frame.
    fn next_key(&mut self) -> [u8; 4];
}

/// The four octets of a masking key as they are due next, the first in the lowest bits.
#[derive(Clone, Copy, Debug)]
struct Key(u32);

impl Key {
    const fn new(octets: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(octets))
    }

    /// The key `length` bytes further on.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a rotation is one modulo 32")]
    const fn after(self, length: usize) -> Self {
        Self(self.0.rotate_right((length as u32).wrapping_mul(8)))
    }

    /// The key twice: what a word of eight bytes is masked with.
    #[inline]
    const fn twice(self) -> u64 {
        (self.0 as u64) << 32 | self.0 as u64
    }
}

/// Masks `data`; short data here and now, in the caller's own code: below 128 bytes no wide kernel
/// wins back what choosing and calling it costs.
#[inline]
fn in_place(data: &mut [u8], key: Key) {
    if data.len() < portable::SHORT {
        portable::short(data, key);
    } else {
        long_in_place(data, key);
    }
}

/// The same while copying.
#[inline]
fn copying(source: &[u8], target: &mut [u8], key: Key) {
    if source.len() < portable::SHORT {
        portable::short(Pair::new(source, target), key);
    } else {
        long_copying(source, target, key);
    }
}

/// Masks with the widest registers that this CPU has.
#[inline(never)]
fn long_in_place(data: &mut [u8], key: Key) {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = x86::Avx512::detect() {
        return kernel.in_place(data, key);
    } else if let Some(kernel) = x86::Avx2::detect() {
        return kernel.in_place(data, key);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(kernel) = neon::Neon::detect() {
        return kernel.in_place(data, key);
    }
    portable::xor(data, key);
}

/// The same while copying; two slices, since a [`Pair`] would be passed in memory.
#[inline(never)]
fn long_copying(source: &[u8], target: &mut [u8], key: Key) {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = x86::Avx512::detect() {
        return kernel.copying(source, target, key);
    } else if let Some(kernel) = x86::Avx2::detect() {
        return kernel.copying(source, target, key);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(kernel) = neon::Neon::detect() {
        return kernel.copying(source, target, key);
    }
    portable::xor(Pair::new(source, target), key);
}
