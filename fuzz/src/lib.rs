//! What each fuzz target checks, as a function of bytes. The targets themselves are one line each,
//! in `fuzz_targets/`; `cargo test` replays seeds and finds through the same functions.

pub mod connection;
pub mod deflate_offer;
pub mod differential;
pub mod feed;
pub mod flate;
pub mod frame;
pub mod http;
pub mod inflate;
pub mod mask;
pub mod model;
pub mod offer;
pub mod proxy_header;
pub mod receive;
pub mod request;
pub mod response;
pub mod url;
pub mod utf8;
pub mod wire;
