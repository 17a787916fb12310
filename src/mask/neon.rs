//! The kernel for 64-bit ARM: NEON, which nearly every such target has by definition.
#![expect(unsafe_code, reason = "SIMD registers, and instructions that this CPU may not have")]

use std::arch::aarch64::{uint8x16_t, vdupq_n_u32, veorq_u8, vreinterpretq_u8_u32};
use std::arch::is_aarch64_feature_detected;
use std::mem::transmute;

use super::data::Pair;
use super::key::Key;
use super::wide;

/// Proof that the CPU has NEON. Only [`Neon::detect`] makes it.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

#[expect(clippy::unused_self, reason = "a value of the type is the proof")]
impl Neon {
    /// A constant where the target has NEON by definition.
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    #[inline]
    pub(super) fn in_place(self, data: &mut [u8], key: Key) {
        #[target_feature(enable = "neon")]
        fn kernel(data: &mut [u8], key: Key) {
            wide::xor::<_, 64, 16, _>(data, key, |key| neon(key));
        }
        // SAFETY: there is a `Self`, so the CPU has NEON.
        unsafe { kernel(data, key) }
    }

    #[inline]
    pub(super) fn copying(self, source: &[u8], target: &mut [u8], key: Key) {
        #[target_feature(enable = "neon")]
        fn kernel(source: &[u8], target: &mut [u8], key: Key) {
            wide::xor::<_, 64, 16, _>(Pair::new(source, target), key, |key| neon(key));
        }
        // SAFETY: there is a `Self`, so the CPU has NEON.
        unsafe { kernel(source, target, key) }
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn neon(key: Key) -> impl Fn([u8; 16]) -> [u8; 16] {
    let key = vreinterpretq_u8_u32(vdupq_n_u32(key.0));
    move |bytes| {
        // SAFETY: arrays of bytes and registers of their size have no invalid values.
        unsafe {
            let data = transmute::<[u8; 16], uint8x16_t>(bytes);
            transmute::<uint8x16_t, [u8; 16]>(veorq_u8(data, key))
        }
    }
}
