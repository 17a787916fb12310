//! A process that forks: connections made afterwards share neither nonce nor masking keys.
#![cfg(all(unix, feature = "rand"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Read, Write, pipe};

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

/// Forks, and returns what the child and this process draw.
fn drawn_by_both() -> [Vec<u8>; 2] {
    let (mut read, mut write) = pipe().unwrap();
    let child = system::in_child(|| write.write_all(&draw()).unwrap());
    drop(write);
    let mine = draw();
    let mut theirs = Vec::new();
    read.read_to_end(&mut theirs).unwrap();
    assert_eq!((system::wait(child), theirs.len()), (0, mine.len()));
    [mine, theirs]
}

#[test]
fn both_processes_draw_their_own_numbers() {
    // The generator has its seed before the fork.
    let before = draw();
    let mut all = vec![before];
    // The second child has the generator that was seeded anew in this process.
    all.extend(drawn_by_both());
    all.extend(drawn_by_both());
    for (i, one) in all.iter().enumerate() {
        for other in &all[i + 1..] {
            let same = one.chunks(4).filter(|key| other.chunks(4).any(|other| other == *key));
            // Two of some hundred keys of 2^32 are the same once in a million runs.
            assert_eq!(same.count(), 0);
        }
    }
}
