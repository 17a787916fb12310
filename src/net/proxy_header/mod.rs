//! PROXY headers of the proxies in front of a server.

mod methods;
mod read;

pub(super) use self::read::{Proxied, read};
pub(super) use crate::proxy_protocol::ProxyProtocol;
