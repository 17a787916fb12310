//! Which hosts a server answers to (RFC 9110, 7.2 and 17.1).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::uri::Authority;

use super::error::RequestError;
use super::request::Request;

/// Which hosts a server answers to: what the Host header of a request may name.
///
/// A page can have the name of its own site resolve to another address after it was loaded, such as
/// 127.0.0.1 (DNS rebinding). The browser then takes the server at that address for the page's own
/// host: [`OriginPolicy::SameHost`](crate::handshake::OriginPolicy::SameHost) lets the page in,
/// since Origin and Host agree. The Host header still has the name of the page's site, so a server
/// that knows its own names refuses it. This matters most for servers that only the user's machine
/// or network can reach.
///
/// Hosts are compared in lower case, addresses in their shortest form. A plain request without a
/// Host, which is valid in HTTP/1.0 only, passes every policy: browsers always send one.
///
/// ```
/// use sansock::handshake::HostPolicy;
/// let policy = HostPolicy::list(["localhost", "127.0.0.1", "[::1]", "chat.example.com:8443"])?;
/// # Ok::<(), sansock::handshake::InvalidHost>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HostPolicy {
    /// Every host: for servers whose names are checked in front of them, or that do the same for
    /// every client.
    #[default]
    Any,
    /// One of these hosts.
    List(Vec<Host>),
    /// One of these hosts, or any IP address. No page can have an address resolve to another one, so
    /// this stops DNS rebinding as well; load balancers and monitoring systems ask for a server by its
    /// address.
    ListOrAddress(Vec<Host>),
}

impl HostPolicy {
    /// Makes a [`List`](Self::List) from texts.
    ///
    /// # Errors
    ///
    /// One of them is not a host.
    pub fn list<'o>(hosts: impl IntoIterator<Item = &'o str>) -> Result<Self, InvalidHost> {
        hosts.into_iter().map(str::parse).collect::<Result<_, _>>().map(Self::List)
    }

    /// Checks the host of a request, of a plain one too.
    ///
    /// # Errors
    ///
    /// [`RequestError::HostDenied`], which is answered with 421: "An origin server sends 421 to
    /// reject a target URI when the origin does not match an origin for which the server has been
    /// configured" (RFC 9110, 15.5.20).
    pub fn check(&self, request: &Request<'_>) -> Result<(), RequestError> {
        let named = request.authority();
        let is_one_of = |hosts: &[Host]| hosts.iter().any(|host| host.is_named_by(named));
        let is_allowed = match self {
            Self::Any => true,
            Self::List(hosts) => is_one_of(hosts),
            Self::ListOrAddress(hosts) => {
                is_one_of(hosts) || named.bare_host().parse::<IpAddr>().is_ok()
            }
        };
        if named.host.is_empty() || is_allowed { Ok(()) } else { Err(RequestError::HostDenied) }
    }
}

/// A host that a server answers to: a name or an address (IPv6 in brackets), with an optional port.
/// Without one it stands for every port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host(Authority);

impl Host {
    /// A Host header without a port stands for the default port of a scheme that the server does
    /// not see.
    fn is_named_by(&self, named: &Authority) -> bool {
        let matches_port = match (self.0.port, named.port) {
            (None, _) => true,
            (Some(port), None) => port == 80 || port == 443,
            (port, named) => port == named,
        };
        self.0.host == named.host && matches_port
    }
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        text.parse().map(Self).map_err(|_| InvalidHost)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not a host: a name or an address, with or without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHost;

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a host is name, name:port, or an address (IPv6 in brackets)")
    }
}

impl std::error::Error for InvalidHost {}
