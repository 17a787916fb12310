//! Compressed payload: inflates from the received bytes into the message.

use super::ReceiveBuffer;
use super::lent::{Content, Lent};
use super::text::Place;
use crate::deflate::{Inflate, InvalidDeflate};
use crate::message::MessageKind;
use crate::utf8::InvalidUtf8;

/// What one step of inflation did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inflated {
    /// Number of payload bytes that were consumed.
    pub(crate) taken: usize,
    /// Number of bytes that were produced.
    pub(crate) made: usize,
    /// Whether the available payload was consumed and produces nothing more.
    pub(crate) drained: bool,
}

/// Why inflation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InflateError {
    Deflate,
    Utf8,
    /// The output exceeds the room for it.
    NoRoom,
}

impl ReceiveBuffer {
    /// The first step of a message's growth.
    const FIRST_INFLATED: usize = 4 << 10;
    /// The most output of one step, so that its text is checked while it is still in the cache.
    const INFLATE_STEP: usize = 256 << 10;
    /// The largest piece of [`Delivery::Chunks`](crate::Delivery::Chunks).
    const INFLATED_CHUNK: usize = 64 << 10;

    /// Inflates the next `n` payload bytes, which [`clean_in_place`](Self::clean_in_place) has
    /// unmasked, and appends the output to the message; with `fin` the message ends with them. One
    /// step is bounded, and its output takes at most `room` bytes of memory.
    pub(crate) fn inflate(
        &mut self,
        n: usize,
        fin: bool,
        inflate: &mut Inflate,
        kind: MessageKind,
        room: u64,
    ) -> Result<Inflated, InflateError> {
        let before = self.message.end();
        let room = room.min(Self::INFLATE_STEP as u64);
        let step = self.inflate_behind(n, fin, inflate, kind, room)?;
        self.message.consume_all();
        if kind == MessageKind::Text {
            self.text.check(Place::Message, before, self.message.at(before..self.message.end()))?;
        }
        Ok(step)
    }

    /// Inflates the next `n` payload bytes as [`inflate`](Self::inflate) does, and lends the output
    /// as a piece of the message, if there is any. Text is cut before an incomplete character; its
    /// bytes come with the next piece.
    pub(crate) fn inflate_chunk(
        &mut self,
        n: usize,
        fin: bool,
        inflate: &mut Inflate,
        kind: MessageKind,
        room: u64,
    ) -> Result<(Inflated, bool), InflateError> {
        let carried = self.text.carry();
        let carry = carried.carry();
        self.message.restart(0);
        self.message.spare_of(carry.len()).copy_from_slice(carry);
        self.message.filled(carry.len());
        self.message.consume_all();
        let room = room.min(Self::INFLATED_CHUNK as u64);
        let step = self.inflate_behind(n, fin, inflate, kind, room)?;
        let last = fin && step.drained;
        let content = match kind {
            MessageKind::Text => {
                Content::Text(self.text.check_piece(self.message.as_slice(), last)?)
            }
            MessageKind::Binary => Content::Binary,
        };
        self.message.consume_all();
        // The bytes of an incomplete character are the last ones.
        let end = self.message.end().saturating_sub(self.text.carry().carry().len());
        if end == 0 && !last {
            self.message.restart(0);
            return Ok((step, false));
        }
        self.lent = Some(Lent::chunk(&content, last, Place::Message, 0..end));
        Ok((step, true))
    }

    /// Inflates and appends to the message. The output is not checked yet.
    fn inflate_behind(
        &mut self,
        n: usize,
        fin: bool,
        inflate: &mut Inflate,
        kind: MessageKind,
        room: u64,
    ) -> Result<Inflated, InflateError> {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        // Without room left, a one-byte probe shows whether there is more output: possible even if
        // all of the payload was consumed.
        let mut probe = [0];
        if self.message.spare() == 0 {
            let end = self.message.end();
            let most = end.saturating_add(room);
            let grown = end.saturating_mul(2).max(Self::FIRST_INFLATED).min(most);
            self.message.grow_exact(grown);
        }
        let output = if room == 0 { &mut probe[..] } else { self.message.spare_up_to(room) };
        let offered = output.len();
        let progress = match inflate.inflate(self.wire.part(0..n), fin, output) {
            // zlib may detect an error beyond the room for output.
            Err(error) if room == 0 && error.made() > 0 => return Err(InflateError::NoRoom),
            Err(error) => return Err(self.first_fault(error, kind)),
            Ok(progress) if room == 0 && progress.made > 0 => return Err(InflateError::NoRoom),
            Ok(progress) => progress,
        };
        self.message.filled(progress.made);
        let drained = progress.made < offered;
        let clean = self.clean.saturating_sub(progress.taken);
        self.consume(progress.taken);
        self.clean = clean;
        Ok(Inflated { taken: progress.taken, made: progress.made, drained })
    }

    /// Returns the fault that comes first in the message: the output before the broken compressed
    /// data may already be invalid text. So the error does not depend on how the bytes arrive.
    #[cold]
    fn first_fault(&mut self, error: InvalidDeflate, kind: MessageKind) -> InflateError {
        self.message.filled(error.made());
        if kind == MessageKind::Text
            && self.text.check_piece(self.message.as_slice(), false).is_err()
        {
            return InflateError::Utf8;
        }
        InflateError::Deflate
    }
}

impl From<InvalidUtf8> for InflateError {
    fn from(_: InvalidUtf8) -> Self {
        Self::Utf8
    }
}
