//! The adapter over TCP and over pipes, as a program sees it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod answers;
mod client;
mod common;
#[cfg(feature = "tower")]
mod connector;
mod counted_messages;
mod counts;
mod dialling;
mod drain;
mod fairness;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
mod hub_ends;
#[cfg(feature = "hub")]
mod hub_slow;
#[cfg(feature = "proxy-protocol")]
mod proxy_protocol;
mod read_size;
#[cfg(feature = "reconnect")]
mod reconnecting;
#[cfg(feature = "redirects")]
mod redirects;
mod server;
mod server_timer;
mod shutdown;
mod sinks;
mod split;
mod timeouts;
