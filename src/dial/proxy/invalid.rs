//! The errors of choosing a proxy.

use std::fmt;

use crate::uri::UriError;

/// Why a text is not the URL of a proxy, or a user name and password are none for it.
///
/// It does not show the text, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// The scheme is not `http`, `https`, `socks5`, `socks5h` or `socks4a`.
    Scheme,
    /// The user name or the password contains an `@`, an invalid percent-encoding or a control
    /// character, or the name contains a colon, which Basic authorization does not allow (RFC 7617,
    /// 2).
    UserInfo,
    /// The host is missing, is not an ASCII name, or is not a valid IPv4 or IPv6 address.
    Host,
    /// The port is not a number from 1 to 65,535.
    Port,
    /// There is a path, a query or a fragment behind host and port.
    Path,
    /// SOCKS5 has a user name and a password of 1 to 255 bytes each (RFC 1929, 2), or neither.
    Socks5Credentials,
    /// SOCKS4a has a user name and no password.
    Socks4aPassword,
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => {
                "the proxy's URL does not begin with http://, https://, socks5://, socks5h:// or \
                 socks4a://"
            }
            Self::UserInfo => {
                "the proxy's user name or password is not valid (percent-encode it in a URL)"
            }
            Self::Host => "the proxy's host is missing or not valid",
            Self::Port => "the proxy's port is not a number from 1 to 65535",
            Self::Path => "the proxy's URL has a path, a query or a fragment",
            Self::Socks5Credentials => {
                "user name and password for a SOCKS5 proxy have 1 to 255 bytes each"
            }
            Self::Socks4aPassword => "a SOCKS4a proxy takes a user name, but no password",
        })
    }
}

impl std::error::Error for InvalidProxy {}

impl From<UriError> for InvalidProxy {
    fn from(error: UriError) -> Self {
        match error {
            UriError::Scheme => Self::Scheme,
            UriError::UserInfo => Self::UserInfo,
            UriError::Host => Self::Host,
            UriError::Port => Self::Port,
            UriError::SocketPath | UriError::ResourceName | UriError::Fragment => Self::Path,
        }
    }
}

/// The value of an environment variable is not the URL of a proxy.
///
/// It does not show the value, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvalidProxyVariable {
    /// The name of the variable.
    pub name: &'static str,
    /// What is wrong with its value.
    pub error: InvalidProxy,
}

impl fmt::Display for InvalidProxyVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment variable {}: {}", self.name, self.error)
    }
}

// `Display` shows the cause itself, and the cause has none of its own.
impl std::error::Error for InvalidProxyVariable {}
