//! Turns messages into frames: fragments, masks, control frames (RFC 6455, 5 and 6.1).

mod deflate;
mod encoded;
mod ending;
mod in_place;

pub use encoded::EncodedMessage;

use std::fmt;

use crate::buffer::SendBuffer;
use crate::close::{Close, CloseCode};
use crate::closing::Closing;
use crate::config::{Config, Role};
use crate::deflate::{Boxed, Deflate, boxed};
use crate::error::SendError;
use crate::frame::{FrameHeader, Opcode};
use crate::mask::{BoxedMaskSource, MaskSource};
use crate::message::{AsMessage, MessageKind};

/// The sending half of a connection, with the closing handshake and the timers.
///
/// ```
/// use sansock::{Config, SendBuffer};
/// use sansock::split::Sender;
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
    /// `Some` if permessage-deflate was negotiated, with a window size that zlib can compress with.
    deflate: Option<Boxed<Deflate>>,
    /// Whether the fragmented message in progress is compressed.
    compressed: bool,
    /// [`Limits::buffered`](crate::Limits::buffered).
    limit: usize,
    closing: Closing,
}

impl Sender {
    /// Creates a server's sender: frames are not masked.
    #[must_use]
    pub fn server(config: &Config) -> Self {
        Self {
            masks: None,
            message: None,
            deflate: None,
            compressed: false,
            limit: config.limits.buffered,
            closing: Closing::new(config.timeouts),
        }
    }

    /// Creates a client's sender: each frame is masked with a fresh key from `masks`.
    #[must_use]
    pub fn client(config: &Config, masks: impl MaskSource + 'static) -> Self {
        Self { masks: Some(BoxedMaskSource::new(masks)), ..Self::server(config) }
    }

    /// Compresses messages (RFC 7692).
    pub(crate) fn with_deflate(self, deflate: Option<Deflate>) -> Self {
        Self { deflate: deflate.map(boxed), ..self }
    }

    /// Returns which end of the connection this is.
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
    pub fn send(
        &mut self,
        message: impl AsMessage,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        let message = message.as_outgoing();
        self.check_whole()?;
        self.check_room(message.len(), buffer.waiting())?;
        if self.compresses(&message) {
            self.send_deflated(message, buffer);
            return Ok(());
        }
        let message = message.message;
        let header = self.whole_header(message.kind(), message.len() as u64);
        buffer.push_frame(&header, message.as_bytes());
        Ok(())
    }

    /// Queues the next fragment of a message, as one frame; `fin` marks the last one. Text may be
    /// cut only where `&str` can be.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::KindChanged`] or [`SendError::BufferFull`]; then nothing
    /// was queued.
    pub fn send_fragment(
        &mut self,
        fragment: impl AsMessage,
        fin: bool,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        let outgoing = fragment.as_outgoing();
        let fragment = outgoing.message;
        self.check_open()?;
        self.check_room(fragment.len(), buffer.waiting())?;
        if self.compresses_fragment(&outgoing, fin) {
            return self.deflate_fragment(fragment, fin, buffer);
        }
        let header = self.next_header(fragment.kind(), fin, fragment.len() as u64)?;
        buffer.push_frame(&header, fragment.as_bytes());
        Ok(())
    }

    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`] or [`SendError::BufferFull`]; then
    /// nothing was queued.
    pub fn send_encoded(
        &mut self,
        message: &EncodedMessage,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        if self.masks.is_some() {
            return self.send(message.as_message(), buffer);
        }
        self.check_whole()?;
        self.check_room(message.as_bytes().len(), buffer.waiting())?;
        let frame = self.deflated(message).unwrap_or(message.as_bytes());
        buffer.extend_from_slice(frame);
        self.closing.mark_used();
        Ok(())
    }

    /// Checks whether a whole message may be sent now; the room for it is checked separately.
    #[inline]
    fn check_whole(&self) -> Result<(), SendError> {
        self.check_open()?;
        // "the fragments of one message MUST NOT be interleaved between the fragments of another
        // message" (5.4)
        if self.is_message_in_progress() {
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
        self.control(Opcode::Ping, payload, buffer)
    }

    /// Queues an unsolicited Pong, with a payload of at most 125 bytes: "A Pong frame MAY
    /// be sent unsolicited." (5.5.3)
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::ControlTooLong`] or [`SendError::BufferFull`].
    pub fn pong(&mut self, payload: &[u8], buffer: &mut SendBuffer) -> Result<(), SendError> {
        self.control(Opcode::Pong, payload, buffer)
    }

    /// Queues a Close frame, which starts the closing handshake (7.1.2). It is the last frame that
    /// is sent. A reason needs a code.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if a Close frame was queued before, [`SendError::ReasonTooLong`] if
    /// the reason has more than 123 bytes, [`SendError::ReasonWithoutCode`].
    pub fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        if reason.len() > Close::MAX_REASON {
            return Err(SendError::ReasonTooLong(reason.len()));
        }
        let mut body = [0; FrameHeader::MAX_CONTROL];
        let code = code.into();
        let length = match code {
            None if reason.is_empty() => 0,
            None => return Err(SendError::ReasonWithoutCode),
            Some(code) => {
                let bytes = code.get().to_be_bytes().into_iter().chain(reason.bytes());
                body.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
                reason.len().saturating_add(2)
            }
        };
        self.control(Opcode::Close, body.get(..length).unwrap_or_default(), buffer)?;
        self.closing.close_with(code);
        Ok(())
    }

    /// Returns whether nothing more can be sent: a Close frame was queued, or the transport ended.
    #[inline]
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closing.is_closed()
    }

    /// Returns whether a fragmented message is in progress: until its last fragment is queued,
    /// whole messages are refused with [`SendError::MessageInProgress`].
    #[inline]
    #[must_use]
    pub const fn is_message_in_progress(&self) -> bool {
        self.message.is_some()
    }

    #[inline]
    const fn check_open(&self) -> Result<(), SendError> {
        // "The application MUST NOT send any more data frames after sending a Close frame." (5.5.1)
        if self.closing.is_closed() { Err(SendError::Closed) } else { Ok(()) }
    }

    /// Checks that a payload of `length` bytes may be queued behind `waiting` bytes; its header is
    /// taken to be the longest. A `Sink`, for instance, must know this before it has a message.
    ///
    /// # Errors
    ///
    /// [`SendError::BufferFull`] if both together exceed
    /// [`Limits::buffered`](crate::Limits::buffered).
    #[inline]
    pub fn check_room(&self, length: usize, waiting: usize) -> Result<(), SendError> {
        if waiting == 0 {
            return Ok(());
        }
        if waiting.saturating_add(FrameHeader::MAX_LEN).saturating_add(length) > self.limit {
            return Err(SendError::BufferFull { limit: self.limit });
        }
        Ok(())
    }

    /// The header of a whole message, which [`check_whole`](Self::check_whole) has admitted.
    #[inline]
    fn whole_header(&mut self, kind: MessageKind, payload_len: u64) -> FrameHeader {
        let opcode = match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        self.closing.mark_used();
        FrameHeader { fin: true, rsv1: false, opcode, masking_key: self.next_key(), payload_len }
    }

    /// The header of the next fragment.
    #[inline]
    fn next_header(
        &mut self,
        kind: MessageKind,
        fin: bool,
        payload_len: u64,
    ) -> Result<FrameHeader, SendError> {
        self.check_open()?;
        let opcode = match (self.message, kind) {
            (None, MessageKind::Text) => Opcode::Text,
            (None, MessageKind::Binary) => Opcode::Binary,
            // "MUST be of the same type as the first fragment's" frame (5.4)
            (Some(first), _) if first == kind => Opcode::Continuation,
            (Some(_), _) => return Err(SendError::KindChanged),
        };
        self.message = if fin { None } else { Some(kind) };
        self.compressed &= opcode == Opcode::Continuation;
        self.closing.mark_used();
        Ok(FrameHeader { fin, rsv1: false, opcode, masking_key: self.next_key(), payload_len })
    }

    fn control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.check_open()?;
        // "All control frames MUST have a payload length of 125 bytes or less" (5.5)
        if payload.len() > FrameHeader::MAX_CONTROL {
            return Err(SendError::ControlTooLong(payload.len()));
        }
        // A Close frame is the last frame. It must be queued even if the peer does not read.
        if opcode != Opcode::Close {
            self.check_room(payload.len(), buffer.waiting())?;
        }
        let header = self.header(opcode, true, payload.len());
        buffer.push_frame(&header, payload);
        Ok(())
    }

    #[inline]
    fn header(&mut self, opcode: Opcode, fin: bool, length: usize) -> FrameHeader {
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
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
