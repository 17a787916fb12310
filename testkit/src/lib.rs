//! Shared by the tests, the benches and torture: frames built by hand as RFC 6455, 5.2 draws them,
//! sources of masking keys, two ends with a clock that only the test moves, and a transport that
//! fails on demand.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "a test fails by it, and sees what it is"
)]
#![expect(
    missing_docs,
    reason = "nothing of this is published; where a name says it all, it is enough"
)]

pub mod counts;
pub mod frame;
pub mod masks;
pub mod memory;
pub mod pair;
pub mod redirects;
pub mod seen;
pub mod transport;
pub mod wire;
