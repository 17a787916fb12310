//! The kernels by name, for tests and benchmarks.

use super::apply::Mask;
use super::data::Pair;
use super::key::Key;
#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};

/// Makes a [`Kernel`] from a type that proves a CPU feature, if the CPU has it.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! kernel {
    ($name:literal, $proof:ty) => {
        <$proof>::detect().map(|_| Kernel {
            name: $name,
            in_place: |data, key| {
                if let Some(kernel) = <$proof>::detect() {
                    kernel.in_place(data, Key::new(key));
                }
            },
            copying: |source, target, key| {
                if let Some(kernel) = <$proof>::detect() {
                    kernel.copying(source, target, Key::new(key));
                }
            },
        })
    };
}

/// One way to mask, in place and while copying.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    /// The name that the benchmarks print.
    pub(crate) name: &'static str,
    /// Masks with the key from its first byte.
    pub(crate) in_place: fn(&mut [u8], [u8; 4]),
    /// Masks from a source into a target of the same length.
    pub(crate) copying: fn(&[u8], &mut [u8], [u8; 4]),
}

impl Kernel {
    /// The kernel that [`Mask`] chooses, then every kernel that works on this CPU.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let chosen = Self {
            name: "chosen",
            in_place: |data, key| Mask::new(key).apply(data),
            copying: |source, target, key| Mask::new(key).apply_to(source, target),
        };
        let portable = Self {
            name: "portable",
            in_place: |data, key| portable::xor(data, Key::new(key)),
            copying: |source, target, key| {
                portable::xor(Pair::new(source, target), Key::new(key));
            },
        };
        let all = [chosen, portable].into_iter();
        #[cfg(target_arch = "x86_64")]
        let all = all.chain(kernel!("avx2", Avx2)).chain(kernel!("avx512", Avx512));
        #[cfg(target_arch = "aarch64")]
        let all = all.chain(kernel!("neon", Neon));
        all
    }
}
