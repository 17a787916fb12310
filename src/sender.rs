//! Messages to frames: fragments, masks, control frames (RFC 6455, 5 and 6.1).

mod deflate;
mod encoded;

pub use encoded::EncodedMessage;

use std::fmt;

use crate::buffer::SendBuffer;
use crate::close::{Close, CloseCode};
use crate::config::{Config, Role};
use crate::deflate::Deflate;
use crate::error::{ProtocolError, SendError};
use crate::event::{Event, MessageKind, OutgoingMessage};
use crate::frame::{FrameHeader, OpCode};
use crate::mask::{BoxedMaskSource, MaskSource};
use crate::timer::{Due, Timeout};

/// The sending half of a connection.
///
/// ```
/// use sansock::{Config, SendBuffer, Sender};
///
/// let mut sender = Sender::server(&Config::new());
/// let mut buffer = SendBuffer::new();
/// sender.send("Hello", &mut buffer)?;
/// assert_eq!(buffer.as_slice(), b"\x81\x05Hello");
/// # Ok::<(), sansock::SendError>(())
/// ```
pub struct Sender {
    /// A client's masking keys; a server has none: "A server MUST NOT mask any frames" (5.1).
    masks: Option<BoxedMaskSource>,
    /// The type of the fragmented message in progress.
    message: Option<MessageKind>,
    /// If permessage-deflate was negotiated, and with a window that we can compress with.
    deflate: Option<Deflate>,
    /// Whether the fragmented message in progress is compressed.
    compressed: bool,
    /// [`Limits::buffered`](crate::Limits::buffered).
    limit: usize,
    /// Whether a Close frame was queued.
    closed: bool,
}

impl Sender {
    /// A server's: frames are not masked.
    #[must_use]
    pub fn server(config: &Config) -> Self {
        Self {
            masks: None,
            message: None,
            deflate: None,
            compressed: false,
            limit: config.limits.buffered,
            closed: false,
        }
    }

    /// A client's: each frame is masked with a fresh key from `masks`.
    #[must_use]
    pub fn client(config: &Config, masks: impl MaskSource + 'static) -> Self {
        Self { masks: Some(BoxedMaskSource::new(masks)), ..Self::server(config) }
    }

    /// Compresses messages (RFC 7692).
    pub(crate) fn with_deflate(self, deflate: Option<Deflate>) -> Self {
        Self { deflate, ..self }
    }

    /// Which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        if self.masks.is_some() { Role::Client } else { Role::Server }
    }

    /// Queues a message in one frame.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`] or [`SendError::BufferFull`]; then
    /// nothing was queued.
    #[expect(clippy::inline_always, reason = "the call would cost a third of a short message")]
    #[inline(always)]
    pub fn send<'m>(
        &mut self,
        message: impl Into<OutgoingMessage<'m>>,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        let message = message.into();
        self.check_whole()?;
        self.check_room(message.len(), buffer.buffered_amount())?;
        if self.compresses(&message) {
            return self.send_deflated(message, buffer);
        }
        let message = message.message;
        let header = self.next_header(message.kind(), true, message.len() as u64)?;
        buffer.push_frame(&header, message.as_bytes());
        Ok(())
    }

    /// Queues the next fragment of a message in a frame of its own; `fin` marks the last. Text may be
    /// cut only where `&str` can be.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::KindChanged`] or [`SendError::BufferFull`]; then nothing
    /// was queued.
    pub fn send_fragment<'m>(
        &mut self,
        fragment: impl Into<OutgoingMessage<'m>>,
        fin: bool,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        let outgoing = fragment.into();
        let fragment = outgoing.message;
        self.check_open()?;
        self.check_room(fragment.len(), buffer.buffered_amount())?;
        if self.compresses_fragment(&outgoing, fin) {
            return self.deflate_fragment(fragment, fin, buffer);
        }
        let header = self.next_header(fragment.kind(), fin, fragment.len() as u64)?;
        buffer.push_frame(&header, fragment.as_bytes());
        Ok(())
    }

    /// Starts a frame of a message without its payload, for those who write header and payload in
    /// one vectored write. The program must then send exactly `payload_len` bytes, masked with
    /// [`Mask`](crate::Mask) if the header has a key, before anything else goes out.
    ///
    /// It starts a new message, which is not compressed, or continues the one in progress, unless that
    /// is compressed.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::KindChanged`] or, if a message that
    /// [`send_fragment`](Self::send_fragment) compresses is in progress,
    /// [`SendError::MessageInProgress`].
    pub fn begin(
        &mut self,
        kind: MessageKind,
        fin: bool,
        payload_len: u64,
    ) -> Result<FrameHeader, SendError> {
        if self.is_compressing() {
            return Err(SendError::MessageInProgress);
        }
        self.next_header(kind, fin, payload_len)
    }

    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_encoded(
        &mut self,
        message: &EncodedMessage,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        if self.masks.is_some() {
            return self.send(message.as_message(), buffer);
        }
        self.check_whole()?;
        self.check_room(message.as_bytes().len(), buffer.buffered_amount())?;
        let frame = self.deflated(message).unwrap_or(message.as_bytes());
        buffer.extend_from_slice(frame);
        Ok(())
    }

    /// Whether a whole message may be sent now, apart from the room that it takes.
    #[inline]
    pub(crate) fn check_whole(&self) -> Result<(), SendError> {
        self.check_open()?;
        // "the fragments of one message MUST NOT be interleaved between the fragments of another
        // message" (5.4)
        if self.message.is_some() {
            return Err(SendError::MessageInProgress);
        }
        Ok(())
    }

    /// Queues a Ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::ControlTooLong`] or [`SendError::BufferFull`].
    pub fn ping(&mut self, payload: &[u8], buffer: &mut SendBuffer) -> Result<(), SendError> {
        self.control(OpCode::Ping, payload, buffer)
    }

    /// Queues a Pong that nobody asked for, with a payload of at most 125 bytes: "A Pong frame MAY
    /// be sent unsolicited." (5.5.3)
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::ControlTooLong`] or [`SendError::BufferFull`].
    pub fn pong(&mut self, payload: &[u8], buffer: &mut SendBuffer) -> Result<(), SendError> {
        self.control(OpCode::Pong, payload, buffer)
    }

    /// Queues a Close frame, the last frame that goes out. A reason needs a code.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if one was queued before, [`SendError::ReasonTooLong`] above 123 bytes,
    /// [`SendError::ReasonWithoutCode`].
    pub fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        if reason.len() > Close::MAX_REASON {
            return Err(SendError::ReasonTooLong(reason.len()));
        }
        let mut body = [0; FrameHeader::MAX_CONTROL];
        let length = match code.into() {
            None if reason.is_empty() => 0,
            None => return Err(SendError::ReasonWithoutCode),
            Some(code) => {
                let bytes = code.get().to_be_bytes().into_iter().chain(reason.bytes());
                body.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
                reason.len().saturating_add(2)
            }
        };
        self.control(OpCode::Close, body.get(..length).unwrap_or_default(), buffer)?;
        self.closed = true;
        Ok(())
    }

    /// Answers what has to be answered: a Ping with a Pong, a Close with a Close. After a Close frame
    /// of ours nothing is answered, nor is a Ping of more than 125 bytes, which no receiver lends.
    pub fn respond(&mut self, event: &Event<'_>, buffer: &mut SendBuffer) {
        if self.closed {
            return;
        }
        match event {
            // "an endpoint MUST send a Pong frame in response, unless it already received a Close
            // frame" with "identical 'Application data'" (5.5.2, 5.5.3).
            Event::Ping(payload) => {
                let header = self.header(OpCode::Pong, true, payload.len());
                buffer.set_pong(&header, payload);
            }
            // "If an endpoint receives a Close frame and did not previously send a Close frame, the
            // endpoint MUST send a Close frame in response. (When sending a Close frame in response,
            // the endpoint typically echos the status code it received.)" (5.5.1)
            Event::Close(close) => self.last_words(close.code, buffer),
            _ => {}
        }
    }

    /// Tells the peer why the connection fails: "An endpoint MUST NOT continue to attempt to process
    /// data (including a responding Close frame) from the remote endpoint after being instructed to
    /// _Fail the WebSocket Connection_." (7.1.7)
    pub fn fail(&mut self, error: ProtocolError, buffer: &mut SendBuffer) {
        self.last_words(error.close_code(), buffer);
    }

    /// Queues a Close frame without a reason unless there was one.
    pub(crate) fn last_words(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        buffer: &mut SendBuffer,
    ) {
        // Without a reason there is nothing to refuse but a second Close, which is not wanted.
        let _ = self.close(code, "", buffer);
    }

    /// Does what the timers ask for.
    pub(crate) fn act_on(&mut self, due: Due, buffer: &mut SendBuffer) -> Result<(), Timeout> {
        match due {
            // Refused only if so much waits to be sent that the peer does not read: then the Ping in
            // the timers' books times out, as it should.
            Due::Ping(payload) => {
                let _ = self.ping(&payload, buffer);
            }
            Due::Idle => self.last_words(CloseCode::GOING_AWAY, buffer),
            Due::Expired(timeout) => {
                let code = match timeout {
                    Timeout::Message => CloseCode::POLICY_VIOLATION,
                    _ => CloseCode::INTERNAL_ERROR,
                };
                self.last_words(code, buffer);
                return Err(timeout);
            }
        }
        Ok(())
    }

    /// Whether a Close frame was queued.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Refuses everything from now on, without a Close frame: the transport is gone.
    pub(crate) fn shut(&mut self) {
        self.closed = true;
    }

    #[inline]
    const fn check_open(&self) -> Result<(), SendError> {
        // "The application MUST NOT send any more data frames after sending a Close frame." (5.5.1)
        if self.closed { Err(SendError::Closed) } else { Ok(()) }
    }

    /// Whether a payload may wait where `waiting` bytes do; its header is taken to be the longest.
    #[inline]
    pub(crate) fn check_room(&self, length: usize, waiting: usize) -> Result<(), SendError> {
        if waiting == 0 {
            return Ok(());
        }
        if waiting.saturating_add(FrameHeader::MAX_LEN).saturating_add(length) > self.limit {
            return Err(SendError::BufferFull { limit: self.limit });
        }
        Ok(())
    }

    /// The header of the next data frame.
    #[inline]
    fn next_header(
        &mut self,
        kind: MessageKind,
        fin: bool,
        payload_len: u64,
    ) -> Result<FrameHeader, SendError> {
        self.check_open()?;
        let opcode = match (self.message, kind) {
            (None, MessageKind::Text) => OpCode::Text,
            (None, MessageKind::Binary) => OpCode::Binary,
            // "MUST be of the same type as the first fragment's" frame (5.4)
            (Some(first), _) if first == kind => OpCode::Continuation,
            (Some(_), _) => return Err(SendError::KindChanged),
        };
        self.message = if fin { None } else { Some(kind) };
        self.compressed &= opcode == OpCode::Continuation;
        Ok(FrameHeader { fin, rsv1: false, opcode, masking_key: self.next_key(), payload_len })
    }

    fn control(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.check_open()?;
        // "All control frames MUST have a payload length of 125 bytes or less" (5.5)
        if payload.len() > FrameHeader::MAX_CONTROL {
            return Err(SendError::ControlTooLong(payload.len()));
        }
        // A Close frame is the last, and must not be kept from a peer that does not read.
        if opcode != OpCode::Close {
            self.check_room(payload.len(), buffer.buffered_amount())?;
        }
        let header = self.header(opcode, true, payload.len());
        buffer.push_frame(&header, payload);
        Ok(())
    }

    #[inline]
    fn header(&mut self, opcode: OpCode, fin: bool, length: usize) -> FrameHeader {
        FrameHeader {
            fin,
            rsv1: false,
            opcode,
            masking_key: self.next_key(),
            payload_len: length as u64,
        }
    }

    /// "a fresh masking key" for each frame (5.3)
    #[inline]
    fn next_key(&mut self) -> Option<[u8; 4]> {
        self.masks.as_mut().map(BoxedMaskSource::next_key)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("role", &self.role())
            .field("message", &self.message)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
