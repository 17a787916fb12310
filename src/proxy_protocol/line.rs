//! Version 1: one line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::error::ProxyProtocolError;
use super::header::ProxyHeader;

/// What the line begins with.
pub(super) const PREFIX: &[u8] = b"PROXY ";
/// "a 108-byte buffer is always enough to store all the line and a trailing zero"
pub(super) const LONGEST: usize = 107;
/// `PROXY UNKNOWN` with its line end.
pub(super) const SHORTEST: usize = 15;

/// Reads a line without its line end. "Any sequence which does not exactly match the protocol must
/// be discarded and cause the receiver to abort the connection."
pub(super) fn parse(line: &[u8]) -> Result<ProxyHeader, ProxyProtocolError> {
    let line = std::str::from_utf8(line).map_err(|_| ProxyProtocolError::Line)?;
    // "the receiver must ignore anything presented before the CRLF is found"
    if line == "PROXY UNKNOWN" || line.starts_with("PROXY UNKNOWN ") {
        return Ok(ProxyHeader::default());
    }
    addresses(line).ok_or(ProxyProtocolError::Line)
}

fn addresses(line: &str) -> Option<ProxyHeader> {
    let mut words = line.split(' ');
    let ("PROXY", family) = (words.next()?, words.next()?) else { return None };
    let [source, destination] = match family {
        "TCP4" => [words.next()?, words.next()?].map(ip::<Ipv4Addr>),
        "TCP6" => [words.next()?, words.next()?].map(ip::<Ipv6Addr>),
        _ => return None,
    };
    let source = SocketAddr::new(source?, port(words.next()?)?);
    let destination = SocketAddr::new(destination?, port(words.next()?)?);
    let is_all = words.next().is_none();
    is_all.then(|| ProxyHeader {
        source: Some(source),
        destination: Some(destination),
        ..ProxyHeader::default()
    })
}

fn ip<A: FromStr + Into<IpAddr>>(text: &str) -> Option<IpAddr> {
    text.parse::<A>().ok().map(Into::into)
}

/// "Heading zeroes are not permitted in front of numbers in order to avoid any possible confusion
/// with octal numbers." `u16` alone would take those, and a sign too.
fn port(digits: &str) -> Option<u16> {
    let is_plain = digits.bytes().all(|it| it.is_ascii_digit());
    digits.parse().ok().filter(|_| is_plain && (digits == "0" || !digits.starts_with('0')))
}
