//! Host and port (RFC 3986, 3.2.2 and 3.2.3).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::error::UriError;

/// `host [ ":" port ]` (RFC 3986, 3.2), as in URLs, Host and Origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authority {
    /// In lower case; an IPv6 address in its shortest form and in brackets.
    pub(crate) host: String,
    /// `None` if there is none.
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// The host, an IPv6 address without its brackets.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(&self.host)
    }
}

impl FromStr for Authority {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (host, rest) = if let Some(text) = text.strip_prefix('[') {
            let (address, rest) = text.split_once(']').ok_or(UriError::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| UriError::Host)?;
            (format!("[{address}]"), rest)
        } else {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (name_or_ipv4(host)?, rest)
        };
        let port = match rest.strip_prefix(':') {
            // "URI producers and normalizers should omit the port component and its ":" delimiter
            // if port is empty" (RFC 3986, 3.2.3), so an empty port is valid.
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let port = digits.parse().ok().filter(|port| *port != 0);
                Some(port.ok_or(UriError::Port)?)
            }
            Some(_) => return Err(UriError::Port),
            None if rest.is_empty() => None,
            None => return Err(UriError::Host),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Parses a host that is not in brackets, and returns it in lower case.
fn name_or_ipv4(host: &str) -> Result<String, UriError> {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_name_byte) {
        return Err(UriError::Host);
    }
    let host = host.to_ascii_lowercase();
    // Resolvers read `127.1` and `0x7f.1` as addresses, so a host that ends in a number must be a
    // plain IPv4 address.
    let last = host.strip_suffix('.').unwrap_or(&host).rsplit('.').next().unwrap_or_default();
    let is_number = match last.strip_prefix("0x") {
        Some(hex) => hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err(UriError::Host);
    }
    Ok(host)
}
