//! The extractor and `serve`, over real connections.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod extractor;
mod http2;
mod rejections;
mod shutdown;
