//! The client's side (RFC 6455, 4.1): writes the request and checks the response.

use crate::buffer::{ReceiveBuffer, SendBuffer};

use super::error::{HandshakeError, HeadError, Incomplete, ResponseError, UsageError};
use super::established::Established;
use super::expected::Expected;
use super::fields::Headers;
use super::head::Head;
use super::key;
use super::limits::HeadLimits;
use super::offer::Offer;
use super::response::Response;
use super::response_reader::{Reply, ResponseReader};
use super::status_line::StatusLine;

/// Writes a client's request and reads the response.
///
/// Call [`advance`](Self::advance) when bytes have arrived, until it returns `true`; then the
/// connection is [`established`](Self::established).
///
/// ```
/// use sansock::{ReceiveBuffer, SendBuffer};
/// use sansock::handshake::{ClientHandshake, HeadLimits, Offer};
/// # let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
/// # input.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
/// #     Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
/// # let nonce = *b"the sample nonce";
/// let offer = Offer::new("ws://example.com/chat".parse()?);
/// let mut handshake = ClientHandshake::start(&offer, nonce, HeadLimits::new(), &mut output)?;
/// // write `output` to the transport
/// while !handshake.advance(&mut input)? {
///     // read from the transport into `input`
/// }
/// let established = handshake.established().ok_or("not yet")?;
/// assert_eq!(established.subprotocol(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    expected: Expected,
    state: State,
}

#[derive(Debug)]
enum State {
    Reading(ResponseReader),
    Established(Box<Response>, Established),
    Failed(HandshakeError),
}

impl ClientHandshake {
    /// Writes the request. The nonce "MUST be selected randomly for each connection" (RFC 6455,
    /// 4.1).
    ///
    /// # Errors
    ///
    /// A header or subprotocol of the offer is not valid, or the handshake writes that header
    /// itself. Nothing is written then.
    pub fn start(
        offer: &Offer,
        nonce: [u8; 16],
        limits: HeadLimits,
        output: &mut SendBuffer,
    ) -> Result<Self, UsageError> {
        offer.check()?;
        let key = key::encode(nonce);
        let mut head = format!("GET {} HTTP/1.1\r\n", offer.uri().resource_name());
        offer.write_fields(Some(&key), &mut head);
        head.push_str("\r\n");
        output.extend_from_slice(head.as_bytes());
        Ok(Self {
            expected: Expected::new(offer, Some(&key)),
            state: State::Reading(ResponseReader::new(limits)),
        })
    }

    /// Takes what has arrived of the response. Returns `true` if it is complete and valid, `false`
    /// if more is needed. Bytes after the head stay in `input`.
    ///
    /// # Errors
    ///
    /// The response is not valid, which is reported as early as the bytes show it. A response with
    /// another status than 101 is [`ResponseError::Status`], as soon as its body is complete or has
    /// reached [`HeadLimits::body`]. Every later call returns the same error.
    pub fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, HandshakeError> {
        let State::Reading(reader) = &mut self.state else {
            return self.end(Incomplete::UnexpectedEof.into());
        };
        let verified = match reader.advance(input, |status| status == 101) {
            Ok(None) => return Ok(false),
            Ok(Some(Reply::Accepted(head))) => self.verify(head),
            Ok(Some(Reply::Refused(response))) => Err(ResponseError::Status(response).into()),
            Err(error) => Err(error),
        };
        self.state = match verified {
            Ok(state) => state,
            Err(error) => State::Failed(error),
        };
        self.end(Incomplete::UnexpectedEof.into())
    }

    /// Returns the 101 response, with its headers. `None` before [`advance`](Self::advance) has
    /// returned `true`.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        match &self.state {
            State::Established(response, _) => Some(response),
            _ => None,
        }
    }

    /// Returns what was negotiated. `None` before [`advance`](Self::advance) has returned `true`.
    #[must_use]
    pub fn established(&self) -> Option<Established> {
        match &self.state {
            State::Established(_, established) => Some(established.clone()),
            _ => None,
        }
    }

    /// Reports that the transport has ended.
    ///
    /// # Errors
    ///
    /// If the handshake is not complete: [`ResponseError::Status`] if this is the end of a body,
    /// and [`Incomplete::UnexpectedEof`] otherwise. Every later call returns the same error.
    pub fn receive_eof(&mut self) -> Result<(), HandshakeError> {
        self.end(Incomplete::UnexpectedEof.into()).map(drop)
    }

    /// Reports that the time for the whole handshake is over. Measure it from the start of the
    /// connection, not from the last byte.
    ///
    /// # Errors
    ///
    /// If the handshake is not complete: [`ResponseError::Status`] with what has arrived of the
    /// body, or [`Incomplete::TimedOut`] if no such response has arrived. Every later call returns
    /// the same error.
    pub fn time_out(&mut self) -> Result<(), HandshakeError> {
        self.end(Incomplete::TimedOut.into()).map(drop)
    }

    /// Checks what "the client MUST validate" (4.1).
    fn verify(&self, head: Head<StatusLine>) -> Result<State, HandshakeError> {
        if head.start_line.minor_version != 1 {
            return Err(HeadError::HttpVersion.into());
        }
        let established = self.expected.verify(Headers::new(&head.fields))?;
        Ok(State::Established(Box::new(head.into()), established))
    }

    /// Ends the reading with `error`, or with the server's response if there is one; does nothing
    /// if it has ended. Returns `true` if the handshake is complete.
    fn end(&mut self, error: HandshakeError) -> Result<bool, HandshakeError> {
        let error = match &mut self.state {
            State::Established(..) => return Ok(true),
            State::Reading(reader) => match reader.take_refusal() {
                Some(response) => ResponseError::Status(response).into(),
                None => error,
            },
            State::Failed(error) => return Err(error.clone()),
        };
        self.state = State::Failed(error.clone());
        Err(error)
    }
}
