//! URLs of Unix sockets, as Node's `ws` has them.

use std::fmt;
use std::str::FromStr;

use super::{Uri, UriError};

/// A `ws+unix:` URL: a Unix socket, and what to ask for there. RFC 6455 does not know it; the form is
/// that of Node's `ws`: `ws+unix:/absolute/path/of/socket:/pathname?query`.
///
/// The path of the socket ends at the first colon, and is not percent-decoded. Without a second part
/// the server is asked for `/`. The Host header is `localhost`.
///
/// ```
/// use sansock::uri::UnixUri;
/// let url: UnixUri = "ws+unix:/run/app.sock:/chat?room=1".parse()?;
/// assert_eq!(url.socket_path(), "/run/app.sock");
/// assert_eq!(url.uri().to_string(), "ws://localhost/chat?room=1");
/// # Ok::<(), sansock::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnixUri {
    socket_path: String,
    uri: Uri,
}

impl UnixUri {
    const SCHEME: &str = "ws+unix:";

    /// Returns the path of the socket.
    #[must_use]
    pub fn socket_path(&self) -> &str {
        &self.socket_path
    }

    /// Returns the URL for the handshake: `ws://localhost`, with path and query.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl FromStr for UnixUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let rest = text
            .split_at_checked(Self::SCHEME.len())
            .and_then(|(scheme, rest)| scheme.eq_ignore_ascii_case(Self::SCHEME).then_some(rest))
            .ok_or(UriError::Scheme)?;
        // An empty authority, as file: URLs may have it.
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (socket_path, resource_name) = rest.split_once(':').unwrap_or((rest, "/"));
        if socket_path.len() < 2 || !socket_path.starts_with('/') || socket_path.contains('\0') {
            return Err(UriError::SocketPath);
        }
        if socket_path.contains('#') {
            return Err(UriError::Fragment);
        }
        if !resource_name.starts_with('/') {
            return Err(UriError::ResourceName);
        }
        let uri = format!("ws://localhost{resource_name}").parse()?;
        Ok(Self { socket_path: socket_path.to_owned(), uri })
    }
}

impl fmt::Display for UnixUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}:{}", Self::SCHEME, self.socket_path, self.uri.resource_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_ends_at_the_first_colon() {
        for (text, socket, target) in [
            ("ws+unix:/a", "/a", "/"),
            ("ws+unix:/a/b.sock:/", "/a/b.sock", "/"),
            ("WS+Unix:/a:/c/d?e:f", "/a", "/c/d?e:f"),
            ("ws+unix:///a:/c", "/a", "/c"),
            ("ws+unix:/a%20b c:/d", "/a%20b c", "/d"),
        ] {
            let url: UnixUri = text.parse().unwrap();
            assert_eq!((url.socket_path(), url.uri().resource_name()), (socket, target), "{text}");
            assert_eq!(url.uri().host(), "localhost");
            assert_eq!(url.to_string().parse(), Ok(url));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, error) in [
            ("", UriError::Scheme),
            ("ws:/a", UriError::Scheme),
            ("wss+unix:/a", UriError::Scheme),
            ("ws+unix:", UriError::SocketPath),
            ("ws+unix:/", UriError::SocketPath),
            ("ws+unix:a:/b", UriError::SocketPath),
            ("ws+unix://host/a", UriError::SocketPath),
            ("ws+unix::/b", UriError::SocketPath),
            ("ws+unix:/a\0:/b", UriError::SocketPath),
            ("ws+unix:/a:b", UriError::ResourceName),
            ("ws+unix:/a:", UriError::ResourceName),
            ("ws+unix:/a:/b c", UriError::ResourceName),
            ("ws+unix:/a#b", UriError::Fragment),
            ("ws+unix:/a:/b#c", UriError::Fragment),
        ] {
            assert_eq!(text.parse::<UnixUri>(), Err(error), "{text}");
        }
    }
}
