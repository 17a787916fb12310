//! One suite for every kernel, against the sentence of RFC 6455, 5.3, spelled byte by byte.

use super::apply::Mask;
use super::kernels::Kernel;
use super::portable::SHORT;

/// Miri takes a sample.
const STEP: usize = if cfg!(miri) { 43 } else { 1 };

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// "transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)"
fn by_the_byte(data: &mut [u8], first: usize) {
    for (i, octet) in data.iter_mut().enumerate() {
        *octet ^= KEY[(first + i) % 4];
    }
}

fn octets(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251 + 7).to_le_bytes()[0]).collect()
}

/// Masks `length` bytes at `offset` from a cache line, in place and while copying, and compares
/// all bytes around as well.
fn check(kernel: &str, length: usize, offset: usize) {
    // A kernel that this CPU lacks goes untested.
    let Some(kernel) = Kernel::all().find(|other| other.name == kernel) else { return };
    let mut buffer = octets(length + 256);
    let start = buffer.as_ptr().addr().wrapping_neg() % 64 + offset;
    let range = start..start + length;
    let original = buffer.clone();
    for first in 0..4 {
        let mut key = KEY;
        key.rotate_left(first);
        let mut expected = original.clone();
        by_the_byte(&mut expected[range.clone()], first);

        buffer.copy_from_slice(&original);
        (kernel.in_place)(&mut buffer[range.clone()], key);
        assert_eq!(buffer, expected, "{length} bytes at {offset}, key at {first}");

        // The target at `offset`, the source elsewhere.
        buffer.copy_from_slice(&original);
        let source = original[range.clone()].to_vec();
        (kernel.copying)(&source, &mut buffer[range.clone()], key);
        assert_eq!(buffer, expected, "copying {length} bytes to {offset}, key at {first}");
    }
}

/// Sizes around every threshold and block of every kernel, and some that are large.
fn long() -> impl Iterator<Item = usize> {
    let edges = [SHORT, 512, 1024, 1024 + 64, 2048, 4096, 65_536];
    edges.into_iter().flat_map(|edge| edge - 5..edge + 5).chain([100_003])
}

macro_rules! suite {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn masks_short_data_of_every_length_at_every_offset() {
                for length in (0..=300).step_by(STEP).chain([1030]) {
                    for offset in (0..64).step_by(STEP) {
                        check(stringify!($name), length, offset);
                    }
                }
            }

            #[test]
            #[cfg_attr(miri, ignore = "takes too long")]
            fn masks_long_data() {
                for length in long() {
                    for offset in [0, 1, 3, 8, 31, 63] {
                        check(stringify!($name), length, offset);
                    }
                }
            }
        }
    )*};
}

suite!(chosen portable);
#[cfg(target_arch = "x86_64")]
suite!(avx2 avx512);
#[cfg(target_arch = "aarch64")]
suite!(neon);

#[test]
fn masking_in_pieces_is_masking_at_once() {
    let original = octets(300);
    let mut expected = original.clone();
    by_the_byte(&mut expected, 0);
    for cut in (0..=original.len()).step_by(STEP) {
        for second in [cut, cut + 1, cut + 2, cut + 3, cut + 130] {
            let second = second.min(original.len());
            let (mut in_place, mut copied) = (original.clone(), vec![0; original.len()]);
            let (mut a, mut b) = (Mask::new(KEY), Mask::new(KEY));
            for range in [0..cut, cut..second, second..original.len()] {
                a.apply(&mut in_place[range.clone()]);
                b.apply_to(&original[range.clone()], &mut copied[range]);
            }
            assert_eq!(in_place, expected, "cut at {cut} and {second}");
            assert_eq!(copied, expected, "copied, cut at {cut} and {second}");
        }
    }
}

#[test]
fn the_masked_hello_of_5_7() {
    let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
    Mask::new(KEY).apply(&mut payload);
    assert_eq!(&payload, b"Hello");
}

#[test]
#[should_panic(expected = "differ in length")]
fn copying_refuses_a_target_of_another_length() {
    Mask::new(KEY).apply_to(b"four", &mut [0; 5]);
}

/// What is missing in the list would go untested.
#[test]
fn the_kernels_are_those_of_this_cpu() {
    let mut expected = vec!["chosen", "portable"];
    #[cfg(target_arch = "x86_64")]
    expected.extend(
        [
            is_x86_feature_detected!("avx2").then_some("avx2"),
            is_x86_feature_detected!("avx512f").then_some("avx512"),
        ]
        .into_iter()
        .flatten(),
    );
    #[cfg(target_arch = "aarch64")]
    expected.extend(std::arch::is_aarch64_feature_detected!("neon").then_some("neon"));
    assert_eq!(Kernel::all().map(|kernel| kernel.name).collect::<Vec<_>>(), expected);
}
