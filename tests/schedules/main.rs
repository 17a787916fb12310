//! A split connection under the schedules of shuttle, which decides at each lock which task goes on
//! and reports deadlocks:
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test -p sansock-tokio --features hub --test schedules --target-dir target/shuttle
//! ```
#![cfg(shuttle)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod halves;
#[cfg(feature = "hub")]
mod hub;
mod pipe;
