//! The server's side (RFC 6455, 4.2): reads the request and answers it.

use std::fmt;

use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::uri::{Authority, split_query};

use super::Established;
use super::answer::{Answer, Rejection};
use super::error::HandshakeError;
use super::head::{HeadLimits, HeadReader};
use super::headers::Headers;
use super::request::{PROTOCOL, Received, RequestLine};

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

    /// Host and port of the Host header.
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
