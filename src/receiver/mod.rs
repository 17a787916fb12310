//! Turns bytes into events: frames, masks, fragments, UTF-8 (RFC 6455, 5 and 6.2).

mod admit;
mod inflate;
mod payload;

use crate::buffer::ReceiveBuffer;
use crate::closing::Progress;
use crate::config::{Config, Delivery, Limits, Role};
use crate::deflate::{Boxed, Inflate, boxed};
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
    max_frame: u64,
    max_message: u64,
    max_fragments: u32,
    /// The frame whose payload is still arriving.
    frame: Option<Frame>,
    /// The type of the message in progress.
    message: Option<MessageKind>,
    /// The length of its payload so far, including the announced length of the current frame; for a
    /// compressed message, the length of the output.
    length: u64,
    /// For a compressed message, the announced length of its frames so far.
    compressed_length: u64,
    /// The number of its frames so far.
    fragments: u32,
    /// How many messages have begun, modulo 2^32.
    begun: u32,
    /// How often payload of an incomplete message has arrived, modulo 2^32.
    pieces: u32,
    /// `Some` if permessage-deflate was negotiated.
    inflate: Option<Boxed<Inflate>>,
    /// Whether the message in progress is compressed.
    compressed: bool,
    /// Whether a Close frame was received.
    closed: bool,
    /// Boxed, because usually there is none.
    failure: Option<Box<ProtocolError>>,
}

/// A frame whose header has been read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    fin: bool,
    path: Path,
    mask: Option<Mask>,
    /// Number of payload bytes still to be processed; for a payload that is lent in place, all of
    /// them.
    remaining: u64,
}

/// How a payload is delivered to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// A control frame: lent in place.
    Control(Opcode),
    /// A message in one frame: lent in place.
    InPlace(MessageKind),
    /// A fragment, or a frame too large for the buffer: moved to the end of the message.
    Assemble(MessageKind),
    /// Lent piece by piece ([`Delivery::Chunks`]).
    Chunks(MessageKind),
    /// Part of a compressed message: inflated to the end of the message, or piece by piece.
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
    /// The peer broke the protocol: see [`Receiver::failure`].
    Failed,
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
    /// The peer broke the protocol.
    Failed,
}

impl Receiver {
    /// If at least this many bytes of a fragment are missing, reads go straight into the message;
    /// below, one read may bring the next frames too.
    const WORTH_DIRECT: usize = 16 << 10;

    /// Creates a receiver for the first byte after the opening handshake.
    #[must_use]
    pub fn new(role: Role, config: &Config) -> Self {
        let Limits { frame, message, fragments, .. } = config.limits;
        let max_message = match config.delivery {
            // The largest possible allocation.
            Delivery::Messages => message.min(isize::MAX as u64),
            Delivery::Chunks => message,
        };
        Self {
            role,
            delivery: config.delivery,
            max_frame: frame,
            max_message,
            max_fragments: fragments,
            frame: None,
            message: None,
            length: 0,
            compressed_length: 0,
            fragments: 0,
            begun: 0,
            pieces: 0,
            inflate: None,
            compressed: false,
            closed: false,
            failure: None,
        }
    }

    /// Accepts compressed messages too (RFC 7692).
    pub(crate) fn with_inflate(self, inflate: Option<Inflate>) -> Self {
        Self { inflate: inflate.map(boxed), ..self }
    }

    /// Processes the bytes that have arrived up to the next event, and returns whether there is
    /// one. [`ReceiveBuffer::event`] then lends it; `false` means that more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if the peer broke the protocol or exceeded a limit. It is found as soon as
    /// the bytes that show it have arrived, even if the frame is incomplete. Every later call
    /// returns it again, and discards what has arrived.
    #[inline]
    pub fn advance(&mut self, buffer: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        match self.process(buffer) {
            Advance::Message | Advance::Control => Ok(true),
            Advance::NeedsBytes => Ok(false),
            Advance::Failed => self.failure().map_or(Ok(false), Err),
        }
    }

    /// [`advance`](Self::advance), and what is lent. The error stays where it is: a result with it
    /// would be returned in memory, for each message.
    #[inline]
    pub(crate) fn process(&mut self, buffer: &mut ReceiveBuffer) -> Advance {
        if self.failure.is_some() {
            // The peer's bytes must still be read, so that it gets our Close frame.
            buffer.discard();
            return Advance::Failed;
        }
        buffer.reclaim();
        while buffer.has_work() || self.may_inflate() {
            match self.step(buffer) {
                Step::Lent => return Advance::Message,
                Step::LentControl => return Advance::Control,
                Step::NeedsBytes => break,
                Step::FrameEnded => {}
                Step::Failed => {
                    buffer.discard();
                    return Advance::Failed;
                }
            }
        }
        Advance::NeedsBytes
    }

    /// Returns how the peer broke the protocol, if it has.
    #[inline]
    pub(crate) fn failure(&self) -> Option<ProtocolError> {
        self.failure.as_deref().copied()
    }

    /// Processes what has arrived and returns the next event: [`advance`](Self::advance) and
    /// [`ReceiveBuffer::event`] in one call. `None` means that more bytes are needed.
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

    /// Returns what was received so far, for [`Sender::note`](crate::split::Sender::note). Resets
    /// the flag in `buffer` that bytes have arrived.
    #[inline]
    pub fn progress(&self, buffer: &mut ReceiveBuffer) -> Progress {
        let header = self.incomplete_header(buffer);
        // Counted already, so that the message is the same one when its header is complete.
        let begins = header > 0 && self.message.is_none();
        Progress {
            heard: buffer.take_fresh(),
            begun: self.begun.wrapping_add(u32::from(begins)),
            // Each byte changes it: an incomplete header has fewer than 16.
            pieces: self.pieces.wrapping_mul(16).wrapping_add(header),
            in_message: header > 0 || self.message.is_some(),
        }
    }

    /// How many bytes of a message's next header have arrived, if it is incomplete: they are part of
    /// the message, which begins with those of its first header.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "no header is longer than 14 bytes")]
    fn incomplete_header(&self, buffer: &ReceiveBuffer) -> u32 {
        let is_data = |first: u8| Opcode::try_from(first & 0x0F).is_ok_and(|it| !it.is_control());
        match *buffer.as_slice() {
            [first, ..] if self.frame.is_none() && is_data(first) => {
                buffer.as_slice().len().min(FrameHeader::MAX_LEN) as u32
            }
            _ => 0,
        }
    }

    /// Processes one frame, or the part of it that has arrived.
    #[inline(never)]
    fn step(&mut self, buffer: &mut ReceiveBuffer) -> Step {
        let Some(frame) = self.frame else {
            return self.next_frame(buffer).unwrap_or_else(|error| self.fail(error));
        };
        self.frame = None;
        self.payload(frame, buffer)
    }

    #[cold]
    fn fail(&mut self, error: ProtocolError) -> Step {
        self.failure = Some(Box::new(error));
        Step::Failed
    }

    /// Processes the next frame's header, if it is complete, and the part of the payload that has
    /// arrived.
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
                    // Nearly all frames are complete here, and never become a `Frame`.
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
        Ok(self.payload(frame, buffer))
    }

    /// Processes the part of a frame's payload that has arrived.
    #[inline(never)]
    fn payload(&mut self, frame: Frame, buffer: &mut ReceiveBuffer) -> Step {
        if !matches!(frame.path, Path::Control(_)) {
            self.pieces = self.pieces.wrapping_add(1);
        }
        let step = match frame.path {
            Path::InPlace(kind) => self.in_place(frame, kind, buffer),
            Path::Control(opcode) => self.control(frame, opcode, buffer),
            Path::Assemble(kind) => self.assemble(frame, kind, buffer),
            Path::Chunks(kind) => self.chunk(frame, kind, buffer),
            Path::Inflate(kind) => self.inflate(frame, kind, buffer),
        };
        step.unwrap_or_else(|error| self.fail(error))
    }

    /// Whether more may come out of a compressed frame, although no bytes are left of it.
    #[inline]
    fn may_inflate(&self) -> bool {
        self.inflates() && self.frame.is_some()
    }

    /// Whether the message in progress must be inflated.
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
    /// Number of bytes that have arrived of the payload still to be processed.
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

/// Converts the length of a payload, which was checked against the limits, or an upper bound for
/// its part in memory.
#[inline]
fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
