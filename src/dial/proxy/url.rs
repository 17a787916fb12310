//! A proxy, and its URL.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::invalid::InvalidProxy;
use crate::handshake::UsageError;
use crate::handshake::headers::ExtraHeaders;
use crate::uri::{Authority, Uri, credentials, split_zone};

/// A proxy that a client connects through: its URL, with user name and password.
///
/// | URL | Protocol | Name of the server |
/// |---|---|---|
/// | `http://host:port`, `host:port` | CONNECT of HTTP/1.1 (RFC 9110, 9.3.6) | resolved by the proxy |
/// | `https://host:port` | the same over TLS | resolved by the proxy |
/// | `socks5h://host:port` | SOCKS5 (RFC 1928) | resolved by the proxy |
/// | `socks5://host:port` | SOCKS5 (RFC 1928) | resolved here |
/// | `socks4a://host:port` | SOCKS4a | resolved by the proxy |
///
/// The default ports are 80, 443 and, for SOCKS, 1080. A user name and a password are
/// percent-encoded: `http://user:pass%40word@host:port`. They are sent to the proxy alone, as Basic
/// authorization (RFC 7617) or as SOCKS has them (RFC 1929). `Debug` and `Display` do not show
/// them. Without TLS to the proxy everyone on the way there can read them.
///
/// ```
/// use sansock::dial::{Proxy, ProxyScheme};
/// let proxy: Proxy = "http://user:secret@proxy.example:3128".parse()?;
/// assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 3128));
/// assert_eq!(proxy.scheme(), ProxyScheme::Http);
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// # Ok::<(), sansock::dial::InvalidProxy>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    scheme: ProxyScheme,
    authority: Authority,
    zone: Option<String>,
    pub(super) credentials: Option<Credentials>,
    pub(super) headers: ExtraHeaders,
}

/// User name and password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    /// Without a colon.
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
}

/// The protocol that a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyScheme {
    /// CONNECT of HTTP/1.1. The default port is 80.
    Http,
    /// CONNECT of HTTP/1.1 over TLS. The default port is 443.
    Https,
    /// SOCKS5, with an address that was resolved here: the clients ask for the first one only, in
    /// their order of addresses. The default port is 1080.
    Socks5,
    /// SOCKS5, with a name that the proxy resolves. The default port is 1080.
    Socks5h,
    /// SOCKS4a, with a name that the proxy resolves. The default port is 1080.
    Socks4a,
}

impl ProxyScheme {
    const ALL: [Self; 5] = [Self::Http, Self::Https, Self::Socks5, Self::Socks5h, Self::Socks4a];

    /// Returns the name, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
            Self::Socks4a => "socks4a",
        }
    }

    /// "The SOCKS service is conventionally located on TCP port 1080." (RFC 1928, 3)
    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h | Self::Socks4a => 1080,
        }
    }
}

impl fmt::Display for ProxyScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Proxy {
    /// Returns the protocol that the proxy speaks.
    #[must_use]
    pub const fn scheme(&self) -> ProxyScheme {
        self.scheme
    }

    /// Returns whether the connection to the proxy is over TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        matches!(self.scheme, ProxyScheme::Https)
    }

    /// Returns the name or address of the proxy, in lower case; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.authority.host
    }

    /// Returns what to resolve: the [host](Self::host), an IPv6 address without its brackets and
    /// with its zone.
    #[must_use]
    pub fn dial_host(&self) -> Cow<'_, str> {
        match &self.zone {
            None => self.authority.bare_host().into(),
            Some(zone) => format!("{}%{zone}", self.authority.bare_host()).into(),
        }
    }

    /// Returns the port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port.unwrap_or(self.scheme.default_port())
    }

    /// Returns whether the name of this URL's host must be resolved here, because the proxy takes
    /// addresses only.
    #[must_use]
    pub fn needs_address(&self, uri: &Uri) -> bool {
        self.scheme == ProxyScheme::Socks5 && uri.bare_host().parse::<IpAddr>().is_err()
    }

    /// Sets the user name and the password, which are not percent-encoded here.
    ///
    /// # Errors
    ///
    /// The proxy's protocol cannot carry them: see [`InvalidProxy::UserInfo`],
    /// [`InvalidProxy::Socks5Credentials`] and [`InvalidProxy::Socks4aPassword`].
    pub fn credentials(
        mut self,
        user: impl Into<Vec<u8>>,
        password: impl Into<Vec<u8>>,
    ) -> Result<Self, InvalidProxy> {
        let credentials = Credentials { user: user.into(), password: password.into() };
        credentials.check(self.scheme)?;
        self.credentials = Some(credentials);
        Ok(self)
    }

    /// Adds a header to the CONNECT request, which the proxy alone gets. A SOCKS proxy gets none.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(name.into(), value.into());
        self
    }

    /// Checks the headers, as [`Tunnel::start`](super::Tunnel::start) does.
    ///
    /// # Errors
    ///
    /// A header is not valid, or the request has that header already.
    pub fn check(&self) -> Result<(), UsageError> {
        self.headers.check(&["host", "content-length", "transfer-encoding"])?;
        match self.credentials {
            Some(_) => self.headers.check(&["proxy-authorization"]),
            None => Ok(()),
        }
    }
}

impl Credentials {
    fn check(&self, scheme: ProxyScheme) -> Result<(), InvalidProxy> {
        let mut bytes = self.user.iter().chain(&self.password);
        // "The user-id and password MUST NOT contain any control characters" and "a user-id
        // containing a colon character is invalid" (RFC 7617, 2)
        if bytes.any(u8::is_ascii_control) || self.user.contains(&b':') {
            return Err(InvalidProxy::UserInfo);
        }
        let fits = |bytes: &[u8]| matches!(bytes.len(), 1..=255);
        match scheme {
            ProxyScheme::Socks5 | ProxyScheme::Socks5h
                if !fits(&self.user) || !fits(&self.password) =>
            {
                Err(InvalidProxy::Socks5Credentials)
            }
            ProxyScheme::Socks4a if !self.password.is_empty() => Err(InvalidProxy::Socks4aPassword),
            _ => Ok(()),
        }
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme =
            ProxyScheme::ALL.into_iter().find(|it| scheme.eq_ignore_ascii_case(it.as_str()));
        let scheme = scheme.ok_or(InvalidProxy::Scheme)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !matches!(path, "" | "/") {
            return Err(InvalidProxy::Path);
        }
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (userinfo, authority),
            None => ("", authority),
        };
        let (authority, zone) = split_zone(authority)?;
        let proxy = Self {
            scheme,
            authority: authority.parse()?,
            zone: zone.map(str::to_owned),
            credentials: None,
            headers: ExtraHeaders::new(),
        };
        if userinfo.is_empty() {
            return Ok(proxy);
        }
        let decoded = credentials(userinfo)?;
        let mut parts = decoded.splitn(2, |byte| *byte == b':');
        proxy.credentials(parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }
}

impl fmt::Display for Proxy {
    /// Leaves out the user name and the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.dial_host();
        let host = if host.contains(':') { format!("[{host}]").into() } else { host };
        write!(f, "{}://{host}:{}", self.scheme, self.port())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = if self.credentials.is_some() { ", ***" } else { "" };
        write!(f, "Proxy({self}{hidden})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_scheme_a_host_and_a_port() {
        for (text, shown, dialled) in [
            ("http://p", "http://p:80", "p"),
            ("HTTP://P.Example:3128/", "http://p.example:3128", "p.example"),
            ("p:3128", "http://p:3128", "p"),
            ("p", "http://p:80", "p"),
            ("https://p", "https://p:443", "p"),
            ("socks5://127.0.0.1", "socks5://127.0.0.1:1080", "127.0.0.1"),
            ("Socks5h://[2001:DB8::1]:9050", "socks5h://[2001:db8::1]:9050", "2001:db8::1"),
            ("socks4a://p:1", "socks4a://p:1", "p"),
            ("http://[fe80::1%25eth0]:8", "http://[fe80::1%eth0]:8", "fe80::1%eth0"),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(proxy.to_string(), shown, "{text}");
            assert_eq!(proxy.dial_host(), dialled, "{text}");
            assert_eq!(proxy.is_secure(), shown.starts_with("https"), "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_has_its_error() {
        use InvalidProxy::{
            Host, Path, Port, Scheme, Socks4aPassword, Socks5Credentials, UserInfo,
        };
        let long = "u".repeat(256);
        for (text, error) in [
            ("ftp://p", Scheme),
            ("socks4://p", Scheme),
            ("://p", Scheme),
            ("", Host),
            ("http://", Host),
            ("http://a b", Host),
            ("http://p:0", Port),
            ("p:port", Port),
            ("http://p/path", Path),
            ("http://p?query", Path),
            ("http://p/#", Path),
            ("http://a%3Ab:c@p", UserInfo),
            ("http://a:b%0d@p", UserInfo),
            ("http://a@b@p", UserInfo),
            ("socks5://user@p", Socks5Credentials),
            ("socks5h://:password@p", Socks5Credentials),
            (&format!("socks5://u:{long}@p"), Socks5Credentials),
            ("socks4a://user:password@p", Socks4aPassword),
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(error), "{text}");
        }
    }

    #[test]
    fn user_name_and_password_are_decoded_and_not_shown() {
        for (userinfo, user, password) in [
            ("user:secret", "user", "secret"),
            ("user", "user", ""),
            ("us%40er:se:c%3aret", "us@er", "se:c:ret"),
        ] {
            let proxy: Proxy = format!("http://{userinfo}@p").parse().unwrap();
            let credentials = proxy.credentials.as_ref().unwrap();
            assert_eq!(credentials.user, user.as_bytes());
            assert_eq!(credentials.password, password.as_bytes());
            assert_eq!(format!("{proxy:?}"), "Proxy(http://p:80, ***)");
            for shown in [proxy.to_string(), format!("{proxy:?}"), format!("{proxy:#?}")] {
                assert!(!shown.contains("us") && !shown.contains("se"), "{shown}");
            }
            let set = "http://p".parse::<Proxy>().unwrap().credentials(user, password);
            assert_eq!(set, Ok(proxy));
        }
        let without: Proxy = "http://@p".parse().unwrap();
        assert_eq!(format!("{without:?}"), "Proxy(http://p:80)");
        assert!(without.credentials.is_none());
        let proxy: Proxy = "socks5://p".parse().unwrap();
        assert_eq!(proxy.clone().credentials("a:b", "c"), Err(InvalidProxy::UserInfo));
        assert_eq!(proxy.credentials("a", ""), Err(InvalidProxy::Socks5Credentials));
    }

    #[test]
    fn headers_for_the_proxy_are_checked_and_their_values_hidden() {
        let proxy: Proxy = "http://p".parse().unwrap();
        let secret = proxy.clone().header("X-Token", "secret");
        assert_eq!(secret.check(), Ok(()));
        assert!(!format!("{secret:?}").contains("secret"));
        let named = |name: &str| UsageError::ReservedHeader(name.into());
        assert_eq!(proxy.clone().header("Host", "h").check(), Err(named("Host")));
        let authorization = proxy.header("Proxy-Authorization", "Bearer x");
        assert_eq!(authorization.check(), Ok(()));
        let both = authorization.credentials("user", "password").unwrap();
        assert_eq!(both.check(), Err(named("Proxy-Authorization")));
        let broken = both.header("X", "a\r\nY: b");
        assert_eq!(broken.check(), Err(UsageError::InvalidHeaderValue("X".into())));
    }
}
