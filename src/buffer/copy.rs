//! Copies of payload.

/// Copies `source` to `target`, which must be as long.
///
/// The C library may make a copy of more than 2 KiB with one `rep movsb`. On AMD's Zen 3 that takes
/// 20 to 30 times as long if the target lies less than 32 bytes behind the source, counted modulo
/// 4096, as a frame does in a buffer that was allocated right behind the one with the payload.
/// Shorter copies are made with vectors, whose time does not depend on it. The benchmark
/// `send/distance` measures both.
#[expect(clippy::inline_always, reason = "a call would cost a tenth of a short message")]
#[inline(always)]
pub(super) fn copy(target: &mut [u8], source: &[u8]) {
    if source.len() > STEP {
        return copy_long(target, source);
    }
    target.copy_from_slice(source);
}

/// The longest copy that is always made with vectors.
const STEP: usize = 2 << 10;
/// Below which distance a copy is made in steps: twice what was measured.
const NEAR: usize = 64;

#[inline(never)]
fn copy_long(target: &mut [u8], source: &[u8]) {
    let near = is_near(target.as_ptr().addr(), source.as_ptr().addr());
    let step = if near { STEP } else { source.len() };
    assert_eq!(source.len(), target.len());
    for (source, target) in source.chunks(step).zip(target.chunks_mut(step)) {
        target.copy_from_slice(source);
    }
}

/// Whether the target's address lies a little behind the source's, modulo 4096, or is the same.
const fn is_near(target: usize, source: usize) -> bool {
    target.wrapping_sub(source) % 4096 < NEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_copied_once() {
        let source: Vec<u8> = (0..10_000_u32).map(|i| i.to_be_bytes()[3] ^ 0x5a).collect();
        for length in [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP, 2 * STEP + 1, 10_000] {
            let mut target = vec![0; length];
            copy(&mut target, &source[..length]);
            assert_eq!(target, source[..length], "{length}");
        }
    }

    #[test]
    fn a_target_is_near_just_behind_its_source_whatever_the_page() {
        for (target, source, near) in [
            (0x5008, 0x5000, true),
            (0x9008, 0x5000, true),
            (0x5007, 0x9fff, true),
            (0x5000, 0x5000, true),
            (0x503f, 0x5000, true),
            (0x5040, 0x5000, false),
            (0x4fff, 0x5000, false),
            (0x5800, 0x5000, false),
        ] {
            assert_eq!(is_near(target, source), near, "{target:x}, {source:x}");
        }
    }

    #[test]
    #[should_panic(expected = "left == right")]
    fn a_target_of_another_length_is_refused() {
        copy(&mut [0; 3_001], &[1; 3_000]);
    }
}
