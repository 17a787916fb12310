//! What a header says.

use std::net::SocketAddr;

/// What a proxy says about a connection.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProxyHeader {
    pub(super) source: Option<SocketAddr>,
    pub(super) destination: Option<SocketAddr>,
    pub(super) tlvs: Vec<u8>,
}

/// The types of extensions (TLVs) that the specification defines.
pub mod tlv;

impl ProxyHeader {
    /// Returns the address of the client that is connected to the proxy. `None` if the proxy
    /// itself opened the connection, such as for a health check (LOCAL), or does not say
    /// (UNKNOWN, UNSPEC), and if the client's transport is not TCP: then the peer's address counts.
    #[must_use]
    pub const fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Returns the address of the proxy that the client has connected to; `None` as for
    /// [`source`](Self::source).
    #[must_use]
    pub const fn destination(&self) -> Option<SocketAddr> {
        self.destination
    }

    /// Iterates over the extensions of version 2, in their order.
    #[must_use]
    pub fn tlvs(&self) -> Tlvs<'_> {
        Tlvs { rest: &self.tlvs }
    }

    /// Returns the value of the first extension of this [type](tlv).
    #[must_use]
    pub fn tlv(&self, kind: u8) -> Option<&[u8]> {
        self.tlvs().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// Returns the host name that the client has asked for in TLS ([`tlv::AUTHORITY`]).
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        std::str::from_utf8(self.tlv(tlv::AUTHORITY)?).ok()
    }
}

/// The extensions of a header, each with its type and value.
#[derive(Clone, Debug)]
pub struct Tlvs<'h> {
    rest: &'h [u8],
}

impl<'h> Tlvs<'h> {
    pub(super) const fn new(rest: &'h [u8]) -> Self {
        Self { rest }
    }

    /// Whether what is left is one or several whole extensions.
    pub(super) fn are_whole(mut self) -> bool {
        while self.next().is_some() {}
        self.rest.is_empty()
    }
}

impl<'h> Iterator for Tlvs<'h> {
    type Item = (u8, &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[kind, high, low], rest) = self.rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes([high, low]).into())?;
        self.rest = rest;
        Some((kind, value))
    }
}
