//! `ws:` and `wss:` URLs (RFC 6455, 3).
//!
//! A small parser of our own. The `url` crate follows the browsers' standard, which repairs what
//! section 3 refuses and brings the tables of internationalised names with it, several times the
//! size of this crate. What section 3 needs is RFC 3986 without its rare parts, about a page of code:
//! a host is a name of letters, digits, `-`, `.` and `_` (other names in their ASCII form, `xn--`),
//! an IPv4 address or an IPv6 address in brackets; path and query are kept as they are.

mod authority;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

pub(crate) use authority::Authority;

/// `ws` or `wss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP; port 80 unless the URL names another.
    Ws,
    /// Over TLS; port 443 unless the URL names another.
    Wss,
}

impl Scheme {
    /// The name, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// "The port component is OPTIONAL; the default for "ws" is port 80, while the default for
    /// "wss" is port 443." (RFC 6455, 3)
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A `ws:` or `wss:` URL (RFC 6455, 3).
///
/// Scheme and host are in lower case and a default port is left out; `Display` gives the URL back.
/// `Debug` hides user name and password.
///
/// ```
/// use sansock::Uri;
/// let uri: Uri = "wss://Example.com/chat?room=1".parse()?;
/// assert_eq!((uri.host(), uri.port()), ("example.com", 443));
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// # Ok::<(), sansock::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    scheme: Scheme,
    /// Not decoded; never empty.
    userinfo: Option<String>,
    /// `None` for the default.
    authority: Authority,
    resource_name: String,
}

impl Uri {
    /// `ws` or `wss`.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether the connection is over TLS: "if the scheme component matches "wss"
    /// case-insensitively" (RFC 6455, 3).
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        matches!(self.scheme, Scheme::Wss)
    }

    /// The name or address to connect to, in lower case; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority.bare_host()
    }

    /// The port to connect to: 1 to 65,535.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port.unwrap_or(self.scheme.default_port())
    }

    /// What the Host header has: "/host/ plus optionally ":" followed by /port/ (when not using the
    /// default port)" (4.1), an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> impl fmt::Display + '_ {
        &self.authority
    }

    /// User name and password as they stand in the URL, percent-encoded; never empty.
    #[must_use]
    pub fn userinfo(&self) -> Option<&str> {
        self.userinfo.as_deref()
    }

    /// Path and query, what the request line asks for (3): at least `/`.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        &self.resource_name
    }

    /// The path: at least `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        split_query(&self.resource_name).0
    }

    /// The query, without its `?`.
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
        let mut authority: Authority = authority.parse()?;
        authority.port = authority.port.filter(|port| *port != scheme.default_port());
        Ok(Self {
            scheme,
            userinfo: userinfo.map(str::to_owned),
            authority,
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
        write!(f, "{}{}", self.authority, self.resource_name)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = if self.userinfo.is_some() { "***@" } else { "" };
        write!(f, "Uri({}://{hidden}{}{})", self.scheme, self.authority, self.resource_name)
    }
}

/// Why a text is not a `ws:` or `wss:` URL (RFC 6455, 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UriError {
    /// It does not begin with `ws://` or `wss://`.
    Scheme,
    /// User name or password: an `@`, a bad percent-encoding, a control character, or an encoded
    /// colon in the name, which Basic authorization cannot carry (RFC 7617, 2).
    UserInfo,
    /// The host is missing, is not a name in ASCII, or is a bad IPv4 or IPv6 address.
    Host,
    /// The port is not a number from 1 to 65,535.
    Port,
    /// Path or query hold something else than visible ASCII: it must be percent-encoded.
    ResourceName,
    /// It has a fragment (`#`); within path or query it is written `%23`.
    Fragment,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URL does not begin with ws:// or wss://",
            Self::UserInfo => "the URL's user name or password is not valid",
            Self::Host => "the URL's host is missing or not valid",
            Self::Port => "the URL's port is not a number from 1 to 65535",
            Self::ResourceName => {
                "the URL's path or query has a character that must be percent-encoded"
            }
            Self::Fragment => "the URL has a fragment (#), which a WebSocket URL must not have",
        })
    }
}

impl std::error::Error for UriError {}

/// Splits what follows `://` into the authority and the resource name, which "can be constructed by
/// concatenating the following: "/" if the path component is empty; the path component; "?" if the
/// query component is non-empty; the query component" (RFC 6455, 3).
pub(crate) fn split_authority(rest: &str) -> Result<(&str, Cow<'_, str>), UriError> {
    let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if !is_resource_name(resource) {
        return Err(UriError::ResourceName);
    }
    let resource = match resource.strip_suffix('?') {
        // An empty query only: `/a??` asks "?".
        Some(path) if !path.contains('?') => path,
        _ => resource,
    };
    if resource.starts_with('/') {
        Ok((authority, resource.into()))
    } else {
        Ok((authority, format!("/{resource}").into()))
    }
}

/// Visible ASCII without `#`: nothing that a request line could be cut by.
pub(crate) fn is_resource_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Path and query of a resource name.
pub(crate) fn split_query(resource_name: &str) -> (&str, Option<&str>) {
    match resource_name.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (resource_name, None),
    }
}

/// `name:password`, decoded, if Basic authorization can carry them.
fn credentials(userinfo: &str) -> Result<Vec<u8>, UriError> {
    let (name, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut credentials = percent_decoded(name)?;
    // "a user-id containing a colon character is invalid" (RFC 7617, 2)
    if credentials.contains(&b':') {
        return Err(UriError::UserInfo);
    }
    credentials.push(b':');
    credentials.extend(percent_decoded(password)?);
    // "The user-id and password MUST NOT contain any control characters" (RFC 7617, 2)
    if credentials.iter().any(u8::is_ascii_control) {
        return Err(UriError::UserInfo);
    }
    Ok(credentials)
}

/// `*( unreserved / pct-encoded / sub-delims / ":" )`, decoded (RFC 3986, 3.2.1).
fn percent_decoded(text: &str) -> Result<Vec<u8>, UriError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    let hex_digit = |bytes: &mut std::str::Bytes<'_>| {
        bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(UriError::UserInfo)
    };
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let value = hex_digit(&mut bytes)? << 4 | hex_digit(&mut bytes)?;
                u8::try_from(value).map_err(|_| UriError::UserInfo)?
            }
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(&byte) => byte,
            _ => return Err(UriError::UserInfo),
        });
    }
    Ok(decoded)
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
