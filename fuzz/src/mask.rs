//! `mask`: every kernel, and `Mask` at any cuts, against the sentence of RFC 6455, 5.3, at any
//! offset, length and position.
//!
//! An input is a [`Setup`] of eleven bytes and then data, which is repeated to the length.

use sansock::mask::Mask;

/// The crate's own file: the kernels are no part of its API.
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    missing_docs,
    reason = "not all of it is used here"
)]
#[path = "../../src/mask/mod.rs"]
mod included;

use included::kernels::Kernel;

use crate::feed::Cuts;
use crate::wire;

/// What an input asks for.
struct Setup {
    key: [u8; 4],
    /// Distance of the data from a cache line.
    offset: usize,
    /// Distance of the source from one, where there is a source.
    from: usize,
    length: usize,
    seed: u64,
}

/// See the module.
pub fn check(bytes: &[u8]) {
    let Some((&[a, b, c, d, offset, from, low, high, seed], data)) = bytes.split_first_chunk()
    else {
        return;
    };
    let setup = Setup {
        key: [a, b, c, d],
        offset: usize::from(offset % 64),
        from: usize::from(from % 64),
        length: usize::from(u16::from_be_bytes([high, low])) % 10_000,
        seed: seed.into(),
    };
    let octets = [data, &[0x5a]].concat();
    let mut original = octets.repeat(setup.length / octets.len() + 1);
    original.truncate(setup.length);
    let expected = wire::masked(Some(setup.key), &original);
    for Kernel { in_place, copying, .. } in Kernel::all() {
        setup.compare(&original, &expected, |data| in_place(data, setup.key));
        setup.compare_copy(&original, &expected, |from, to| copying(from, to, setup.key));
    }
    let cuts = || Cuts::Drawn(setup.seed).pieces(&original).map(<[u8]>::len);
    let mut mask = Mask::new(setup.key);
    setup.compare(&original, &expected, |mut data| {
        for length in cuts() {
            mask.apply(data.split_off_mut(..length).expect("a piece of the data"));
        }
    });
    let mut mask = Mask::new(setup.key);
    setup.compare_copy(&original, &expected, |mut from, mut to| {
        for length in cuts() {
            let to = to.split_off_mut(..length).expect("a piece of the target");
            mask.apply_to(from.split_off(..length).expect("a piece of the source"), to);
        }
    });
}

/// Bytes around the data, which must stay as they are.
const AROUND: u8 = 0xa5;

impl Setup {
    /// Memory with the data at `offset` from a cache line, and where that is.
    fn place(&self, offset: usize, data: &[u8]) -> (Vec<u8>, usize) {
        let mut memory = vec![AROUND; data.len() + 192];
        let start = memory.as_ptr().addr().wrapping_neg() % 64 + offset;
        memory[start..start + data.len()].copy_from_slice(data);
        (memory, start)
    }

    fn compare(&self, original: &[u8], expected: &[u8], mask: impl FnOnce(&mut [u8])) {
        let (mut memory, start) = self.place(self.offset, original);
        mask(&mut memory[start..start + original.len()]);
        check_memory(&memory, start, expected);
    }

    fn compare_copy(&self, original: &[u8], expected: &[u8], mask: impl FnOnce(&[u8], &mut [u8])) {
        let (source, at) = self.place(self.from, original);
        let (mut target, start) = self.place(self.offset, &vec![0; original.len()]);
        mask(&source[at..at + original.len()], &mut target[start..start + original.len()]);
        check_memory(&target, start, expected);
        check_memory(&source, at, original);
    }
}

fn check_memory(memory: &[u8], start: usize, expected: &[u8]) {
    let (before, rest) = memory.split_at(start);
    let (data, behind) = rest.split_at(expected.len());
    assert!(data == expected, "masked by the sentence of 5.3");
    assert!(before.iter().chain(behind).all(|byte| *byte == AROUND), "touched what lies around");
}
