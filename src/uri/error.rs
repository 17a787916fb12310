//! Why a text is not a URL of a WebSocket server.

use std::fmt;

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
