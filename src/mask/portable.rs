//! Masks in words of eight bytes and fewer: for every CPU, and the fastest way for short data.
#![expect(clippy::inline_always, reason = "must be compiled for the registers of each kernel")]

use super::data::Data;
use super::key::Key;

/// Data below this length is masked by [`short`].
pub(super) const SHORT: usize = 128;

/// Masks all of `data`.
#[inline(always)]
pub(super) fn xor(data: impl Data, key: Key) {
    short(data.blocks::<64, 8>(|bytes| eight(bytes, key)), key);
}

/// Masks all of `data`. Fast if it is shorter than [`SHORT`]. Works in smaller and smaller pieces
/// that do not overlap: a load across two recent stores must wait for both, and overlapping pieces
/// would cause such loads in whatever reads the data next.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the octets that come next are the lowest")]
pub(super) fn short(data: impl Data, key: Key) {
    let eight = |bytes| eight(bytes, key);
    let four = |bytes| (u32::from_le_bytes(bytes) ^ key.0).to_le_bytes();
    let two = |bytes| (u16::from_le_bytes(bytes) ^ key.0 as u16).to_le_bytes();

    let rest = if data.len() < 16 { data } else { data.blocks::<16, 8>(eight) };
    let rest = rest.word(eight);
    if rest.len() == 0 {
        return;
    }
    let rest = rest.word(four);
    let last = key.after(rest.len() & 2).0 as u8;
    rest.word(two).word(|[byte]| [byte ^ last]);
}

#[inline(always)]
fn eight(bytes: [u8; 8], key: Key) -> [u8; 8] {
    (u64::from_le_bytes(bytes) ^ key.twice()).to_le_bytes()
}
