//! The client's side (RFC 6455, 4.1): writes the request and checks the response.

use crate::buffer::{ReceiveBuffer, SendBuffer};

use super::body::BodyReader;
use super::error::{HandshakeError, HeadError, Incomplete, ResponseError, UsageError};
use super::established::Established;
use super::expected::Expected;
use super::fields::Headers;
use super::head::{Head, HeadReader, StartLine};
use super::key;
use super::limits::HeadLimits;
use super::offer::Offer;
use super::response::Response;

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
    limits: HeadLimits,
    state: State,
}

#[derive(Debug)]
enum State {
    Reading(HeadReader<StatusLine>),
    /// The status is not 101. The body is being read.
    Refused(Box<Response>, BodyReader),
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
            limits,
            state: State::Reading(HeadReader::new(limits)),
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
        match self.read_head(input) {
            Ok(None) => {}
            Ok(Some(state)) => self.state = state,
            Err(error) => self.state = State::Failed(error),
        }
        match &mut self.state {
            State::Reading(_) => Ok(false),
            State::Refused(_, body) => {
                if body.advance(input) {
                    self.end(Incomplete::UnexpectedEof.into())
                } else {
                    Ok(false)
                }
            }
            State::Established(..) => Ok(true),
            State::Failed(error) => Err(error.clone()),
        }
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

    /// Skips interim responses, and checks the final one.
    fn read_head(&mut self, input: &mut ReceiveBuffer) -> Result<Option<State>, HandshakeError> {
        let State::Reading(reader) = &mut self.state else { return Ok(None) };
        while let Some(head) = reader.advance(input)? {
            match head.start_line.status {
                101 => return self.verify(head).map(Some),
                // "A client MUST be able to parse one or more 1xx responses received prior to a
                // final response, even if the client does not expect one." (RFC 9110, 15.2)
                100..=199 => {}
                status => {
                    let body =
                        BodyReader::new(status, Headers::new(&head.fields), self.limits.body);
                    return Ok(Some(State::Refused(Box::new(head.into()), body)));
                }
            }
        }
        Ok(None)
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
            State::Reading(_) => error,
            State::Refused(response, body) => {
                response.set_body(body.take());
                ResponseError::Status(response.clone()).into()
            }
            State::Failed(error) => return Err(error.clone()),
        };
        self.state = State::Failed(error.clone());
        Err(error)
    }
}

/// `HTTP/1.1 101 Switching Protocols`
#[derive(Clone, Debug, PartialEq, Eq)]
struct StatusLine {
    minor_version: u8,
    status: u16,
    reason: String,
}

impl StartLine for StatusLine {
    const SKIPS_EMPTY_LINES: bool = false;
    /// Small servers send it. Nothing is gained by refusing it: a client reads one response on a
    /// connection of its own, so no line can be taken for another message's.
    const ALLOWS_BARE_LF: bool = true;
    const UNFOLDS: bool = true;

    fn too_long(limit: usize) -> HeadError {
        HeadError::TooLarge { limit }
    }

    fn opens_with(position: usize, byte: u8) -> bool {
        match b"HTTP/1.".get(position) {
            Some(expected) => byte == *expected,
            None => position == 7 && byte.is_ascii_digit(),
        }
    }

    /// `status-line = HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, 4)
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the pattern takes digits only: 999 at most"
    )]
    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let digit = |byte: u8| u16::from(byte - b'0');
        match line {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor_version @ b'0'..=b'9', b' ',
                a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..]
                // Some servers leave out the space before an empty reason.
                if matches!(reason, [] | [b' ', ..]) =>
            {
                Ok(Self {
                    minor_version: minor_version - b'0',
                    status: digit(*a) * 100 + digit(*b) * 10 + digit(*c),
                    reason: String::from_utf8_lossy(reason.trim_ascii()).into_owned(),
                })
            }
            _ => Err(HeadError::StartLine.into()),
        }
    }
}

impl From<Head<StatusLine>> for Response {
    fn from(head: Head<StatusLine>) -> Self {
        Self::new(head.start_line.status, head.start_line.reason, head.fields)
    }
}
