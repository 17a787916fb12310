//! Networks of IP addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address and the length of the prefix that counts, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is neither an IP address nor a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNetwork(String);

impl Network {
    /// Whether the address, which is not IPv4 mapped to IPv6, is in the network.
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        self.address.is_ipv4() == ip.is_ipv4()
            && (bits(self.address) ^ bits(ip)).leading_zeros() >= self.prefix
    }
}

/// The bits of an address, the first one leftmost.
const fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => (ip.to_bits() as u128) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|it| it.is_ascii_digit()) => {
                digits.parse().ok().filter(|it| *it <= longest).ok_or_else(invalid)?
            }
            Some(_) => return Err(invalid()),
        };
        // Bits behind the prefix are most often a mistake: 10.1.0.0/8 for 10.1.0.0/16.
        let rest = bits(address).checked_shl(prefix).unwrap_or_default();
        if rest == 0 { Ok(Self { address, prefix }) } else { Err(invalid()) }
    }
}

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "{text:?} is neither an IP address nor a network such as 10.0.0.0/8, where the bits \
             behind the prefix are 0"
        )
    }
}

impl std::error::Error for InvalidNetwork {}
