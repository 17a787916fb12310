//! WebSocket on hyper, for HTTP/1.1 and for HTTP/2 (RFC 8441).
//!
//! hyper parses the request and writes the response; this module checks and answers them, and takes
//! over the stream. [`upgrade`] is for a service that accepts what is right. [`ServerHandshake`] is
//! for one that looks at the request first.
//!
//! For HTTP/2 the server must announce that it serves extended CONNECT, and should do so only where
//! it does: `hyper::server::conn::http2::Builder::enable_connect_protocol`.

mod io;
mod server;

pub use self::io::Upgraded;
pub use self::server::{ServerHandshake, Upgrade, upgrade};
