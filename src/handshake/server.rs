//! The server's side (RFC 6455, 4.2): reads the request and answers it.

use std::fmt;

use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::uri::{Authority, is_resource_name, split_authority, split_query};

use super::answer::{Answer, Rejection};
use super::error::HandshakeError;
use super::head::{Head, HeadLimits, HeadReader, StartLine};
use super::headers::{Field, Headers, is_token, is_token_byte};
use super::{Established, extensions, key};

const VERSION: &str = "Sec-WebSocket-Version";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// Reads a client's request.
///
/// Call [`advance`](Self::advance) when bytes have arrived, until it gives `true`; then answer the
/// [`request`](Self::request). An error is answered with [`HandshakeError::respond`]. One request is
/// all that it ever reads.
///
/// ```
/// use sansock::{Answer, HeadLimits, ReceiveBuffer, SendBuffer, ServerHandshake};
/// # let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
/// # input.extend_from_slice(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n\
/// #     Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
/// #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
/// let mut handshake = ServerHandshake::new(HeadLimits::new());
/// while !handshake.advance(&mut input)? {
///     // read from the transport into `input`
/// }
/// if let Some(request) = handshake.request() {
///     let established = request.accept(&Answer::new(), &mut output)?;
///     assert_eq!(established.subprotocol(), None);
/// }
/// assert!(output.as_slice().starts_with(b"HTTP/1.1 101 "));
/// # Ok::<(), sansock::HandshakeError>(())
/// ```
#[derive(Debug)]
pub struct ServerHandshake {
    state: State,
}

#[derive(Debug)]
enum State {
    Reading(HeadReader<RequestLine>),
    Received(Box<Received>),
    Failed(HandshakeError),
}

impl ServerHandshake {
    /// Nothing has arrived yet.
    #[must_use]
    pub const fn new(limits: HeadLimits) -> Self {
        Self { state: State::Reading(HeadReader::new(limits)) }
    }

    /// Takes what has arrived of the head: `true` if it is complete and right, `false` if more is
    /// needed. What comes behind the head stays in `input`.
    ///
    /// # Errors
    ///
    /// The request is refused, as early as it shows; every later call returns the same error.
    pub fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, HandshakeError> {
        let head = match &mut self.state {
            State::Reading(reader) => reader.advance(input),
            State::Received(_) => return Ok(true),
            State::Failed(error) => return Err(error.clone()),
        };
        match head.and_then(|head| head.map(Received::check).transpose()) {
            Ok(None) => Ok(false),
            Ok(Some(received)) => {
                self.state = State::Received(Box::new(received));
                Ok(true)
            }
            Err(error) => self.fail(error).map(|()| true),
        }
    }

    /// The request; `None` before [`advance`](Self::advance) has given `true`.
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        match &self.state {
            State::Received(received) => Some(Request { received }),
            State::Reading(_) | State::Failed(_) => None,
        }
    }

    /// The transport has ended.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnexpectedEof`] if the request is not complete; every later call returns it.
    pub fn receive_eof(&mut self) -> Result<(), HandshakeError> {
        self.fail(HandshakeError::UnexpectedEof)
    }

    /// The time for the whole handshake is over. It counts from the start of the connection, not
    /// from the last byte: a client that drips its request must not keep it open.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::TimedOut`] if the request is not complete; every later call returns it.
    pub fn time_out(&mut self) -> Result<(), HandshakeError> {
        self.fail(HandshakeError::TimedOut)
    }

    /// Ends the reading, if it has not ended.
    fn fail(&mut self, error: HandshakeError) -> Result<(), HandshakeError> {
        match &self.state {
            State::Received(_) => Ok(()),
            State::Failed(error) => Err(error.clone()),
            State::Reading(_) => {
                self.state = State::Failed(error.clone());
                Err(error)
            }
        }
    }
}

/// `GET target HTTP/1.1`: there is no other right one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RequestLine {
    target: String,
    /// Host and port, if the target is a URL.
    authority: Option<Authority>,
}

impl StartLine for RequestLine {
    fn opens_with(_: usize, byte: u8) -> bool {
        is_token_byte(byte)
    }

    /// `request-line = method SP request-target SP HTTP-version` (RFC 9112, 3)
    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(HandshakeError::StartLine);
        };
        match version {
            b"HTTP/1.1" => {}
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                return Err(HandshakeError::HttpVersion);
            }
            _ => return Err(HandshakeError::StartLine),
        }
        // "The method of the request MUST be GET, and the HTTP version MUST be at least 1.1." (4.1)
        if method != b"GET" {
            return Err(HandshakeError::Method);
        }
        let target = str::from_utf8(target).map_err(|_| HandshakeError::Target)?;
        Self::from_target(target).ok_or(HandshakeError::Target)
    }
}

impl RequestLine {
    /// "a relative URI" or "an absolute http/https URI" (4.1).
    fn from_target(target: &str) -> Option<Self> {
        if target.starts_with('/') {
            let target = is_resource_name(target).then(|| target.to_owned())?;
            return Some(Self { target, authority: None });
        }
        let (scheme, rest) = target.split_once("://")?;
        let default_port = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => 80,
            _ if scheme.eq_ignore_ascii_case("https") => 443,
            _ => return None,
        };
        let (authority, target) = split_authority(rest).ok()?;
        let mut authority: Authority = authority.parse().ok()?;
        authority.port = Some(authority.port.unwrap_or(default_port));
        Some(Self { target: target.into_owned(), authority: Some(authority) })
    }

    /// Whether the URL's "/host/, and /port/ [...] match" (4.1) the Host header, which may leave a
    /// default port out.
    fn matches(&self, host: &Authority) -> bool {
        self.authority.as_ref().is_none_or(|authority| {
            authority.host == host.host
                && (authority.port == host.port
                    || host.port.is_none() && matches!(authority.port, Some(80 | 443)))
        })
    }
}

/// A request that is right as HTTP and, if it asks for WebSocket, as a handshake.
#[derive(Debug)]
struct Received {
    target: String,
    /// The Host header.
    authority: Authority,
    fields: Vec<Field>,
    /// Sec-WebSocket-Accept; `None` if the request does not ask for WebSocket.
    accept: Option<String>,
}

impl Received {
    /// Every rule that needs the whole head.
    fn check(head: Head<RequestLine>) -> Result<Self, HandshakeError> {
        let Head { start_line, fields } = head;
        let headers = Headers::new(&fields);
        let authority = check_host(headers)?;
        if !start_line.matches(&authority) {
            return Err(HandshakeError::Target);
        }
        check_no_body(headers)?;
        check_origin(headers)?;
        let accept =
            if asks_for_websocket(headers) { Some(check_websocket(headers)?) } else { None };
        Ok(Self { target: start_line.target, authority, fields, accept })
    }
}

/// "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
/// lacks a Host header field and to any request message that contains more than one Host header
/// field line or a Host header field with an invalid field value." (RFC 9112, 3.2)
fn check_host(headers: Headers<'_>) -> Result<Authority, HandshakeError> {
    let host = str::from_utf8(headers.exactly_one("Host")?).ok();
    host.and_then(|host| host.parse().ok()).ok_or(HandshakeError::InvalidHeader("Host"))
}

/// A GET has no body, and behind ours come frames. `Content-Length: 0` says the same.
fn check_no_body(headers: Headers<'_>) -> Result<(), HandshakeError> {
    let length = headers.at_most_one("Content-Length")?.unwrap_or(b"0");
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(HandshakeError::InvalidHeader("Content-Length"));
    }
    if length.iter().any(|digit| *digit != b'0') || headers.get("Transfer-Encoding").is_some() {
        return Err(HandshakeError::Body);
    }
    Ok(())
}

/// "the user agent MUST NOT include more than one Origin header field" (RFC 6454, 7.3).
fn check_origin(headers: Headers<'_>) -> Result<(), HandshakeError> {
    match headers.at_most_one("Origin")? {
        Some(origin) if !origin.is_ascii() => Err(HandshakeError::InvalidHeader("Origin")),
        _ => Ok(()),
    }
}

/// Whether the request shows any sign of a WebSocket handshake: one that is not right is refused
/// then, and not answered as a plain request.
fn asks_for_websocket(headers: Headers<'_>) -> bool {
    headers.list_has("Upgrade", "websocket")
        || headers.get("Sec-WebSocket-Key").is_some()
        || headers.get(VERSION).is_some()
}

/// Section 4.2.1, items 3 to 9; gives Sec-WebSocket-Accept.
fn check_websocket(headers: Headers<'_>) -> Result<String, HandshakeError> {
    // "An |Upgrade| header field containing the value "websocket", treated as an ASCII
    // case-insensitive value."
    if !headers.list_has("Upgrade", "websocket") {
        return Err(HandshakeError::UpgradeRequired);
    }
    // "A |Connection| header field that includes the token "Upgrade", treated as an ASCII
    // case-insensitive value."
    headers.get("Connection").ok_or(HandshakeError::MissingHeader("Connection"))?;
    if !headers.list_has("Connection", "upgrade") {
        return Err(HandshakeError::InvalidHeader("Connection"));
    }
    // "A |Sec-WebSocket-Version| header field, with a value of 13."
    if headers.at_most_one(VERSION)? != Some(b"13") {
        return Err(HandshakeError::UnsupportedVersion);
    }
    // "A |Sec-WebSocket-Key| header field with a base64-encoded value that, when decoded, is 16
    // bytes in length."
    let key = headers.exactly_one("Sec-WebSocket-Key")?;
    if !key::is_valid(key) {
        return Err(HandshakeError::InvalidHeader("Sec-WebSocket-Key"));
    }
    check_subprotocols(headers)?;
    extensions::check(headers)?;
    Ok(key::accept(key))
}

/// "The elements that comprise this value MUST be non-empty strings with characters in the range
/// U+0021 to U+007E not including separator characters as defined in [RFC2616] and MUST all be
/// unique strings." (4.1)
fn check_subprotocols(headers: Headers<'_>) -> Result<(), HandshakeError> {
    let mut offered: Vec<&[u8]> = headers.list(PROTOCOL).collect();
    let is_empty = offered.is_empty() && headers.get(PROTOCOL).is_some();
    // Sorted, so that a head full of them takes no quadratic time.
    offered.sort_unstable();
    let is_unique = offered.is_sorted_by(|one, next| one < next);
    if is_empty || !is_unique || !offered.iter().all(|name| is_token(name)) {
        return Err(HandshakeError::InvalidHeader(PROTOCOL));
    }
    Ok(())
}

/// A client's GET request: a WebSocket handshake with nothing wrong in it, or a plain HTTP request
/// ([`is_websocket`](Self::is_websocket)), which a server may answer as it likes.
#[derive(Clone, Copy)]
pub struct Request<'h> {
    received: &'h Received,
}

impl<'h> Request<'h> {
    /// Whether the request asks for WebSocket, and may be accepted.
    #[must_use]
    pub const fn is_websocket(&self) -> bool {
        self.received.accept.is_some()
    }

    /// Path and query, as they came: visible ASCII that begins with `/`.
    #[must_use]
    pub fn target(&self) -> &'h str {
        &self.received.target
    }

    /// The path, not decoded.
    #[must_use]
    pub fn path(&self) -> &'h str {
        split_query(self.target()).0
    }

    /// The query without its `?`, not decoded.
    #[must_use]
    pub fn query(&self) -> Option<&'h str> {
        split_query(self.target()).1
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'h> {
        Headers::new(&self.received.fields)
    }

    /// The host that the Host header names, in lower case; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &'h str {
        &self.received.authority.host
    }

    /// The port that the Host header names.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.received.authority.port
    }

    /// The Origin header, which browsers send (RFC 6455, 10.2). To decide by it there is
    /// [`OriginPolicy`](crate::OriginPolicy).
    #[must_use]
    pub fn origin(&self) -> Option<&'h str> {
        self.headers().text("Origin")
    }

    /// The subprotocols that the client offers, "ordered by preference" (4.1).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'h str> {
        self.headers().list(PROTOCOL).filter_map(|name| str::from_utf8(name).ok())
    }

    /// Writes the 101 response.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UpgradeRequired`] for a plain HTTP request; or the answer is at fault: a
    /// subprotocol that is not offered, a header that is not valid or that the handshake writes
    /// itself. Then nothing was written.
    pub fn accept(
        &self,
        answer: &Answer,
        output: &mut SendBuffer,
    ) -> Result<Established, HandshakeError> {
        let accept = self.received.accept.as_ref().ok_or(HandshakeError::UpgradeRequired)?;
        answer.write(*self, accept, output)
    }

    /// Writes a response other than 101. Then the program closes the connection.
    ///
    /// # Errors
    ///
    /// The rejection is at fault: its status, a body where there is none, or a header that is not
    /// valid or that the handshake writes itself. Then nothing was written.
    pub fn reject(
        &self,
        rejection: &Rejection,
        output: &mut SendBuffer,
    ) -> Result<(), HandshakeError> {
        rejection.write_checked(output)
    }

    /// The Host header.
    pub(crate) fn authority(&self) -> &'h Authority {
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
