//! A client's request and its rules (RFC 6455, 4.2.1).

use std::fmt;

use crate::uri::{Authority, split_query};

use super::carrier::Carrier;
use super::error::{HandshakeError, HeadError, RequestError};
use super::fields::{Field, Headers, is_token};
use super::head::Head;
use super::request_line::RequestLine;
use super::{extensions, key};

const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const VERSION: &str = "Sec-WebSocket-Version";

/// A client's request: a valid WebSocket handshake, or a plain HTTP request
/// ([`is_websocket`](Self::is_websocket)), which a server may answer as it likes. A plain request
/// is GET, HEAD or OPTIONS of HTTP/1.1 or 1.0, as pages and health checks need it.
#[derive(Clone, Copy)]
pub struct Request<'h> {
    received: &'h Received,
}

impl<'h> Request<'h> {
    pub(super) const fn new(received: &'h Received) -> Self {
        Self { received }
    }

    /// Returns whether the request asks for WebSocket and can be accepted.
    #[must_use]
    pub const fn is_websocket(&self) -> bool {
        self.received.confirmation.is_some()
    }

    /// Returns how the request asks for WebSocket; [`Carrier::Upgrade`] for a plain request.
    #[must_use]
    pub const fn carrier(&self) -> Carrier {
        self.received.carrier
    }

    /// Returns the method: `GET`, for a plain request also `HEAD` or `OPTIONS`, and `CONNECT` for
    /// [extended CONNECT](Carrier::ExtendedConnect).
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.received.method
    }

    /// Path and query as they were sent: visible ASCII that begins with `/`. `*` if OPTIONS asks for
    /// the server as a whole (RFC 9112, 3.2.4).
    #[must_use]
    pub fn target(&self) -> &'h str {
        &self.received.target
    }

    /// Returns the path, not percent-decoded.
    #[must_use]
    pub fn path(&self) -> &'h str {
        split_query(self.target()).0
    }

    /// Returns the query without its `?`, not percent-decoded.
    #[must_use]
    pub fn query(&self) -> Option<&'h str> {
        split_query(self.target()).1
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'h> {
        Headers::new(&self.received.fields)
    }

    /// Returns the host that the Host header names, or `:authority` of HTTP/2, in lower case; an
    /// IPv6 address in brackets, as in [`Uri::host`](crate::uri::Uri::host). Empty if a plain
    /// request of HTTP/1.0 has none.
    #[must_use]
    pub fn host(&self) -> &'h str {
        &self.received.authority.host
    }

    /// Returns the port that stands beside the [`host`](Self::host).
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.received.authority.port
    }

    /// Returns the Origin header, which browsers send (RFC 6455, 10.2). Check it with
    /// [`OriginPolicy`](crate::handshake::OriginPolicy).
    ///
    /// An empty one, as some embedded clients send it, is none. No browser sends it: "Whenever a
    /// user agent issues an HTTP request from a "privacy-sensitive" context, the user agent MUST
    /// send the value "null" in the Origin header field." (RFC 6454, 7.3)
    #[must_use]
    pub fn origin(&self) -> Option<&'h str> {
        self.headers().get_str("Origin").filter(|origin| !origin.is_empty())
    }

    /// Iterates over the subprotocols that the client offers, "ordered by preference" (4.1).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'h str> {
        self.headers().list(PROTOCOL).filter_map(|name| str::from_utf8(name).ok())
    }

    /// Whether an answer has no content.
    pub(super) fn is_head(self) -> bool {
        self.received.is_head()
    }

    /// How to accept the request; `None` if it does not ask for WebSocket.
    pub(super) fn confirmation(self) -> Option<&'h Confirmation> {
        self.received.confirmation.as_ref()
    }

    /// Host and port of the Host header, or of `:authority`.
    pub(crate) fn authority(self) -> &'h Authority {
        &self.received.authority
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("target", &self.target())
            .field("is_websocket", &self.is_websocket())
            .field("headers", &self.headers())
            .finish()
    }
}

/// How a request for WebSocket is accepted.
#[derive(Debug)]
pub(crate) enum Confirmation {
    /// With 101.
    SwitchingProtocols {
        /// Sec-WebSocket-Accept.
        accept: String,
    },
    /// With 200, which is all that extended CONNECT needs.
    Connected,
}

/// A request that is valid HTTP and, if it asks for WebSocket, a valid handshake.
#[derive(Debug)]
pub(crate) struct Received {
    carrier: Carrier,
    method: &'static str,
    pub(crate) target: String,
    /// The Host header, or `:authority`.
    pub(crate) authority: Authority,
    pub(crate) fields: Vec<Field>,
    /// `None` if the request does not ask for WebSocket.
    confirmation: Option<Confirmation>,
}

impl Received {
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Checks every rule that needs the whole head.
    pub(crate) fn check(head: Head<RequestLine>) -> Result<Self, HandshakeError> {
        let Head { start_line, fields } = head;
        let headers = Headers::new(&fields);
        let authority = host(&start_line, headers)?;
        check_no_body(headers)?;
        check_origin(headers)?;
        let confirmation = confirm(&start_line, headers)?;
        let RequestLine { carrier, method, target, .. } = start_line;
        Ok(Self { carrier, method, target, authority, fields, confirmation })
    }
}

/// Host and port that the request is for.
fn host(line: &RequestLine, headers: Headers<'_>) -> Result<Authority, HandshakeError> {
    let of_target = line.authority.as_ref().map(|(authority, _)| authority);
    let may_lack_host = match line.carrier {
        // HTTP/1.0 has no Host, and HTTP/2 has `:authority`.
        Carrier::Upgrade => line.is_without_upgrade,
        // "The Host information is conveyed as part of the :authority pseudo-header field"
        // (RFC 8441, 5); a Host header may stand for it (RFC 9113, 8.3.1).
        Carrier::ExtendedConnect => of_target.is_some(),
    };
    if may_lack_host && headers.get("Host").is_none() {
        let none = Authority { host: String::new(), port: None };
        return Ok(of_target.cloned().unwrap_or(none));
    }
    let host = check_host(headers)?;
    if line.matches(&host) { Ok(host) } else { Err(RequestError::Target.into()) }
}

/// "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
/// lacks a Host header field and to any request message that contains more than one Host header
/// field line or a Host header field with an invalid field value." (RFC 9112, 3.2)
fn check_host(headers: Headers<'_>) -> Result<Authority, HeadError> {
    let host = str::from_utf8(headers.exactly_one("Host")?).ok();
    host.and_then(|host| host.parse().ok()).ok_or(HeadError::InvalidHeader("Host"))
}

/// A GET request has no body: the bytes after it are frames. `Content-Length: 0` is allowed.
fn check_no_body(headers: Headers<'_>) -> Result<(), HandshakeError> {
    let length = headers.at_most_one("Content-Length")?.unwrap_or(b"0");
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(HeadError::InvalidHeader("Content-Length").into());
    }
    if length.iter().any(|digit| *digit != b'0') || headers.get("Transfer-Encoding").is_some() {
        return Err(RequestError::Body.into());
    }
    Ok(())
}

/// "The user agent MUST NOT include more than one Origin header field in any HTTP request."
/// (RFC 6454, 7.3)
fn check_origin(headers: Headers<'_>) -> Result<(), HeadError> {
    match headers.at_most_one("Origin")? {
        Some(origin) if !origin.is_ascii() => Err(HeadError::InvalidHeader("Origin")),
        _ => Ok(()),
    }
}

/// Checks the rules for a request that asks for WebSocket; `None` for a plain one.
fn confirm(
    line: &RequestLine,
    headers: Headers<'_>,
) -> Result<Option<Confirmation>, HandshakeError> {
    if line.carrier == Carrier::Upgrade {
        if !asks_for_websocket(headers, line.is_without_upgrade) {
            return Ok(None);
        }
        // "The method of the request MUST be GET, and the HTTP version MUST be at least 1.1."
        // (RFC 6455, 4.1)
        if line.is_without_upgrade {
            return Err(HeadError::HttpVersion.into());
        }
        if line.method != "GET" {
            return Err(RequestError::HandshakeMethod.into());
        }
    }
    check_websocket(line.carrier, headers).map(Some)
}

/// Whether the request has any header of a WebSocket handshake. If it has, and the handshake is not
/// valid, it is refused and not answered as a plain request.
///
/// "A server that receives an Upgrade header field in an HTTP/1.0 request MUST ignore that Upgrade
/// field." (RFC 9110, 7.8)
fn asks_for_websocket(headers: Headers<'_>, is_without_upgrade: bool) -> bool {
    !is_without_upgrade && headers.list_has("Upgrade", "websocket")
        || headers.get("Sec-WebSocket-Key").is_some()
        || headers.get(VERSION).is_some()
}

/// Checks section 4.2.1, items 3 to 9, of which extended CONNECT has 6, 8 and 9: the others are
/// "superseded by the :protocol pseudo-header field" (RFC 8441, 5).
fn check_websocket(carrier: Carrier, headers: Headers<'_>) -> Result<Confirmation, HandshakeError> {
    match carrier {
        Carrier::Upgrade => check_upgrade(headers)?,
        Carrier::ExtendedConnect => headers.check_no_upgrade()?,
    }
    // "A |Sec-WebSocket-Version| header field, with a value of 13."
    if headers.at_most_one(VERSION)? != Some(b"13") {
        return Err(RequestError::UnsupportedVersion.into());
    }
    let confirmation = match carrier {
        Carrier::Upgrade => Confirmation::SwitchingProtocols { accept: check_key(headers)? },
        Carrier::ExtendedConnect => Confirmation::Connected,
    };
    check_subprotocols(headers)?;
    extensions::check(headers)?;
    Ok(confirmation)
}

fn check_upgrade(headers: Headers<'_>) -> Result<(), HandshakeError> {
    // "An |Upgrade| header field containing the value "websocket", treated as an ASCII
    // case-insensitive value."
    if !headers.list_has("Upgrade", "websocket") {
        return Err(RequestError::UpgradeRequired.into());
    }
    // "A |Connection| header field that includes the token "Upgrade", treated as an ASCII
    // case-insensitive value."
    headers.get("Connection").ok_or(HeadError::MissingHeader("Connection"))?;
    if !headers.list_has("Connection", "upgrade") {
        return Err(HeadError::InvalidHeader("Connection").into());
    }
    Ok(())
}

/// "A |Sec-WebSocket-Key| header field with a base64-encoded [...] value that, when decoded, is 16
/// bytes in length." Returns Sec-WebSocket-Accept.
fn check_key(headers: Headers<'_>) -> Result<String, HeadError> {
    let key = headers.exactly_one("Sec-WebSocket-Key")?;
    if !key::is_valid(key) {
        return Err(HeadError::InvalidHeader("Sec-WebSocket-Key"));
    }
    Ok(key::accept_key(key))
}

/// "The elements that comprise this value MUST be non-empty strings with characters in the range
/// U+0021 to U+007E not including separator characters as defined in [RFC2616] and MUST all be
/// unique strings." (4.1) A header without any is what some embedded clients send; it offers none.
fn check_subprotocols(headers: Headers<'_>) -> Result<(), HeadError> {
    let mut offered: Vec<&[u8]> = headers.list(PROTOCOL).collect();
    // Sorted, so that the time for a head full of them is not quadratic.
    offered.sort_unstable();
    let is_unique = offered.is_sorted_by(|one, next| one < next);
    if !is_unique || !offered.iter().all(|name| is_token(name)) {
        return Err(HeadError::InvalidHeader(PROTOCOL));
    }
    Ok(())
}
