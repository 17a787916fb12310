//! Kernels for x86-64: AVX2 and AVX-512. (SSE2 is part of the architecture; the portable loop
//! compiles to it.)
#![expect(unsafe_code, reason = "SIMD registers, and instructions that this CPU may not have")]

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_set1_epi32, _mm256_xor_si256, _mm512_set1_epi32, _mm512_xor_si512,
};
use std::mem::transmute;

use super::data::Pair;
use super::key::Key;
use super::wide;

/// Proof that the CPU has AVX2. Only [`Avx2::detect`] makes it.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

#[expect(clippy::unused_self, reason = "a value of the type is the proof")]
impl Avx2 {
    /// Asks the CPU the first time, and an atomic variable afterwards.
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    #[inline]
    pub(super) fn in_place(self, data: &mut [u8], key: Key) {
        #[target_feature(enable = "avx2")]
        fn kernel(data: &mut [u8], key: Key) {
            wide::xor::<_, 128, 32, _>(data, key, |key| avx2(key));
        }
        // SAFETY: there is a `Self`, so the CPU has AVX2.
        unsafe { kernel(data, key) }
    }

    #[inline]
    pub(super) fn copying(self, source: &[u8], target: &mut [u8], key: Key) {
        #[target_feature(enable = "avx2")]
        fn kernel(source: &[u8], target: &mut [u8], key: Key) {
            wide::xor::<_, 128, 32, _>(Pair::new(source, target), key, |key| avx2(key));
        }
        // SAFETY: there is a `Self`, so the CPU has AVX2.
        unsafe { kernel(source, target, key) }
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn avx2(key: Key) -> impl Fn([u8; 32]) -> [u8; 32] {
    let key = _mm256_set1_epi32(key.0.cast_signed());
    move |bytes| {
        // SAFETY: arrays of bytes and registers of their size have no invalid values.
        unsafe {
            let data = transmute::<[u8; 32], __m256i>(bytes);
            transmute::<__m256i, [u8; 32]>(_mm256_xor_si256(data, key))
        }
    }
}

/// Proof that the CPU has AVX-512 Foundation. Only [`Avx512::detect`] makes it.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

#[expect(clippy::unused_self, reason = "a value of the type is the proof")]
impl Avx512 {
    /// Asks the CPU the first time, and an atomic variable afterwards.
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    #[inline]
    pub(super) fn in_place(self, data: &mut [u8], key: Key) {
        #[target_feature(enable = "avx512f")]
        fn kernel(data: &mut [u8], key: Key) {
            wide::xor::<_, 256, 64, _>(data, key, |key| avx512(key));
        }
        // SAFETY: there is a `Self`, so the CPU has AVX-512 Foundation.
        unsafe { kernel(data, key) }
    }

    #[inline]
    pub(super) fn copying(self, source: &[u8], target: &mut [u8], key: Key) {
        #[target_feature(enable = "avx512f")]
        fn kernel(source: &[u8], target: &mut [u8], key: Key) {
            wide::xor::<_, 256, 64, _>(Pair::new(source, target), key, |key| avx512(key));
        }
        // SAFETY: there is a `Self`, so the CPU has AVX-512 Foundation.
        unsafe { kernel(source, target, key) }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn avx512(key: Key) -> impl Fn([u8; 64]) -> [u8; 64] {
    let key = _mm512_set1_epi32(key.0.cast_signed());
    move |bytes| {
        // SAFETY: arrays of bytes and registers of their size have no invalid values.
        unsafe {
            let data = transmute::<[u8; 64], __m512i>(bytes);
            transmute::<__m512i, [u8; 64]>(_mm512_xor_si512(data, key))
        }
    }
}
