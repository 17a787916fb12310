//! The extractor and `serve`, over real connections.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod extractor;
mod http2;
#[cfg(feature = "hub")]
mod hub;
mod rejections;
mod shutdown;
