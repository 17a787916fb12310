//! Masking in place, for the libraries that export it.

/// The crate's own file: its kernels by name, for a processor that has no better one.
#[allow(dead_code, unreachable_pub, unused_imports, reason = "not all of it is used here")]
#[path = "../../../src/mask/mod.rs"]
mod ours;

pub(crate) type Kernel = fn(&mut [u8], [u8; 4]);

const LIBRARIES: [(&str, Kernel); 4] = [
    ("sansock", |data, key| sansock::mask::Mask::new(key).apply(data)),
    ("fastwebsockets", |data, key| fastwebsockets::unmask(data, key)),
    ("yawc", |data, key| yawc::mask::apply_mask(data, key)),
    ("loop over bytes", byte_loop),
];

fn byte_loop(data: &mut [u8], key: [u8; 4]) {
    data.iter_mut().zip(key.into_iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

/// The kernels of the libraries, then ours for a processor without AVX-512, and without AVX2. Below
/// 128 bytes none of them is used.
pub(crate) fn all(size: usize) -> Vec<(&'static str, Kernel)> {
    let ours =
        ours::kernels::Kernel::all().filter(|_| size >= 128).filter_map(|kernel| {
            match kernel.name {
                "avx2" => Some(("sansock, AVX2", kernel.in_place)),
                "portable" => Some(("sansock, portable", kernel.in_place)),
                _ => None,
            }
        });
    LIBRARIES.into_iter().chain(ours).collect()
}

/// Checks that the results are right.
pub(crate) fn check() {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    for (name, kernel) in all(1_000) {
        for size in (0..300).chain([4097]) {
            for start in 0..8 {
                let mut data: Vec<u8> = (0..=u8::MAX).cycle().take(start + size).collect();
                let mut expected = data.clone();
                kernel(&mut data[start..], key);
                byte_loop(&mut expected[start..], key);
                assert_eq!(data, expected, "{name}, {size} bytes from {start}");
            }
        }
    }
}
