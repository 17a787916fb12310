//! The blocking adapters (`sansock::net`), over real loopback sockets and transports that
//! misbehave.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod client;
mod closing;
mod common;
mod connecting;
mod counted_messages;
mod counts;
mod drain;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
mod hub_ends;
mod places;
#[cfg(feature = "proxy-protocol")]
mod proxy_protocol;
mod read_timeouts;
#[cfg(feature = "reconnect")]
mod reconnecting;
#[cfg(feature = "redirects")]
mod redirects;
mod server;
mod shutdown;
mod slow_readers;
mod socket;
mod split;
mod stalls;
#[cfg(unix)]
mod unix;
mod waiting;
