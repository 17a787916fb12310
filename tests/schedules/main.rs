//! The locks of hubs, and of the halves of a split connection on tokio, under the schedules of shuttle,
//! which decides at each lock who goes on and reports deadlocks:
//!
//! ```sh
//! RUSTFLAGS="--cfg sansock_schedules" cargo test -p sansock-schedules --test schedules --target-dir target/shuttle
//! ```
#![cfg(sansock_schedules)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod halves;
mod hubs;
mod pipe;
mod publishing;
