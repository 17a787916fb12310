//! Version 2: a binary header.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::error::ProxyProtocolError as Error;
use super::header::{ProxyHeader, Tlvs, tlv};

/// What the header begins with.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, and the length of the rest.
pub(super) const FIXED: usize = 16;

/// The fixed part of a header.
#[derive(Clone, Copy)]
pub(super) struct Fixed {
    is_local: bool,
    /// The size of the addresses; `None` if they are not those of TCP.
    addresses: Addresses,
    /// How many bytes follow.
    pub(super) rest: usize,
}

#[derive(Clone, Copy)]
enum Addresses {
    V4,
    V6,
    /// So many bytes to skip.
    Other(usize),
}

impl Fixed {
    /// Reads what follows the signature.
    pub(super) fn parse([command, family, high, low]: [u8; 4]) -> Result<Self, Error> {
        if command >> 4 != 2 {
            return Err(Error::Version(command >> 4));
        }
        let is_local = match command & 0xF {
            0 => true,
            1 => false,
            // "Receivers must drop connections presenting unexpected values here."
            other => return Err(Error::Command(other)),
        };
        let addresses = match family {
            0x11 => Addresses::V4,
            0x21 => Addresses::V6,
            // UNSPEC, and datagrams and sockets of Unix: the real endpoints count.
            0x00 => Addresses::Other(0),
            0x12 => Addresses::Other(12),
            0x22 => Addresses::Other(36),
            0x31 | 0x32 => Addresses::Other(216),
            // "other values are unspecified and must not be emitted in version 2 of this protocol
            // and must be rejected as invalid by receivers."
            other if !is_local => return Err(Error::Family(other)),
            _ => Addresses::Other(0),
        };
        Ok(Self { is_local, addresses, rest: u16::from_be_bytes([high, low]).into() })
    }

    /// Reads a whole header, of which this is the fixed part and `rest` what follows it.
    pub(super) fn header(self, whole: &[u8], rest: &[u8]) -> Result<ProxyHeader, Error> {
        // "The receiver must accept this connection as valid and must use the real connection
        // endpoints and discard the protocol block including the family which is ignored."
        if self.is_local {
            return Ok(ProxyHeader::default());
        }
        let (addresses, tlvs) = match self.addresses {
            Addresses::V4 => {
                let (bytes, tlvs) = rest.split_first_chunk().ok_or(Error::Addresses)?;
                (Some(v4(bytes).ok_or(Error::Addresses)?), tlvs)
            }
            Addresses::V6 => {
                let (bytes, tlvs) = rest.split_first_chunk().ok_or(Error::Addresses)?;
                (Some(v6(bytes).ok_or(Error::Addresses)?), tlvs)
            }
            Addresses::Other(size) => {
                (None, rest.split_at_checked(size).ok_or(Error::Addresses)?.1)
            }
        };
        if !Tlvs::new(tlvs).are_whole() {
            return Err(Error::Tlvs);
        }
        check(whole, tlvs)?;
        let (source, destination) = addresses.unzip();
        Ok(ProxyHeader { source, destination, tlvs: tlvs.to_vec() })
    }
}

fn v4(bytes: &[u8; 12]) -> Option<(SocketAddr, SocketAddr)> {
    let (source, rest) = bytes.split_first_chunk::<4>()?;
    let (destination, rest) = rest.split_first_chunk::<4>()?;
    let [source_port, destination_port] = ports(rest)?;
    let source = (Ipv4Addr::from(*source), source_port);
    Some((source.into(), (Ipv4Addr::from(*destination), destination_port).into()))
}

fn v6(bytes: &[u8; 36]) -> Option<(SocketAddr, SocketAddr)> {
    let (source, rest) = bytes.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    let [source_port, destination_port] = ports(rest)?;
    let source = (Ipv6Addr::from(*source), source_port);
    Some((source.into(), (Ipv6Addr::from(*destination), destination_port).into()))
}

/// The ports of source and destination, which follow the addresses.
fn ports(bytes: &[u8]) -> Option<[u16; 2]> {
    let [a, b, c, d] = *bytes.first_chunk()?;
    Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}

/// Verifies the checksum, if there is one.
fn check(whole: &[u8], tlvs: &[u8]) -> Result<(), Error> {
    let mut left = tlvs.len();
    for (kind, value) in Tlvs::new(tlvs) {
        left = left.saturating_sub(value.len()).saturating_sub(3);
        if kind == tlv::CRC32C {
            // "If it is not, the receiver MUST treat the TCP connection providing the header as
            // invalid." It counts with four zeros in its place.
            let received = <[u8; 4]>::try_from(value).map_err(|_| Error::Tlvs)?;
            let field = whole.len().saturating_sub(left).saturating_sub(4);
            let zeroed = whole.iter().zip(0_usize..).map(|(&byte, at)| {
                if at.checked_sub(field).is_some_and(|at| at < 4) { 0 } else { byte }
            });
            let is_right = crc32c(zeroed) == u32::from_be_bytes(received);
            return if is_right { Ok(()) } else { Err(Error::Checksum) };
        }
    }
    Ok(())
}

/// CRC-32C (RFC 9260, appendix A), bit by bit: once per connection.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 }
        })
    })
}
