//! Dialling without I/O: which address of a host is tried when, the way through a proxy (feature
//! `proxy`), which redirects are followed (feature `redirects`), and when a client connects again
//! (feature `reconnect`).

mod happy_eyeballs;
mod proxy;
pub mod reconnect;
pub mod redirect;

pub use happy_eyeballs::{AddressOrder, HappyEyeballs, Next};
#[cfg(feature = "proxy")]
pub use proxy::{
    InvalidProxy, InvalidProxyVariable, Proxies, Proxy, ProxyScheme, SocksRefusal, Tunnel,
    TunnelError,
};
