//! A process that forks: connections made afterwards share neither nonce nor masking keys.
#![cfg(all(unix, feature = "rand"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{PipeReader, Read, Write, pipe};

use sansock::handshake::random_nonce;
use sansock::mask::{MaskSource, RandomMasks};

/// What a new connection draws: its nonce and the keys of its first frames.
fn draw() -> Vec<u8> {
    let mut masks = RandomMasks::new();
    let mut drawn = random_nonce().to_vec();
    drawn.extend((0..20).flat_map(|_| masks.next_key()));
    drawn
}

#[expect(unsafe_code, reason = "the standard library has no fork")]
mod system {
    unsafe extern "C" {
        fn fork() -> i32;
        fn _exit(code: i32) -> !;
        fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    }

    /// Runs `child` in a copy of this process.
    pub(super) fn in_child(child: impl FnOnce()) -> i32 {
        // SAFETY: this test has no other thread that could hold a lock, and the child ends here.
        match unsafe { fork() } {
            0 => {
                child();
                // SAFETY: it only ends the process.
                unsafe { _exit(0) }
            }
            process => process,
        }
    }

    pub(super) fn wait(process: i32) -> i32 {
        let mut status = -1;
        // SAFETY: `status` is valid for the call.
        let waited = unsafe { waitpid(process, &raw mut status, 0) };
        assert_eq!(waited, process);
        status
    }
}

/// Forks, and returns the child and what it draws.
fn child() -> (i32, PipeReader) {
    let (read, mut write) = pipe().unwrap();
    (system::in_child(|| write.write_all(&draw()).unwrap()), read)
}

/// Forks twice, and returns what both children and this process draw.
fn drawn_by_all() -> [Vec<u8>; 3] {
    // Both children have the same state of the generator.
    let children = [child(), child()];
    let mine = draw();
    let [one, other] = children.map(|(process, mut read)| {
        let mut theirs = Vec::new();
        read.read_to_end(&mut theirs).unwrap();
        assert_eq!((system::wait(process), theirs.len()), (0, mine.len()));
        theirs
    });
    [one, other, mine]
}

#[test]
fn each_process_draws_its_own_numbers() {
    // The generator has its seed before the fork.
    let before = draw();
    let mut all = vec![before];
    // The next children have the generator that was seeded anew in this process.
    all.extend(drawn_by_all());
    all.extend(drawn_by_all());
    for (i, one) in all.iter().enumerate() {
        for other in &all[i + 1..] {
            let same = one.chunks(4).filter(|key| other.chunks(4).any(|other| other == *key));
            // Two of some hundred keys of 2^32 are the same once in a million runs.
            assert_eq!(same.count(), 0);
        }
    }
}
