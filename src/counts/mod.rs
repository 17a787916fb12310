//! What a server has done so far, as plain numbers, for metrics.
//!
//! `net::ServerHandle::counts` and its like in `sansock-tokio` return a [`ServerCounts`]. The text
//! for a monitoring system is the program's to write: `examples/chat/metrics.rs` writes it for
//! Prometheus.
//!
//! [`Counters`] and [`CountedClient`] do the counting, for servers with a loop of their own. A message
//! costs them no lock, and no cache line that another thread writes to.

mod client;
mod counters;
mod ended;
mod lanes;
mod refusal;
mod server_counts;

pub use client::CountedClient;
pub use counters::Counters;
pub use ended::{CloseCodes, Ended, TimeoutCounts};
pub use refusal::{Refusal, Refusals};
pub use server_counts::{ServerCounts, Traffic};
