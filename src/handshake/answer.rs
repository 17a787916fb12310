//! What a server writes: the 101 response, or a rejection.

use crate::buffer::SendBuffer;
use crate::config::Role;
use crate::deflate::DeflateConfig;

use super::carrier::Carrier;
use super::error::{HandshakeError, RequestError, UsageError};
use super::established::Established;
use super::extensions;
use super::headers::{ExtraHeaders, FieldWriter};
use super::request::{Confirmation, Request};
use super::request_line::METHODS;

impl Request<'_> {
    /// Writes the 101 response, behind 100 if the client expects that (RFC 9110, 7.8).
    ///
    /// # Errors
    ///
    /// [`RequestError::UpgradeRequired`] for a plain HTTP request; [`HandshakeError::Usage`] if the
    /// answer chooses a subprotocol that the client does not offer, or has a header that is not
    /// valid or that the handshake writes itself, or if the request came by
    /// [extended CONNECT](Carrier::ExtendedConnect). Nothing is written then.
    pub fn accept(
        &self,
        answer: &Answer,
        output: &mut SendBuffer,
    ) -> Result<Established, HandshakeError> {
        self.check_http_1()?;
        let mut head = String::new();
        // "If a server receives both an Upgrade and an Expect header field with the "100-continue"
        // expectation (Section 10.1.1), the server MUST send a 100 (Continue) response before
        // sending a 101 (Switching Protocols) response." (RFC 9110, 7.8)
        if self.headers().list_has("Expect", "100-continue") {
            head.push_str("HTTP/1.1 100 Continue\r\n\r\n");
        }
        head.push_str("HTTP/1.1 101 Switching Protocols\r\n");
        let established = answer.write_fields(*self, &mut head)?;
        head.push_str("\r\n");
        output.extend_from_slice(head.as_bytes());
        Ok(established)
    }

    /// Writes a response other than 101. The program closes the connection afterwards.
    ///
    /// # Errors
    ///
    /// The rejection's status is not one of 200 to 599 or allows no body, a header is not valid or
    /// is written by the handshake itself, or the request came by
    /// [extended CONNECT](Carrier::ExtendedConnect). Nothing is written then.
    pub fn reject(&self, rejection: &Rejection, output: &mut SendBuffer) -> Result<(), UsageError> {
        self.check_http_1()?;
        rejection.check()?;
        rejection.write(self.is_head(), output);
        Ok(())
    }

    fn check_http_1(self) -> Result<(), UsageError> {
        match self.carrier() {
            Carrier::Upgrade => Ok(()),
            Carrier::ExtendedConnect => Err(UsageError::ExtendedConnect),
        }
    }
}

/// What a server adds to its 101 response: a subprotocol, permessage-deflate, headers.
///
/// [`Request::accept`] checks it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Answer {
    subprotocol: Option<String>,
    deflate: Option<DeflateConfig>,
    headers: ExtraHeaders,
}

impl Answer {
    /// Creates an answer without subprotocol, extension and further headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { subprotocol: None, deflate: None, headers: ExtraHeaders::new() }
    }

    /// Chooses one of the subprotocols that the request offers (RFC 6455, 1.9).
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Accepts permessage-deflate (RFC 7692): the first of the client's offers that `config`
    /// allows, if any.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }

    /// Adds a header, such as Set-Cookie. The headers that the handshake writes cannot be set.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(name.into(), value.into());
        self
    }

    /// Takes over the other answer's choice of permessage-deflate, if this one has made none: for
    /// servers with a default.
    #[must_use]
    pub const fn or_deflate_of(mut self, other: &Self) -> Self {
        if self.deflate.is_none() {
            self.deflate = other.deflate;
        }
        self
    }

    /// The header fields of the response of section 4.2.2.
    pub(super) fn write_fields(
        &self,
        request: Request<'_>,
        fields: &mut impl FieldWriter,
    ) -> Result<Established, HandshakeError> {
        let confirmation = request.confirmation().ok_or(RequestError::UpgradeRequired)?;
        self.headers.check(&[
            "upgrade",
            "connection",
            "sec-websocket-",
            "content-length",
            "transfer-encoding",
        ])?;
        if let Confirmation::SwitchingProtocols { accept } = confirmation {
            fields.field("Upgrade", "websocket");
            fields.field("Connection", "Upgrade");
            fields.field("Sec-WebSocket-Accept", accept);
        }
        if let Some(name) = &self.subprotocol {
            // "The value chosen MUST be derived from the client's handshake" (4.2.2)
            if !request.subprotocols().any(|offered| offered == name) {
                return Err(UsageError::UnavailableSubprotocol(name.as_str().into()).into());
            }
            fields.field("Sec-WebSocket-Protocol", name);
        }
        let deflate = extensions::accept(request.headers(), self.deflate.as_ref(), fields);
        self.headers.write(fields);
        Ok(Established::new(Role::Server, self.subprotocol.clone(), deflate))
    }
}

/// An HTTP response other than 101: a refusal, or the answer to a plain HTTP request.
///
/// It always has `Connection: close`: nothing after the request is read as a second request, and
/// the program closes the connection when it has written the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    status: u16,
    headers: ExtraHeaders,
    body: Vec<u8>,
}

impl Rejection {
    /// Creates a rejection without body and further headers. The status must be 200 to 599.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, headers: ExtraHeaders::new(), body: Vec::new() }
    }

    /// Adds a header, such as Content-Type. The handshake writes Connection, Content-Length and
    /// Transfer-Encoding itself, so these cannot be set.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(name.into(), value.into());
        self
    }

    /// Sets the body. It has no Content-Type unless [`header`](Self::header) sets one.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Returns the HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn check(&self) -> Result<(), UsageError> {
        self.headers.check(&["connection", "content-length", "transfer-encoding"])?;
        if !(200..600).contains(&self.status) {
            return Err(UsageError::InvalidStatus(self.status));
        }
        if matches!(self.status, 204 | 205 | 304) && !self.body.is_empty() {
            return Err(UsageError::BodyNotAllowed(self.status));
        }
        Ok(())
    }

    /// Writes the response to a request whose method is HEAD, or another.
    pub(super) fn write(&self, is_head: bool, output: &mut SendBuffer) {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        self.write_fields(&["close"], &mut head);
        head.push_str("\r\n");
        output.extend_from_slice(head.as_bytes());
        output.extend_from_slice(self.content(is_head));
    }

    /// "The HEAD method is identical to GET except that the server MUST NOT send content in the
    /// response" (RFC 9110, 9.3.2).
    pub(super) fn content(&self, is_head: bool) -> &[u8] {
        if is_head { &[] } else { &self.body }
    }

    /// The header fields, with these options of Connection.
    pub(super) fn write_fields(&self, options: &[&str], fields: &mut impl FieldWriter) {
        // "A sender of Upgrade MUST also send an "Upgrade" connection option" (RFC 9110, 7.8)
        let upgrade: &[&str] = if self.headers.has("Upgrade") { &["Upgrade"] } else { &[] };
        let options = [options, upgrade].concat();
        if !options.is_empty() {
            fields.field("Connection", &options.join(", "));
        }
        // "A server MUST NOT send a Content-Length header field in any response with a status code
        // of 1xx (Informational) or 204 (No Content)" (RFC 9110, 8.6)
        if self.status != 204 {
            fields.field("Content-Length", &self.body.len().to_string());
        }
        self.headers.write(fields);
    }
}

/// The error as a response: its [status](HandshakeError::status), the headers that belong to it,
/// and its text, unless the fault is the program's.
impl From<&HandshakeError> for Rejection {
    fn from(error: &HandshakeError) -> Self {
        let rejection = Self::new(error.status());
        match error {
            // "The origin server MUST generate an Allow header field in a 405 response containing a
            // list of the target resource's currently supported methods." (RFC 9110, 15.5.6)
            HandshakeError::Request(RequestError::Method) => {
                rejection.header("Allow", METHODS.join(", "))
            }
            HandshakeError::Request(
                RequestError::UpgradeRequired | RequestError::UnsupportedVersion,
            ) => rejection.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13"),
            // The program's faults are for its own log.
            HandshakeError::Usage(_) => return rejection,
            _ => rejection,
        }
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(format!("{error}\n"))
    }
}

impl From<HandshakeError> for Rejection {
    fn from(error: HandshakeError) -> Self {
        Self::from(&error)
    }
}

impl From<RequestError> for Rejection {
    fn from(error: RequestError) -> Self {
        HandshakeError::from(error).into()
    }
}

/// Reason phrases of RFC 9110, 15, and RFC 6585. Clients ignore them, so other statuses have none.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
