//! permessage-deflate (RFC 7692): what is negotiated, and the compressor and decompressor.

mod compress;
mod config;
mod inflate;
mod negotiation;
mod params;
mod pool;

pub use config::{ContextTakeover, DeflateConfig, DeflateLevel, WindowBits};
pub use negotiation::NegotiatedDeflate;

pub(crate) use compress::{Deflate, SharedDeflate};
pub(crate) use inflate::{Inflate, InvalidDeflate};
pub(crate) use params::NAME;

/// What a step took in and what came out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) taken: usize,
    pub(crate) made: usize,
}

impl Progress {
    /// From the totals before and after.
    fn since(before: (u64, u64), after: (u64, u64)) -> Self {
        // Neither is more than the length of a slice.
        let difference =
            |before: u64, after: u64| usize::try_from(after.wrapping_sub(before)).unwrap_or(0);
        Self { taken: difference(before.0, after.0), made: difference(before.1, after.1) }
    }

    /// Both steps, one after the other.
    const fn and(self, next: Self) -> Self {
        Self {
            taken: self.taken.saturating_add(next.taken),
            made: self.made.saturating_add(next.made),
        }
    }
}
