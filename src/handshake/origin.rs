//! Which web pages may connect (RFC 6455, 4.2.2 and 10.2).

use std::fmt;
use std::str::FromStr;

use crate::uri::Authority;

use super::error::RequestError;
use super::fields::is_token;
use super::request::Request;

/// Which web pages a server accepts connections from.
///
/// A browser lets any page connect to any server and sends that server's cookies along; the Origin
/// header tells the server which page it is (RFC 6455, 10.2). Programs that are not browsers can
/// write anything there, so a request without an Origin, or with an empty one, passes every policy:
/// it comes from no page. For a page that has no origin browsers send `null`.
///
/// Origins are compared whole: scheme, host and port, with the default ports of http and https
/// filled in.
///
/// A list may name `null` and `file://`, which apps with pages of their own send. **Neither says
/// who the page is**: every site can make a page whose Origin is `null`, in a sandboxed frame, and
/// every file that the user opens has one of the two. With either in the list the server must know
/// its users by something that the browser does not add by itself: a token in the URL or in the
/// first message, not a cookie.
///
/// ```
/// use sansock::handshake::OriginPolicy;
/// let policy = OriginPolicy::list(["https://example.com", "https://example.com:8443"])?;
/// # Ok::<(), sansock::handshake::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Every Origin: for servers that do the same for every client, regardless of its user.
    Any,
    /// Pages of the server's own host: `http://` or `https://` with the host and port of the
    /// request's Host header. A Host without a port stands for the default port of the Origin's
    /// scheme. This is the default, also that of `net::Server`.
    #[default]
    SameHost,
    /// One of these Origins.
    List(Vec<Origin>),
}

impl OriginPolicy {
    /// Makes a [`List`](Self::List) from texts.
    ///
    /// # Errors
    ///
    /// One of them is not an Origin.
    pub fn list<'o>(origins: impl IntoIterator<Item = &'o str>) -> Result<Self, InvalidOrigin> {
        origins.into_iter().map(str::parse).collect::<Result<_, _>>().map(Self::List)
    }

    /// Checks the Origin of a request.
    ///
    /// # Errors
    ///
    /// [`RequestError::OriginDenied`], which is answered with 403: "If the server does not wish to
    /// accept this connection, it MUST return an appropriate HTTP error code (e.g., 403 Forbidden)"
    /// (RFC 6455, 4.2.2).
    pub fn check(&self, request: &Request<'_>) -> Result<(), RequestError> {
        let Some(origin) = request.origin() else { return Ok(()) };
        let origin = || origin.parse::<Origin>().ok();
        let allowed = match self {
            Self::Any => true,
            Self::SameHost => origin().is_some_and(|origin| origin.is_at(request.authority())),
            Self::List(origins) => origin().is_some_and(|origin| origins.contains(&origin)),
        };
        if allowed { Ok(()) } else { Err(RequestError::OriginDenied) }
    }
}

/// An Origin: `scheme "://" host [ ":" port ]` (RFC 6454, 7.1), without a path; or one of those
/// without a host, `null` and `file://`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Host {
        /// In lower case.
        scheme: String,
        /// Without the scheme's default port.
        authority: Authority,
    },
    /// "If the origin is not a scheme/host/port triple, then return the string null" (RFC 6454,
    /// 6.2)
    Null,
    /// Pages of apps that are files. Browsers send `null` for them.
    File,
}

impl Origin {
    /// Whether it is the Origin of pages at the host and port of a Host header.
    fn is_at(&self, host: &Authority) -> bool {
        let Kind::Host { scheme, authority } = &self.0 else { return false };
        let default = default_port(scheme);
        default.is_some()
            && authority.host == host.host
            && authority.port == host.port.filter(|port| Some(*port) != default)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        if text == "null" {
            return Ok(Self(Kind::Null));
        }
        let (scheme, authority) = text.split_once("://").ok_or(InvalidOrigin)?;
        if !is_token(scheme.as_bytes()) {
            return Err(InvalidOrigin);
        }
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" && authority.is_empty() {
            return Ok(Self(Kind::File));
        }
        let mut authority: Authority = authority.parse().map_err(|_| InvalidOrigin)?;
        authority.port = authority.port.filter(|port| Some(*port) != default_port(&scheme));
        Ok(Self(Kind::Host { scheme, authority }))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Host { scheme, authority } => write!(f, "{scheme}://{authority}"),
            Kind::Null => f.write_str("null"),
            Kind::File => f.write_str("file://"),
        }
    }
}

/// The text is not an Origin: `scheme://host` or `scheme://host:port`, without a path, or `null` or
/// `file://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOrigin;

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an Origin is scheme://host, scheme://host:port, null or file:// (RFC 6454)")
    }
}

impl std::error::Error for InvalidOrigin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (text, shown) in [
            ("HTTPS://Example.COM", "https://example.com"),
            ("https://example.com:443", "https://example.com"),
            ("http://example.com:443", "http://example.com:443"),
            ("http://[::0:1]:80", "http://[::1]"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("null", "null"),
            ("FILE://", "file://"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "NULL",
            "null://",
            "file:",
            "file:///",
            "example.com",
            "https://",
            "https://example.com/",
            "https://a.com https://b.com",
            "https://example.com/path",
            "https://u@example.com",
            "https://*.example.com",
            "://a",
            "https://a?b",
            "https://a#b",
            "ht tp://a",
            "https:example.com",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(InvalidOrigin), "{text:?}");
        }
    }
}
