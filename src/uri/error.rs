//! The errors of parsing a URL.

use std::fmt;

/// Why a text is not a `ws:` or `wss:` URL (RFC 6455, 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UriError {
    /// It does not begin with `ws://` or `wss://`, or a [`UnixUri`](super::UnixUri) with `ws+unix:`.
    Scheme,
    /// The user name or the password contains an `@`, an invalid percent-encoding or a control
    /// character, or the name contains an encoded colon, which Basic authorization does not allow
    /// (RFC 7617, 2).
    UserInfo,
    /// The host is missing, is not an ASCII name, or is not a valid IPv4 or IPv6 address.
    Host,
    /// The path of the socket in a `ws+unix:` URL is missing or not absolute.
    SocketPath,
    /// The port is not a number from 1 to 65,535.
    Port,
    /// The path or the query contains a character that is not visible ASCII. It must be
    /// percent-encoded.
    ResourceName,
    /// The URL has a fragment (`#`). A `#` in the path or the query is written `%23`.
    Fragment,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URL does not begin with ws:// or wss://",
            Self::UserInfo => "the URL's user name or password is not valid (percent-encode it)",
            Self::Host => "the URL's host is missing or not valid",
            Self::SocketPath => "the socket's path in the ws+unix: URL is missing or not absolute",
            Self::Port => "the URL's port is not a number from 1 to 65535",
            Self::ResourceName => {
                "the URL's path or query has a character that must be percent-encoded"
            }
            Self::Fragment => "the URL has a fragment (#), which a WebSocket URL must not have",
        })
    }
}

impl std::error::Error for UriError {}
