//! The loop of all wide kernels.
#![expect(clippy::inline_always, reason = "must be compiled for the registers of each kernel")]

use super::data::Data;
use super::key::Key;
use super::portable;

/// For data of at least this many bytes, aligned stores save more than the alignment costs.
const ALIGN: usize = 1024;

/// Masks `data` with a kernel that masks one register of `WIDTH` bytes. Aligns the target of long
/// data, masks `BLOCK` bytes a turn, then single registers, and leaves the rest to the portable
/// code.
#[inline(always)]
pub(super) fn xor<D: Data, const BLOCK: usize, const WIDTH: usize, F>(
    mut data: D,
    mut key: Key,
    register: impl Fn(Key) -> F,
) where
    F: Fn([u8; WIDTH]) -> [u8; WIDTH],
{
    if data.len() >= ALIGN {
        let at = data.address().wrapping_neg().checked_rem(WIDTH).unwrap_or(0);
        let (head, rest) = data.split_at(at);
        portable::short(head, key);
        (data, key) = (rest, key.after(at));
    }
    let mask = register(key);
    // The position in the key is the same after each whole register.
    let rest = data.blocks::<BLOCK, WIDTH>(&mask).blocks::<WIDTH, WIDTH>(&mask);
    portable::short(rest, key);
}
