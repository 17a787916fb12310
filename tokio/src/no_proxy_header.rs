//! Replaces `proxy_header` without the feature `proxy-protocol`: no header is read.

use std::net::SocketAddr;

use sansock::Deadline;
use tokio::net::TcpStream;

use crate::Error;

/// The settings: without the feature they have no values.
#[derive(Clone)]
pub(crate) enum ProxyProtocol {}

#[derive(Default)]
pub(crate) struct Proxied;

impl Proxied {
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) const fn source(&self) -> Option<SocketAddr> {
        None
    }
}

#[expect(clippy::unused_async, reason = "as with the feature")]
pub(crate) async fn read(
    settings: Option<&ProxyProtocol>,
    _: &mut TcpStream,
    _: SocketAddr,
    _: &Deadline,
) -> Result<Proxied, Error> {
    match settings {
        None => Ok(Proxied),
        Some(settings) => match *settings {},
    }
}
