//! What can be wrong with a header.

use std::{fmt, io};

/// Why a PROXY header is refused. There is no response to it: the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProtocolError {
    /// The connection does not begin with a PROXY header.
    Missing,
    /// The header of version 2 is longer than this many bytes, which
    /// [`ProxyProtocol::max_header`](super::ProxyProtocol::max_header) sets.
    TooLong(usize),
    /// The line of version 1 is longer than the 107 bytes that the protocol allows. No setting
    /// changes that.
    LineTooLong,
    /// The line of version 1 is not valid.
    Line,
    /// The version of the binary header is not 2.
    Version(u8),
    /// The command is neither LOCAL nor PROXY.
    Command(u8),
    /// The address family or the transport protocol does not exist.
    Family(u8),
    /// The header is too short for its addresses.
    Addresses,
    /// The extensions (TLVs) do not fill the header.
    Tlvs,
    /// The checksum is not that of the header.
    Checksum,
}

impl fmt::Display for ProxyProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "a trusted peer sends no PROXY header: configure the proxy (send-proxy, \
                 proxy_protocol) or the server (Server::proxy_protocol)",
            ),
            Self::TooLong(limit) => {
                write!(f, "the PROXY header exceeds {limit} bytes (ProxyProtocol::max_header)")
            }
            Self::LineTooLong => {
                f.write_str("the line of the PROXY header exceeds the 107 bytes of version 1")
            }
            Self::Line => f.write_str("the line of the PROXY header is not valid"),
            Self::Version(version) => write!(f, "version {version} of the PROXY header is not 2"),
            Self::Command(command) => write!(f, "the PROXY header's command {command} is unknown"),
            Self::Family(family) => {
                write!(f, "the PROXY header's address family {family:#04x} is unknown")
            }
            Self::Addresses => f.write_str("the PROXY header is too short for its addresses"),
            Self::Tlvs => f.write_str("the TLVs of the PROXY header do not fit its length"),
            Self::Checksum => f.write_str("the checksum of the PROXY header is wrong"),
        }
    }
}

impl std::error::Error for ProxyProtocolError {}

impl From<ProxyProtocolError> for io::Error {
    fn from(error: ProxyProtocolError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
