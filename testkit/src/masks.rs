//! Sources of masking keys for tests only: they are known or easy to guess.

use sansock::mask::MaskSource;

use crate::wire::KEY;

/// A key that never changes, so that the bytes of a client are predictable.
#[derive(Clone, Copy, Debug)]
pub struct FixedKey;

impl MaskSource for FixedKey {
    fn next_key(&mut self) -> [u8; 4] {
        KEY
    }
}

/// Keys that differ from frame to frame and cost almost nothing.
#[derive(Clone, Debug)]
pub struct Keys(pub u32);

impl MaskSource for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(1);
        self.0.to_le_bytes()
    }
}
