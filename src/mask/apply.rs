//! [`Mask`]: chooses a kernel for each piece of a payload.

use super::data::Pair;
use super::key::Key;
#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};

/// A masking key and the position in it. Masks a payload in pieces of any length.
///
/// "Octet i of the transformed data is the XOR of octet i of the original data with octet at index
/// i modulo 4 of the masking key." (RFC 6455, 5.3) So masking twice with one key gives the
/// original.
///
/// ```
/// use sansock::mask::Mask;
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
    #[expect(clippy::inline_always, reason = "short data is masked in the caller's code")]
    #[inline(always)]
    pub fn apply_to(&mut self, source: &[u8], target: &mut [u8]) {
        assert_eq!(source.len(), target.len(), "source and target differ in length");
        copying(source, target, self.key);
        self.key = self.key.after(source.len());
    }
}

/// Masks `data`. Short data is masked in the caller's code: below 128 bytes a wide kernel saves
/// less than choosing and calling it costs.
#[inline]
fn in_place(data: &mut [u8], key: Key) {
    if data.len() < portable::SHORT {
        portable::short(data, key);
    } else {
        long_in_place(data, key);
    }
}

/// Masks while copying, otherwise like [`in_place`].
#[inline]
fn copying(source: &[u8], target: &mut [u8], key: Key) {
    if source.len() < portable::SHORT {
        portable::short(Pair::new(source, target), key);
    } else {
        long_copying(source, target, key);
    }
}

/// Masks `data` with the widest registers of this CPU.
#[inline(never)]
fn long_in_place(data: &mut [u8], key: Key) {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = Avx512::detect() {
        return kernel.in_place(data, key);
    } else if let Some(kernel) = Avx2::detect() {
        return kernel.in_place(data, key);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(kernel) = Neon::detect() {
        return kernel.in_place(data, key);
    }
    portable::xor(data, key);
}

/// Masks while copying, otherwise like [`long_in_place`]. It takes two slices, because a [`Pair`]
/// would be passed in memory.
#[inline(never)]
fn long_copying(source: &[u8], target: &mut [u8], key: Key) {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = Avx512::detect() {
        return kernel.copying(source, target, key);
    } else if let Some(kernel) = Avx2::detect() {
        return kernel.copying(source, target, key);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(kernel) = Neon::detect() {
        return kernel.copying(source, target, key);
    }
    portable::xor(Pair::new(source, target), key);
}
