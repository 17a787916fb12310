//! The way through a proxy.

use sansock::net::Client;

use crate::proxies::Proxies;

#[cfg(feature = "proxy")]
pub(crate) fn through(client: Client, proxies: Proxies) -> Client {
    client.proxy(proxies)
}

#[cfg(not(feature = "proxy"))]
pub(crate) fn through(_: Client, proxies: Proxies) -> Client {
    match proxies {}
}
