//! The loop that all wide kernels share.
#![expect(clippy::inline_always, reason = "is compiled anew into each kernel, for its registers")]

use super::data::Data;
use super::key::Key;
use super::portable;

/// From this many bytes on, stores that do not straddle cache lines win back what aligning costs.
const ALIGN: usize = 1024;

/// The loop of a kernel whose `mask` masks one register of `WIDTH` bytes: aligns the target of long
/// data, takes `BLOCK` bytes a turn, then one register, and leaves the rest to the portable loop.
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
    // Whole registers leave the key where it is.
    let rest = data.blocks::<BLOCK, WIDTH>(&mask).blocks::<WIDTH, WIDTH>(&mask);
    portable::short(rest, key);
}
