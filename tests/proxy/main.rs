//! The exchange with a proxy, without I/O.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod connect;
mod errors;
mod exchange;
mod pieces;
mod socks;
