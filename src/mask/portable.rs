//! Masking in words of eight bytes and less: right on every CPU and the best for short data.
#![expect(clippy::inline_always, reason = "is compiled anew into each kernel, for its registers")]

use super::Key;
use super::data::Data;

/// Below this length [`short`] will do.
pub(super) const SHORT: usize = 128;

/// Masks all of `data`.
#[inline(always)]
pub(super) fn xor(data: impl Data, key: Key) {
    short(data.blocks::<64, 8>(|bytes| eight(bytes, key)), key);
}

/// Masks all of `data`, less than [`SHORT`] bytes: in ever smaller pieces and no byte twice. (A load
/// that straddles two recent stores has to wait for both, which pieces that overlap would make
/// the next reader do.)
#[inline(always)]
pub(super) fn short(data: impl Data, key: Key) {
    let eight = |bytes| eight(bytes, key);
    let four = |bytes| (u32::from_le_bytes(bytes) ^ key.0).to_le_bytes();
    let two = |bytes| (u16::from_le_bytes(bytes) ^ key.0 as u16).to_le_bytes();

    let mut rest = data;
    if rest.len() >= 8 {
        rest = rest.block::<64, 8>(eight).block::<32, 8>(eight).block::<16, 8>(eight);
        rest = rest.block::<8, 8>(eight);
    }
    let rest = rest.block::<4, 4>(four);
    let last = key.after(rest.len() & 2).0 as u8;
    rest.block::<2, 2>(two).block::<1, 1>(|[byte]| [byte ^ last]);
}

#[inline(always)]
fn eight(bytes: [u8; 8], key: Key) -> [u8; 8] {
    (u64::from_le_bytes(bytes) ^ key.twice()).to_le_bytes()
}
