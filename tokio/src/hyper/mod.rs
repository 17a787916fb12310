//! WebSocket on hyper, for HTTP/1.1 and for HTTP/2 (RFC 8441).
//!
//! hyper reads and writes the heads; this module checks and makes them, and takes over the stream.
//!
//! # A server
//!
//! [`upgrade`] is for a service that accepts what is right. [`ServerHandshake`] is for one that looks
//! at the request first. The connection must be served with upgrades.
//!
//! Over HTTP/2 the server announces that it serves extended CONNECT, and should do so only where it
//! does. hyper's other settings are for downloads. Set them for WebSocket connections too:
//!
//! ```
//! use hyper::server::conn::http2::Builder;
//! use hyper_util::rt::TokioExecutor;
//!
//! const SOCKETS: u32 = 1_000;
//! const WINDOW: u32 = 64 << 10;
//! let mut builder = Builder::new(TokioExecutor::new());
//! builder
//!     .enable_connect_protocol()
//!     // Default 200.
//!     .max_concurrent_streams(SOCKETS)
//!     // How much one WebSocket may hold that the program has not read, and all of them together.
//!     // By default one alone may fill the window of all, and then no other receives anything.
//!     .initial_stream_window_size(WINDOW)
//!     .initial_connection_window_size(SOCKETS * WINDOW);
//! ```
//!
//! The second product is also what one client can make the server hold. The other direction has the
//! windows that the client announces.
//!
//! [`Connections`](crate::Connections) spawns the tasks and closes all connections at a shutdown, or
//! gradually; then its [`refusal`](crate::Connections::refusal) is the response to new requests.
//! hyper's `graceful_shutdown` waits for those of HTTP/2, and knows nothing of those of HTTP/1.1,
//! which have left its hands.
//!
//! # A client
//!
//! [`ClientHandshake`] makes the request and takes the response, over any connection of hyper's.
//! [`http2`] makes a connection of HTTP/2, and says if its server serves no WebSocket there.

mod client;
mod http2;
mod io;
mod server;

pub use self::client::ClientHandshake;
pub use self::http2::http2;
pub use self::io::Upgraded;
pub use self::server::{ServerHandshake, Upgrade, refuse, upgrade};
