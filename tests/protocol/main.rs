//! The protocol core (RFC 6455, 5 to 8), through the public API.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod buffers;
mod closing;
mod idle;
mod keepalive;
mod limits;
mod message_time;
mod owned;
mod peers;
mod queues;
mod rfc6455;
mod slow_readers;
mod splits;
mod timers;
mod violations;

use testkit::{pair, wire};
