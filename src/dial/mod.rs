//! Dialling without I/O: which address of a host is tried when, and the way through a proxy
//! (feature `proxy`).

mod happy_eyeballs;
mod proxy;

pub use happy_eyeballs::{AddressOrder, HappyEyeballs, Next};
#[cfg(feature = "proxy")]
pub use proxy::{
    InvalidProxy, InvalidProxyVariable, Proxies, Proxy, ProxyScheme, SocksRefusal, Tunnel,
    TunnelError,
};
