//! The server's side (RFC 6455, 4.2): reads the request and answers it.

use crate::buffer::{ReceiveBuffer, SendBuffer};

use super::answer::Rejection;
use super::error::{HandshakeError, Incomplete};
use super::head::HeadReader;
use super::limits::HeadLimits;
use super::request::{Received, Request};
use super::request_line::RequestLine;

/// Reads a client's request.
///
/// Call [`advance`](Self::advance) when bytes have arrived, until it returns `true`; then answer
/// the [`request`](Self::request). Answer an error with [`respond`](Self::respond). It never reads
/// a second request.
///
/// ```
/// use sansock::{ReceiveBuffer, SendBuffer};
/// use sansock::handshake::{Answer, HeadLimits, ServerHandshake};
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
/// # Ok::<(), sansock::handshake::HandshakeError>(())
/// ```
#[derive(Debug)]
pub struct ServerHandshake {
    state: State,
}

#[derive(Debug)]
enum State {
    Reading(HeadReader<RequestLine>),
    Received(Box<Received>),
    Failed {
        error: HandshakeError,
        /// Whether the method was HEAD.
        is_head: bool,
    },
}

impl ServerHandshake {
    /// Starts before any byte of the request has arrived.
    #[must_use]
    pub const fn new(limits: HeadLimits) -> Self {
        Self { state: State::Reading(HeadReader::new(limits)) }
    }

    /// Takes what has arrived of the head. Returns `true` if it is complete and valid, `false` if
    /// more is needed. Bytes after the head stay in `input`.
    ///
    /// # Errors
    ///
    /// The request is not valid, which is reported as early as the bytes show it. Every later call
    /// returns the same error.
    pub fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, HandshakeError> {
        let head = match &mut self.state {
            State::Reading(reader) => reader.advance(input),
            State::Received(_) => return Ok(true),
            State::Failed { error, .. } => return Err(error.clone()),
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

    /// Returns the request. `None` before [`advance`](Self::advance) has returned `true`.
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        match &self.state {
            State::Received(received) => Some(Request::new(received)),
            State::Reading(_) | State::Failed { .. } => None,
        }
    }

    /// Writes the answer to a request that failed with this error, be it in
    /// [`advance`](Self::advance), in a policy or in [`Request::accept`]: its
    /// [status](HandshakeError::status), `Connection: close`, the headers that belong to it, and
    /// its text. The program closes the connection afterwards.
    pub fn respond(&self, error: &HandshakeError, output: &mut SendBuffer) {
        Rejection::from(error).write(self.is_head(), output);
    }

    /// Whether the method is HEAD, also of a request that is not complete or not valid.
    fn is_head(&self) -> bool {
        match &self.state {
            State::Reading(reader) => reader.begins_with(b"HEAD "),
            State::Received(received) => received.is_head(),
            State::Failed { is_head, .. } => *is_head,
        }
    }

    /// Reports that the transport has ended.
    ///
    /// # Errors
    ///
    /// [`Incomplete::UnexpectedEof`] if the request is not complete. Every later call returns the
    /// same error.
    pub fn receive_eof(&mut self) -> Result<(), HandshakeError> {
        self.fail(Incomplete::UnexpectedEof.into())
    }

    /// Reports that the time for the whole handshake is over. Measure it from the start of the
    /// connection, not from the last byte: a client that sends its request byte by byte must not
    /// keep the connection open.
    ///
    /// # Errors
    ///
    /// [`Incomplete::TimedOut`] if the request is not complete. Every later call returns the
    /// same error.
    pub fn time_out(&mut self) -> Result<(), HandshakeError> {
        self.fail(Incomplete::TimedOut.into())
    }

    /// Ends the reading with an error, if it has not ended.
    fn fail(&mut self, error: HandshakeError) -> Result<(), HandshakeError> {
        match &self.state {
            State::Received(_) => Ok(()),
            State::Failed { error, .. } => Err(error.clone()),
            State::Reading(_) => {
                self.state = State::Failed { error: error.clone(), is_head: self.is_head() };
                Err(error)
            }
        }
    }
}
