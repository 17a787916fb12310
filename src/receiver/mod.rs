//! Bytes to events: frames, masks, fragments, UTF-8 (RFC 6455, 5 and 6.2).

mod admit;
mod inflate;
mod payload;

use crate::buffer::ReceiveBuffer;
use crate::closing::Progress;
use crate::config::{Config, Delivery, Limits, Role};
use crate::deflate::Inflate;
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::{FrameHeader, Opcode};
use crate::mask::Mask;
use crate::message::MessageKind;

/// The receiving half of a connection.
///
/// ```
/// use sansock::{Config, Event, Message, ReceiveBuffer, Role};
/// use sansock::split::Receiver;
///
/// let mut receiver = Receiver::new(Role::Client, &Config::new());
/// let mut buffer = ReceiveBuffer::new();
/// buffer.extend_from_slice(b"\x81\x05Hello");
/// let event = receiver.next_event(&mut buffer)?;
/// assert_eq!(event, Some(Event::Message(Message::Text("Hello"))));
/// # Ok::<(), sansock::ProtocolError>(())
/// ```
#[derive(Debug)]
pub struct Receiver {
    role: Role,
    delivery: Delivery,
    limits: Limits,
    /// The frame whose payload is still arriving.
    frame: Option<Frame>,
    /// The type of the message in progress.
    message: Option<MessageKind>,
    /// Its payload so far, the current frame's announced length included; of a compressed message,
    /// what came out of it.
    length: u64,
    /// Its frames so far.
    fragments: u32,
    /// How many messages have begun, modulo 2^32.
    begun: u32,
    /// How often payload of a message has arrived that is not whole yet, modulo 2^32.
    pieces: u32,
    /// If permessage-deflate was negotiated.
    inflate: Option<Inflate>,
    /// Whether the message in progress is compressed.
    compressed: bool,
    /// Whether a Close frame was received.
    closed: bool,
    failure: Option<ProtocolError>,
}

/// A frame whose header was read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    fin: bool,
    path: Path,
    mask: Option<Mask>,
    /// Payload bytes that are still to be processed; of a payload that is lent where it lies, all.
    remaining: u64,
}

/// How a payload reaches the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// A control frame: lent where it lies.
    Control(Opcode),
    /// A message in one frame: lent where it lies.
    InPlace(MessageKind),
    /// A fragment, or a frame too large to wait in the buffer: moved behind the message's others.
    Assemble(MessageKind),
    /// Lent piece by piece ([`Delivery::Chunks`]).
    Chunks(MessageKind),
    /// Of a compressed message: inflated behind the message's others, or piece by piece.
    Inflate(MessageKind),
}

/// What came of processing all that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// A message, or a piece of one, is lent.
    Message,
    /// A control frame is lent.
    Control,
    /// More bytes are needed.
    NeedsBytes,
}

/// What came of processing a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A message, or a piece of one, is lent.
    Lent,
    /// A control frame is lent.
    LentControl,
    /// The frame ended without an event.
    FrameEnded,
    /// The rest of the frame must arrive first.
    NeedsBytes,
}

impl Receiver {
    /// If at least this many bytes of a fragment are missing, reads go straight into the message;
    /// below, one read may bring the next frames too.
    const WORTH_DIRECT: usize = 16 << 10;

    /// Creates a receiver for the first byte after the opening handshake.
    #[must_use]
    pub fn new(role: Role, config: &Config) -> Self {
        let mut limits = config.limits;
        if config.delivery == Delivery::Messages {
            // What memory can hold.
            limits.message = limits.message.min(isize::MAX as u64);
        }
        Self {
            role,
            delivery: config.delivery,
            limits,
            frame: None,
            message: None,
            length: 0,
            fragments: 0,
            begun: 0,
            pieces: 0,
            inflate: None,
            compressed: false,
            closed: false,
            failure: None,
        }
    }

    /// Takes compressed messages too (RFC 7692).
    pub(crate) fn with_inflate(self, inflate: Option<Inflate>) -> Self {
        Self { inflate, ..self }
    }

    /// Processes what has arrived up to the next event, which [`ReceiveBuffer::event`] then lends;
    /// `false` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol or went over a limit. It is known from the bytes that have
    /// arrived, not when the frame is complete; every later call returns it again, and discards
    /// what has arrived.
    #[inline]
    pub fn advance(&mut self, buffer: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        Ok(self.process(buffer)? != Advance::NeedsBytes)
    }

    /// [`advance`](Self::advance), and what is lent.
    #[inline]
    pub(crate) fn process(&mut self, buffer: &mut ReceiveBuffer) -> Result<Advance, ProtocolError> {
        if let Some(error) = self.failure {
            return Err(Self::discard(error, buffer));
        }
        buffer.reclaim();
        while buffer.has_work() || self.may_inflate() {
            match self.step(buffer) {
                Ok(Step::Lent) => return Ok(Advance::Message),
                Ok(Step::LentControl) => return Ok(Advance::Control),
                Ok(Step::NeedsBytes) => break,
                Ok(Step::FrameEnded) => {}
                Err(error) => return Err(self.fail(error, buffer)),
            }
        }
        Ok(Advance::NeedsBytes)
    }

    /// [`advance`](Self::advance) and [`ReceiveBuffer::event`] in one.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], as [`advance`](Self::advance) returns it.
    #[inline]
    pub fn next_event<'b>(
        &mut self,
        buffer: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        Ok(if self.advance(buffer)? { buffer.event() } else { None })
    }

    /// Returns whether the peer's Close frame was received. What comes after it is discarded: "the
    /// peer MUST NOT send any more data" (5.5.1, 7.1.1).
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns whether a message has begun and not ended.
    #[must_use]
    pub const fn is_in_message(&self) -> bool {
        self.message.is_some()
    }

    /// Returns what was seen so far, for [`Sender::note`](crate::split::Sender::note). Takes from
    /// `buffer` the record of whether bytes have arrived.
    #[inline]
    pub fn progress(&self, buffer: &mut ReceiveBuffer) -> Progress {
        Progress {
            heard: buffer.take_fresh(),
            begun: self.begun,
            pieces: self.pieces,
            in_message: self.message.is_some(),
        }
    }

    #[cold]
    fn fail(&mut self, error: ProtocolError, buffer: &mut ReceiveBuffer) -> ProtocolError {
        self.failure = Some(error);
        Self::discard(error, buffer)
    }

    /// Discards what has arrived after an error: the peer's bytes must be read, so that it gets our
    /// Close frame, but they mean nothing.
    #[cold]
    fn discard(error: ProtocolError, buffer: &mut ReceiveBuffer) -> ProtocolError {
        buffer.discard();
        error
    }

    /// One frame, or what has arrived of it.
    #[inline(never)]
    fn step(&mut self, buffer: &mut ReceiveBuffer) -> Result<Step, ProtocolError> {
        let Some(frame) = self.frame else { return self.next_frame(buffer) };
        self.frame = None;
        self.payload(frame, buffer)
    }

    /// The next frame's header, if it is complete, and what has arrived of its payload.
    #[inline]
    fn next_frame(&mut self, buffer: &mut ReceiveBuffer) -> Result<Step, ProtocolError> {
        let arrived = buffer.as_slice();
        let Some(&first) = arrived.first() else { return Ok(Step::NeedsBytes) };
        if self.closed {
            let n = arrived.len();
            buffer.consume(n);
            return Ok(Step::NeedsBytes);
        }
        let decoded = FrameHeader::decode(arrived);
        let Ok(Some((header, header_length))) = decoded else {
            self.admit_bytes(arrived)?;
            return decoded.map(|_| Step::NeedsBytes);
        };
        self.admit(first, header.opcode, Some(header.masking_key.is_some()))?;
        buffer.consume(header_length);
        let path = if header.opcode.is_control() {
            if header.opcode == Opcode::Close && header.payload_len == 1 {
                return Err(ProtocolError::CloseLength);
            }
            Path::Control(header.opcode)
        } else {
            let kind = self.count(&header)?;
            let whole = header.fin && header.opcode != Opcode::Continuation;
            let arrived = buffer.unread() as u64;
            match self.delivery {
                _ if self.inflates() => Path::Inflate(kind),
                Delivery::Messages if whole && header.payload_len <= arrived => {
                    // Nearly all frames end here, and never become a `Frame`.
                    let length = to_usize(header.payload_len);
                    buffer.lend_whole(length, header.masking_key.map(Mask::new), kind)?;
                    self.message = None;
                    buffer.expect_another(header_length, length);
                    return Ok(Step::Lent);
                }
                Delivery::Messages if whole && header.payload_len <= buffer.holds() => {
                    Path::InPlace(kind)
                }
                Delivery::Messages => Path::Assemble(kind),
                Delivery::Chunks => Path::Chunks(kind),
            }
        };
        let mask = header.masking_key.map(Mask::new);
        let frame = Frame { fin: header.fin, path, mask, remaining: header.payload_len };
        self.payload(frame, buffer)
    }

    /// What has arrived of a frame's payload.
    #[inline(never)]
    fn payload(&mut self, frame: Frame, buffer: &mut ReceiveBuffer) -> Result<Step, ProtocolError> {
        if !matches!(frame.path, Path::Control(_)) {
            self.pieces = self.pieces.wrapping_add(1);
        }
        match frame.path {
            Path::InPlace(kind) => self.in_place(frame, kind, buffer),
            Path::Control(opcode) => self.control(frame, opcode, buffer),
            Path::Assemble(kind) => self.assemble(frame, kind, buffer),
            Path::Chunks(kind) => self.chunk(frame, kind, buffer),
            Path::Inflate(kind) => self.inflate(frame, kind, buffer),
        }
    }

    /// Whether more may come out of a compressed frame, although no bytes are left of it.
    #[inline]
    fn may_inflate(&self) -> bool {
        self.inflates() && self.frame.is_some()
    }

    /// Whether the message in progress is to be inflated.
    #[inline]
    fn inflates(&self) -> bool {
        self.inflate.is_some() && self.compressed
    }

    /// Puts the frame in hand down until more of it has arrived.
    #[inline]
    fn wait_for(&mut self, frame: Frame) -> Step {
        self.frame = Some(frame);
        Step::NeedsBytes
    }
}

impl Frame {
    /// How much has arrived of the payload that is still to be processed.
    #[inline]
    fn arrived(&self, buffer: &ReceiveBuffer) -> usize {
        buffer.unread().min(to_usize(self.remaining))
    }

    /// Records that `n` payload bytes were processed. `n` exceeds `remaining` only if a program
    /// mixed up two connections' buffers.
    #[inline]
    fn took(&mut self, n: usize) {
        self.remaining = self.remaining.saturating_sub(n as u64);
    }
}

/// A payload's length that was held to the limits, or how much of it may be here at most.
#[inline]
fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
