//! Masking (RFC 6455, 5.3): the key, the position in it, and the kernels that apply it.
//!
//! The wide kernels share one loop (`wide`) over registers of several widths. All `unsafe` code
//! of this module is in `x86` and `neon`: it converts an array of bytes to a register, and calls
//! code compiled for a CPU feature that was detected.

mod apply;
mod data;
#[cfg_attr(
    not(test),
    allow(
        dead_code,
        unreachable_pub,
        reason = "for tests, and for benches and fuzz, which include this module"
    )
)]
pub(crate) mod kernels;
mod key;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
pub(crate) mod random;
mod source;
#[cfg(test)]
mod tests;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod wide;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use apply::Mask;
#[cfg(feature = "rand")]
pub use random::RandomMasks;
pub(crate) use source::BoxedMaskSource;
pub use source::MaskSource;
