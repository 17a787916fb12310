//! Sources of masking keys that no client may use: they are known, or easily guessed.

use sansock::mask::MaskSource;

use crate::wire::KEY;

/// Keys that never change, so that the bytes of a client are known.
#[derive(Clone, Copy, Debug)]
pub struct FixedKey;

impl MaskSource for FixedKey {
    fn next_key(&mut self) -> [u8; 4] {
        KEY
    }
}

/// Keys that differ from frame to frame and cost next to nothing.
#[derive(Clone, Debug)]
pub struct Keys(pub u32);

impl MaskSource for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(1);
        self.0.to_le_bytes()
    }
}
