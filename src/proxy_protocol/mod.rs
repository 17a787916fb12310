//! The PROXY protocol, versions 1 and 2 (feature `proxy-protocol`): how a proxy that passes bytes
//! on tells a server whose connection it is.
//!
//! The header comes before everything else on the connection, TLS included. It can claim any
//! address, so a server reads it only of the peers that the program trusts: [`ProxyProtocol`] has the
//! settings for `net::Server` and for the server of `sansock-tokio`.
//! [`HeaderReader`] is the reader without I/O, [`ProxyHeader`] what it reads.
//!
//! The quotes are from the protocol's specification,
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

mod binary;
mod error;
mod header;
mod line;
mod networks;
mod reader;

pub use error::ProxyProtocolError;
pub use header::{ProxyHeader, Tlvs, tlv};
pub use networks::InvalidNetwork;
pub use reader::HeaderReader;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use networks::Network;

/// Which peers of a server send a PROXY header.
///
/// ```
/// use sansock::proxy_protocol::ProxyProtocol;
///
/// // The load balancers, and a proxy on this machine.
/// let settings = ProxyProtocol::from_networks(["10.1.0.0/16", "::1"])?;
/// assert!(settings.trusts("10.1.2.3".parse()?) && !settings.trusts("10.2.0.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ProxyProtocol {
    trusts: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    optional: bool,
    max_header: usize,
}

impl ProxyProtocol {
    /// The default of [`max_header`](Self::max_header).
    pub const MAX_HEADER: usize = 4 << 10;

    /// Trusts peers whose address is in one of these networks, such as `10.0.0.0/8`, `fd00::/8` or
    /// a single address. An IPv4 address that is mapped to IPv6 is taken for the IPv4 address.
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`] names the one that is none.
    pub fn from_networks<'n>(
        networks: impl IntoIterator<Item = &'n str>,
    ) -> Result<Self, InvalidNetwork> {
        let networks = networks.into_iter().map(str::parse).collect::<Result<Vec<Network>, _>>()?;
        Ok(Self::trusting(move |ip| networks.iter().any(|network| network.contains(ip))))
    }

    /// Trusts the peers for whose address `trusts` returns `true`.
    #[must_use]
    pub fn trusting(trusts: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self { trusts: Arc::new(trusts), optional: false, max_header: Self::MAX_HEADER }
    }

    /// Serves a trusted peer without a header too, which must not begin with `P` or an empty line.
    /// By default it must send one, and its connection ends otherwise.
    ///
    /// "The receiver MUST be configured to only receive the protocol described in this
    /// specification and MUST not try to guess whether the protocol header is present or not."
    /// So this is only for peers that never pass on a client's bytes without a header, for example
    /// while a proxy is reconfigured.
    #[must_use]
    pub const fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    /// Sets how long a header of version 2 may be, with its TLVs; default 4 KiB. One of version 1
    /// has 107 bytes at most.
    #[must_use]
    pub const fn max_header(mut self, bytes: usize) -> Self {
        self.max_header = bytes;
        self
    }

    /// Whether a peer with this address may send a header.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr) -> bool {
        (self.trusts)(ip.to_canonical())
    }

    /// Whether a trusted peer may send no header.
    #[must_use]
    pub const fn is_optional(&self) -> bool {
        self.optional
    }

    /// Returns a reader for one header.
    #[must_use]
    pub const fn reader(&self) -> HeaderReader {
        HeaderReader::new(self.max_header)
    }
}

impl fmt::Debug for ProxyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyProtocol")
            .field("optional", &self.optional)
            .field("max_header", &self.max_header)
            .finish_non_exhaustive()
    }
}
