//! SOCKS4a: SOCKS4 with a name that the proxy resolves.

use std::net::{IpAddr, Ipv4Addr};

use super::error::{SocksRefusal, TunnelError};
use super::take::{check_version, take};
use super::url::Proxy;
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::uri::Uri;

const VERSION: u8 = 4;
const CONNECT: u8 = 1;
/// Of the reply.
const REPLY_VERSION: u8 = 0;
const GRANTED: u8 = 90;
/// A name follows: "0.0.0.x with nonzero x", which is nobody's address.
const NAME_FOLLOWS: Ipv4Addr = Ipv4Addr::new(0, 0, 0, 1);

/// Writes version, command, port, address, user name and, if it is no address, the host's name; the
/// last two end with a zero byte each.
pub(super) fn start(proxy: &Proxy, uri: &Uri, output: &mut SendBuffer) -> Result<(), TunnelError> {
    let host = uri.bare_host();
    let address = match host.parse() {
        Ok(IpAddr::V4(address)) => Some(address),
        Ok(IpAddr::V6(_)) => return Err(TunnelError::Host),
        Err(_) if host.len() > 255 => return Err(TunnelError::Host),
        Err(_) => None,
    };
    let mut message = vec![VERSION, CONNECT];
    message.extend(uri.port().to_be_bytes());
    message.extend(address.unwrap_or(NAME_FOLLOWS).octets());
    if let Some(credentials) = &proxy.credentials {
        message.extend(&credentials.user);
    }
    message.push(0);
    if address.is_none() {
        message.extend(host.as_bytes());
        message.push(0);
    }
    output.extend_from_slice(&message);
    Ok(())
}

/// Takes the reply: version, code, and a port and an address without a meaning. Returns `true` if
/// it has arrived.
pub(super) fn advance(input: &mut ReceiveBuffer) -> Result<bool, TunnelError> {
    check_version(input, REPLY_VERSION)?;
    match input.as_slice() {
        [_, GRANTED, ..] => Ok(take::<8>(input).is_some()),
        [_, code, ..] => Err(TunnelError::Socks(SocksRefusal::of_socks4(*code))),
        _ => Ok(false),
    }
}
