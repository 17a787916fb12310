//! permessage-deflate (RFC 7692), through the public API.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod bounds;
mod cut_off;
mod negotiation;
#[cfg(feature = "net")]
mod net;
mod oracle;
mod receiving;
mod sending;
mod wire;
