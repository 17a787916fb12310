//! The adapter over TCP and over pipes, as a program sees it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod client;
mod common;
mod fairness;
mod server;
mod shutdown;
mod sinks;
mod split;
mod timeouts;
