//! SOCKS5 (RFC 1928) with user name and password (RFC 1929).

use std::net::IpAddr;

use super::error::{SocksRefusal, TunnelError};
use super::take::{check_version, take};
use super::url::{Credentials, Proxy, ProxyScheme};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::uri::Uri;

const VERSION: u8 = 5;
/// Of the sub-negotiation of RFC 1929.
const AUTHENTICATION_VERSION: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
/// "If the selected METHOD is X'FF', none of the methods listed by the client are acceptable"
const NONE_ACCEPTABLE: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const IPV6: u8 = 4;

/// The messages that are still to be sent, and which answer comes next.
pub(super) struct Socks5 {
    at: At,
    /// User name and password as RFC 1929 has them.
    authentication: Option<Vec<u8>>,
    request: Vec<u8>,
}

enum At {
    Method,
    Authentication,
    Reply,
    /// The reply is a success. Its address and port follow: so many bytes.
    Address(usize),
}

impl Socks5 {
    /// Writes the offered methods. `address` is the server's, if the name is not sent.
    pub(super) fn start(
        proxy: &Proxy,
        uri: &Uri,
        address: Option<IpAddr>,
        output: &mut SendBuffer,
    ) -> Result<Self, TunnelError> {
        let request = request(proxy, uri, address)?;
        let authentication = proxy.credentials.as_ref().map(authentication).transpose()?;
        output.extend_from_slice(match authentication {
            None => &[VERSION, 1, NO_AUTHENTICATION],
            Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD],
        });
        Ok(Self { at: At::Method, authentication, request })
    }

    /// Takes what has arrived, and writes what comes next. Returns `true` after the reply.
    pub(super) fn advance(
        &mut self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<bool, TunnelError> {
        loop {
            let next = match self.at {
                At::Method => self.read_method(input, output)?,
                At::Authentication => self.read_authentication(input, output)?,
                At::Reply => read_reply(input)?,
                At::Address(length) => {
                    let Some(_) = input.as_slice().get(..length) else { return Ok(false) };
                    input.consume(length);
                    return Ok(true);
                }
            };
            let Some(next) = next else { return Ok(false) };
            self.at = next;
        }
    }

    fn read_method(
        &self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<Option<At>, TunnelError> {
        check_version(input, VERSION)?;
        let Some([_, method]) = take(input) else { return Ok(None) };
        match (method, &self.authentication) {
            (NO_AUTHENTICATION, _) => {
                output.extend_from_slice(&self.request);
                Ok(Some(At::Reply))
            }
            (USER_AND_PASSWORD, Some(authentication)) => {
                output.extend_from_slice(authentication);
                Ok(Some(At::Authentication))
            }
            (NONE_ACCEPTABLE, _) => Err(TunnelError::NoAcceptableMethod),
            (method, _) => Err(TunnelError::UnexpectedMethod(method)),
        }
    }

    /// "A STATUS field of X'00' indicates success." (RFC 1929, 2)
    fn read_authentication(
        &self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<Option<At>, TunnelError> {
        check_version(input, AUTHENTICATION_VERSION)?;
        match take(input) {
            None => Ok(None),
            Some([_, 0]) => {
                output.extend_from_slice(&self.request);
                Ok(Some(At::Reply))
            }
            Some([_, _]) => Err(TunnelError::AuthenticationFailed),
        }
    }
}

/// Reads VER, REP, RSV, ATYP and the first byte of the address, which may be its length (RFC 1928,
/// 6). A refusal needs no address: some proxies cut it off.
fn read_reply(input: &mut ReceiveBuffer) -> Result<Option<At>, TunnelError> {
    check_version(input, VERSION)?;
    match input.as_slice() {
        [_, code @ 1..=255, ..] => Err(TunnelError::Socks(SocksRefusal::of_socks5(*code))),
        [_, _, _, kind, first, ..] => {
            let address = match *kind {
                IPV4 => 4,
                IPV6 => 16,
                DOMAIN_NAME => usize::from(*first).saturating_add(1),
                kind => return Err(TunnelError::AddressType(kind)),
            };
            input.consume(4);
            Ok(Some(At::Address(address.saturating_add(2))))
        }
        _ => Ok(None),
    }
}

/// VER, ULEN, UNAME, PLEN, PASSWD (RFC 1929, 2).
fn authentication(credentials: &Credentials) -> Result<Vec<u8>, TunnelError> {
    let mut message = vec![AUTHENTICATION_VERSION];
    push_with_length(&mut message, &credentials.user)?;
    push_with_length(&mut message, &credentials.password)?;
    Ok(message)
}

/// VER, CMD, RSV, ATYP, DST.ADDR, DST.PORT (RFC 1928, 4).
fn request(proxy: &Proxy, uri: &Uri, address: Option<IpAddr>) -> Result<Vec<u8>, TunnelError> {
    let mut message = vec![VERSION, CONNECT, 0];
    let host = uri.bare_host();
    match (host.parse(), address) {
        (Err(_), _) if proxy.scheme() == ProxyScheme::Socks5h => {
            message.push(DOMAIN_NAME);
            push_with_length(&mut message, host.as_bytes())?;
        }
        (Ok(address), _) | (Err(_), Some(address)) => push_address(&mut message, address),
        (Err(_), None) => return Err(TunnelError::AddressMissing),
    }
    message.extend(uri.port().to_be_bytes());
    Ok(message)
}

fn push_address(message: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            message.push(IPV4);
            message.extend(address.octets());
        }
        IpAddr::V6(address) => {
            message.push(IPV6);
            message.extend(address.octets());
        }
    }
}

/// User names and passwords have been checked; hosts have not.
fn push_with_length(message: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TunnelError> {
    message.push(u8::try_from(bytes.len()).map_err(|_| TunnelError::Host)?);
    message.extend_from_slice(bytes);
    Ok(())
}
