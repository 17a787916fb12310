//! Replaces `proxy_header` without the feature `proxy-protocol`: no header is read.

use std::net::{SocketAddr, TcpStream};

use super::Error;
use crate::Deadline;

/// The settings: without the feature they have no values.
#[derive(Clone, Debug)]
pub(crate) enum ProxyProtocol {}

#[derive(Debug)]
pub(crate) struct Proxied;

impl Proxied {
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) const fn source(&self) -> Option<SocketAddr> {
        None
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
pub(crate) fn read(
    settings: Option<&ProxyProtocol>,
    _: &TcpStream,
    _: SocketAddr,
    _: &Deadline,
) -> Result<Proxied, Error> {
    match settings {
        None => Ok(Proxied),
        Some(settings) => match *settings {},
    }
}
