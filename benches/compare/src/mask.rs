//! Masking in place, for the libraries that export it.

pub(crate) type Kernel = fn(&mut [u8], [u8; 4]);

pub(crate) const ALL: [(&str, Kernel); 4] = [
    ("sansock", |data, key| sansock::mask::Mask::new(key).apply(data)),
    ("fastwebsockets", |data, key| fastwebsockets::unmask(data, key)),
    ("yawc", |data, key| yawc::mask::apply_mask(data, key)),
    ("loop over bytes", byte_loop),
];

fn byte_loop(data: &mut [u8], key: [u8; 4]) {
    data.iter_mut().zip(key.into_iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

/// Checks that the results are right.
pub(crate) fn check() {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    for (name, kernel) in ALL {
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
