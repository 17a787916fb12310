//! A blocking client and server over [`std::net`].
//!
//! [`client::connect`] and [`Server`] return a [`WebSocket`]. One thread reads and writes; after
//! [`WebSocket::split`] one thread reads while others write.
//!
//! With the feature `rustls` the same types work over TLS too: `connect` takes `wss:` URLs, and
//! `tls` has the options of clients and servers.
//!
//! # Getting there
//!
//! A [`Client`] connects through a proxy if the program sets one with `Client::proxy` (feature
//! `proxy`): a [`dial::Proxy`](crate::dial), or what `dial::Proxies::from_env` reads from the
//! environment (feature `proxy-env`). `Client::redirects` (feature `redirects`) follows redirects of
//! the handshake. `Client::reconnecting` (feature `reconnect`) makes one connection after the other,
//! with a hook that subscribes again on each.
//!
//! # The end of a server
//!
//! [`ServerHandle::shutdown`] closes all connections at once, and [`ServerHandle::start_drain`] one
//! after the other, while the health check fails. Both only need a thread that waits for the signal,
//! for which `std` has no function; `examples/service` uses the crate `ctrlc`.

mod accept;
mod blocking;
mod cancel;
pub mod client;
mod connect;
mod core;
mod error;
mod linger;
pub(crate) mod lock;
mod opening;
mod outgoing;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(not(feature = "proxy"))]
#[path = "no_proxy.rs"]
mod proxy;
#[cfg(feature = "proxy-protocol")]
mod proxy_header;
#[cfg(not(feature = "proxy-protocol"))]
#[path = "no_proxy_header.rs"]
mod proxy_header;
#[cfg(feature = "reconnect")]
mod reconnect;
#[cfg(feature = "redirects")]
mod redirects;
mod route;
mod server;
mod slot;
#[cfg(feature = "socket2")]
mod socket_options;
mod split;
mod stream;
#[cfg(feature = "rustls")]
pub mod tls;
#[cfg(not(feature = "rustls"))]
#[path = "no_tls.rs"]
mod tls;
mod transport;
#[cfg(unix)]
mod unix;
mod websocket;
mod wire;
mod write;

pub use accept::accept;
pub use cancel::CancelConnect;
pub use client::Client;
pub use connect::ConnectError;
pub use error::Error;
pub use outgoing::Outgoing;
#[cfg(feature = "proxy")]
pub use proxy::ProxyCause;
pub use proxy::ProxyError;
#[cfg(feature = "reconnect")]
pub use reconnect::{Connected, Reconnecting, Retry};
pub use server::{HandlerResult, Incoming, Server, ServerError, ServerHandle};
pub use split::{Reader, Writer};
pub use stream::Stream;
pub use tls::TlsError;
pub use transport::Transport;
#[cfg(unix)]
pub use unix::connect_unix;
pub use websocket::{Next, WebSocket};
