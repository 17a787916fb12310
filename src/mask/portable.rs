//! Masking in words of eight bytes and less: right on every CPU and the best for short data.
#![expect(clippy::inline_always, reason = "is compiled anew into each kernel, for its registers")]

use super::data::Data;
use super::key::Key;

/// Below this length [`short`] will do.
pub(super) const SHORT: usize = 128;

/// Masks all of `data`.
#[inline(always)]
pub(super) fn xor(data: impl Data, key: Key) {
    short(data.blocks::<64, 8>(|bytes| eight(bytes, key)), key);
}

/// Masks all of `data`, best when it is shorter than [`SHORT`]: in ever smaller pieces and no byte
/// twice. (A load that straddles two recent stores has to wait for both, which pieces that
/// overlap would make the next reader do.)
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the octets due next are the lowest")]
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
