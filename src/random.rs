//! Random bytes that a fork does not repeat.
#![cfg(feature = "rand")]

use std::cell::Cell;

use rand::Rng;

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
