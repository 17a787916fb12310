//! `ws:` and `wss:` URLs (RFC 6455, 3).
//!
//! A small parser. The crate `url` follows the standard of browsers, which repairs what section 3
//! refuses, and it depends on the tables of internationalised names, which are several times the
//! size of this crate. Section 3 only needs RFC 3986 without its rare parts, about a page of code:
//! a host is a name of letters, digits, `-`, `.` and `_` (other names in their ASCII form, `xn--`),
//! an IPv4 address, or an IPv6 address in brackets; path and query are kept as they are.

mod authority;
mod error;
mod resource_name;
mod scheme;
mod unix;
mod userinfo;
mod zone;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

pub(crate) use authority::Authority;
pub use error::UriError;
pub(crate) use resource_name::{is_resource_name, split_authority, split_query};
pub use scheme::Scheme;
pub use unix::UnixUri;
pub(crate) use userinfo::credentials;
pub(crate) use zone::split_zone;

/// A `ws:` or `wss:` URL (RFC 6455, 3).
///
/// Scheme and host are in lower case, and a default port is left out. `Display` shows the whole
/// URL, `Debug` hides the user name and the password.
///
/// ```
/// use sansock::uri::Uri;
/// let uri: Uri = "wss://Example.com/chat?room=1".parse()?;
/// assert_eq!((uri.host(), uri.port()), ("example.com", 443));
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// # Ok::<(), sansock::uri::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    scheme: Scheme,
    /// Not percent-decoded; never empty.
    userinfo: Option<String>,
    /// `None` for the default.
    authority: Authority,
    zone: Option<String>,
    resource_name: String,
}

impl Uri {
    /// `ws` or `wss`.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns whether the connection is over TLS: "if the scheme component matches "wss"
    /// case-insensitively" (RFC 6455, 3).
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        matches!(self.scheme, Scheme::Wss)
    }

    /// Returns the name or address of the host, in lower case; an IPv6 address in brackets, as in
    /// the crates `url` and `http` and in [`Request::host`](crate::handshake::Request::host).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.authority.host
    }

    /// Returns the [host](Self::host) without the brackets of an IPv6 address, as TLS takes it.
    #[must_use]
    pub fn bare_host(&self) -> &str {
        self.authority.bare_host()
    }

    /// Returns the zone of an IPv6 address (RFC 6874), such as `eth0` in
    /// `ws://[fe80::1%25eth0]/`. It says which of this machine's links to use, so it is not sent:
    /// it "has no meaning outside the local system".
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Returns what to resolve, such as with [`std::net::ToSocketAddrs`]: the
    /// [bare host](Self::bare_host), and the zone after a `%` if there is one.
    #[must_use]
    pub fn dial_host(&self) -> Cow<'_, str> {
        match &self.zone {
            None => self.bare_host().into(),
            Some(zone) => format!("{}%{zone}", self.bare_host()).into(),
        }
    }

    /// Returns the port to connect to: 1 to 65,535.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port.unwrap_or(self.scheme.default_port())
    }

    /// Returns the value of the Host header: "/host/ plus optionally ":" followed by /port/ (when
    /// not using the default port)" (4.1), an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> impl fmt::Display + '_ {
        &self.authority
    }

    /// User name and password as in the URL, percent-encoded. Never empty.
    #[must_use]
    pub fn userinfo(&self) -> Option<&str> {
        self.userinfo.as_deref()
    }

    /// Path and query, as in the request line (3). At least `/`.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        &self.resource_name
    }

    /// Returns the path. At least `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        split_query(&self.resource_name).0
    }

    /// Returns the query, without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        split_query(&self.resource_name).1
    }

    /// `name:password` for Basic authorization (RFC 7617, 2), decoded.
    pub(crate) fn credentials(&self) -> Option<Vec<u8>> {
        self.userinfo.as_deref().and_then(|userinfo| credentials(userinfo).ok())
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be
        // used on these URIs." (3)
        if text.contains('#') {
            return Err(UriError::Fragment);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => Scheme::Ws,
            _ if scheme.eq_ignore_ascii_case("wss") => Scheme::Wss,
            _ => return Err(UriError::Scheme),
        };
        let (authority, resource_name) = split_authority(rest)?;
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo).filter(|it| !it.is_empty()), authority),
            None => (None, authority),
        };
        if let Some(userinfo) = userinfo {
            credentials(userinfo)?;
        }
        let (authority, zone) = split_zone(authority)?;
        let mut authority: Authority = authority.parse()?;
        authority.port = authority.port.filter(|port| *port != scheme.default_port());
        Ok(Self {
            scheme,
            userinfo: userinfo.map(str::to_owned),
            authority,
            zone: zone.map(str::to_owned),
            resource_name: resource_name.into_owned(),
        })
    }
}

impl TryFrom<&str> for Uri {
    type Error = UriError;

    fn try_from(text: &str) -> Result<Self, UriError> {
        text.parse()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(userinfo) = &self.userinfo {
            write!(f, "{userinfo}@")?;
        }
        self.fmt_behind_userinfo(f)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = if self.userinfo.is_some() { "***@" } else { "" };
        write!(f, "Uri({}://{hidden}", self.scheme)?;
        self.fmt_behind_userinfo(f)?;
        f.write_str(")")
    }
}

impl Uri {
    fn fmt_behind_userinfo(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            None => write!(f, "{}{}", self.authority, self.resource_name),
            Some(zone) => {
                write!(f, "[{}%25{zone}]", self.bare_host())?;
                self.authority.port.map_or(Ok(()), |port| write!(f, ":{port}"))?;
                f.write_str(&self.resource_name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_information_is_decoded_for_basic_authorization() {
        for (text, userinfo, credentials) in [
            ("ws://h/", None, None),
            ("ws://@h/", None, None),
            ("ws://user@h/", Some("user"), Some(&b"user:"[..])),
            ("ws://user:@h/", Some("user:"), Some(b"user:")),
            ("ws://:@h/", Some(":"), Some(b":")),
            ("ws://:secret@h/", Some(":secret"), Some(b":secret")),
            ("ws://user:a:b@h/", Some("user:a:b"), Some(b"user:a:b")),
            ("ws://user:a%3Ab%40@h/", Some("user:a%3Ab%40"), Some(b"user:a:b@")),
            ("ws://%E2%82%ac:x@h/", Some("%E2%82%ac:x"), Some(b"\xe2\x82\xac:x")),
            ("ws://a-._~!$&'()*+,;=:z@h/", Some("a-._~!$&'()*+,;=:z"), Some(b"a-._~!$&'()*+,;=:z")),
        ] {
            let uri: Uri = text.parse().unwrap();
            assert_eq!(uri.userinfo(), userinfo, "{text}");
            assert_eq!(uri.credentials().as_deref(), credentials, "{text}");
        }
    }
}
