//! The first line of a request (RFC 9112, 3), or what stands for it in HTTP/2.

use crate::uri::{Authority, is_resource_name, split_authority};

use super::carrier::Carrier;
use super::error::{HandshakeError, HeadError, RequestError};
use super::fields::is_token_byte;
use super::head::StartLine;

/// The methods of requests that reach the program.
pub(super) const METHODS: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// `GET target HTTP/1.1`, or that of a plain request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestLine {
    pub(super) carrier: Carrier,
    pub(super) method: &'static str,
    /// Whether its version has no Upgrade: HTTP/1.0, 2 and 3.
    pub(super) is_without_upgrade: bool,
    pub(super) target: String,
    /// If the target is a URL: its host and port, and its scheme's default port.
    pub(super) authority: Option<(Authority, u16)>,
}

impl StartLine for RequestLine {
    const SKIPS_EMPTY_LINES: bool = true;
    /// A proxy may see other lines in the same bytes, which is how requests are smuggled.
    const ALLOWS_BARE_LF: bool = false;
    /// For the same reason.
    const UNFOLDS: bool = false;

    fn too_long(limit: usize) -> HeadError {
        HeadError::TargetTooLong { limit }
    }

    fn opens_with(_: usize, byte: u8) -> bool {
        is_token_byte(byte)
    }

    /// `request-line = method SP request-target SP HTTP-version` (RFC 9112, 3)
    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(HeadError::StartLine.into());
        };
        let is_without_upgrade = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                return Err(HeadError::HttpVersion.into());
            }
            _ => return Err(HeadError::StartLine.into()),
        };
        Ok(Self::new(Carrier::Upgrade, method, target, is_without_upgrade)?)
    }
}

/// A target's path and query, and what a URL has besides.
type Target = (String, Option<(Authority, u16)>);

/// "a relative URI" or "an absolute http/https URI" (4.1); some clients write the URL as they
/// were given it, with `ws` or `wss`.
fn split_target(target: &str) -> Option<Target> {
    if target.starts_with('/') {
        let target = is_resource_name(target).then(|| target.to_owned())?;
        return Some((target, None));
    }
    let (scheme, rest) = target.split_once("://")?;
    let default_port = match scheme {
        _ if ["http", "ws"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) => 80,
        _ if ["https", "wss"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) => 443,
        _ => return None,
    };
    let (authority, target) = split_authority(rest).ok()?;
    let authority = authority.parse().ok()?;
    Some((target.into_owned(), Some((authority, default_port))))
}

impl RequestLine {
    /// From the parts of a line of HTTP/1, or from what stands for them in HTTP/2.
    pub(super) fn new(
        carrier: Carrier,
        method: &[u8],
        target: &[u8],
        is_without_upgrade: bool,
    ) -> Result<Self, RequestError> {
        let methods: &[&str] = match carrier {
            Carrier::Upgrade => &METHODS,
            Carrier::ExtendedConnect => &["CONNECT"],
        };
        let method = methods.iter().find(|it| it.as_bytes() == method);
        let method = *method.ok_or(RequestError::Method)?;
        let target = str::from_utf8(target).map_err(|_| RequestError::Target)?;
        let (target, authority) = if method == "OPTIONS" && target == "*" {
            (target.to_owned(), None)
        } else {
            split_target(target).ok_or(RequestError::Target)?
        };
        Ok(Self { carrier, method, is_without_upgrade, target, authority })
    }

    /// Whether the URL's "/host/, and /port/ [...] match" (4.1) the Host header, which may omit a
    /// default port. "A server SHOULD treat a request as malformed if it contains a Host header field
    /// that identifies an entity that differs from the entity in the ":authority" pseudo-header
    /// field." (RFC 9113, 8.3.1)
    pub(super) fn matches(&self, host: &Authority) -> bool {
        self.authority.as_ref().is_none_or(|(authority, default_port)| {
            let port = |it: &Authority| it.port.unwrap_or(*default_port);
            authority.host == host.host && port(authority) == port(host)
        })
    }
}
