//! The way to a server through a proxy: which proxy, and what is said to it.
#![cfg(feature = "proxy")]

mod connect;
mod environment;
mod error;
mod invalid;
mod no_proxy;
mod proxies;
mod socks4a;
mod socks5;
mod take;
mod tunnel;
mod url;

pub use error::{SocksRefusal, TunnelError};
pub use invalid::{InvalidProxy, InvalidProxyVariable};
pub use proxies::Proxies;
pub use tunnel::Tunnel;
pub use url::{Proxy, ProxyScheme};
