//! Unpredictable masking keys (RFC 6455, 5.3 and 10.3).
#![cfg(feature = "rand")]

use std::cell::Cell;
use std::fmt;

use rand::Rng;

use super::source::MaskSource;

/// How many keys are drawn at once. More would not make a key cheaper, and every connection stores
/// them.
const BATCH: u8 = 16;

/// Masking keys from a CSPRNG that is seeded with the operating system's entropy, drawn in batches.
///
/// "The masking key needs to be unpredictable; thus, the masking key MUST be derived from a strong
/// source of entropy, and the masking key for a given frame MUST NOT make it simple for a
/// server/proxy to predict the masking key for a subsequent frame." (RFC 6455, 5.3)
///
/// The generator is the calling thread's ([`rand::rng`], `ChaCha` with 12 rounds). It is seeded anew
/// after a fork, so connections that are made afterwards have different keys in both processes.
/// This type stores only keys that are drawn and not yet used, so it can move between threads.
/// After a fork both processes have these keys, like the connection that they belong to: only one
/// of them may go on using it.
pub struct RandomMasks {
    keys: [[u8; 4]; BATCH as usize],
    /// How many of `keys`, from the start, are not used yet.
    left: u8,
}

impl RandomMasks {
    /// Makes a source. The first keys are drawn when they are needed.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: [[0; 4]; BATCH as usize], left: 0 }
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) {
        fill(self.keys.as_flattened_mut());
        self.left = BATCH;
    }
}

impl Default for RandomMasks {
    fn default() -> Self {
        Self::new()
    }
}

/// Does not show the keys: a log must not reveal keys that will be used.
impl fmt::Debug for RandomMasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomMasks").finish_non_exhaustive()
    }
}

impl MaskSource for RandomMasks {
    /// "clients MUST choose a new masking key for each frame, using an algorithm that cannot be
    /// predicted by end applications that provide data." (RFC 6455, 10.3)
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "after a refill some are left, and the index is below BATCH"
    )]
    #[inline]
    fn next_key(&mut self) -> [u8; 4] {
        if self.left == 0 {
            self.refill();
        }
        self.left -= 1;
        self.keys[usize::from(self.left % BATCH)]
    }
}

thread_local! {
    /// The process in which this thread's generator was seeded; 0 if none is known.
    static SEEDED_IN: Cell<u32> = const { Cell::new(0) };
}

/// Fills `bytes` from the thread's CSPRNG ([`rand::rng`], `ChaCha` with 12 rounds).
///
/// A fork copies the state of the generator, and then both processes would draw the same numbers.
/// So it is seeded anew in each process; to find out costs a system call, so draw many at a time.
pub(crate) fn fill(bytes: &mut [u8]) {
    let mut generator = rand::rng();
    // Only there are forks, and some other platforms have no processes.
    if cfg!(unix) {
        let process = std::process::id();
        if SEEDED_IN.replace(process) != process {
            #[expect(clippy::expect_used, reason = "as `rand::rng` does if it cannot be seeded")]
            generator.reseed().expect("the operating system has no random numbers");
        }
    }
    generator.fill_bytes(bytes);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// 10,000 draws of 2^32 repeat about 0.01 times; a hundred repeats are no chance.
    #[test]
    fn each_frame_has_a_fresh_key() {
        let mut masks = RandomMasks::new();
        let keys: HashSet<_> = (0..10_000).map(|_| masks.next_key()).collect();
        assert!(keys.len() > 9_900, "{} different keys", keys.len());
    }

    #[test]
    fn two_sources_do_not_share_their_keys() {
        let draw = || -> HashSet<_> {
            let mut masks = RandomMasks::default();
            (0..1_000).map(|_| masks.next_key()).collect()
        };
        assert!(draw().intersection(&draw()).count() < 10);
    }

    /// Every bit of a key is set in about half of the keys.
    #[test]
    fn every_bit_of_a_key_is_random() {
        let mut masks = RandomMasks::new();
        let mut ones = [0; 32];
        for _ in 0..10_000 {
            let key = u32::from_le_bytes(masks.next_key());
            for (bit, ones) in ones.iter_mut().enumerate() {
                *ones += key >> bit & 1;
            }
        }
        // Ten standard deviations.
        assert!(ones.iter().all(|ones| (4_500..5_500).contains(ones)), "{ones:?}");
    }

    #[test]
    fn debug_output_has_no_key() {
        let mut masks = RandomMasks::new();
        masks.next_key();
        assert_eq!(format!("{masks:?}"), "RandomMasks { .. }");
    }

    #[test]
    fn a_connection_that_owns_one_can_move_to_another_thread() {
        fn is_send<T: Send + Sync + 'static>() {}
        is_send::<RandomMasks>();
    }
}
