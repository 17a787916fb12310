//! permessage-deflate (RFC 7692): what is negotiated, and the compressor and decompressor.

mod compress;
mod config;
mod inflate;
mod negotiation;
mod params;
mod pool;
mod progress;

pub use config::{ContextTakeover, DeflateConfig, DeflateLevel, WindowBits};
pub use negotiation::NegotiatedDeflate;

pub(crate) use compress::{Deflate, SharedDeflate};
pub(crate) use inflate::{Inflate, InvalidDeflate};
pub(crate) use params::NAME;

/// How a connection keeps its compressor and decompressor: most have none.
pub(crate) type Boxed<T> = Box<T>;

pub(crate) fn boxed<T>(it: T) -> Boxed<T> {
    Box::new(it)
}
