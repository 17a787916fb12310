//! Payload that is compressed: out of the bytes from the transport into the message.

use super::ReceiveBuffer;
use super::lent::{Content, Lent};
use super::text::Place;
use crate::deflate::{Inflate, InvalidDeflate};
use crate::message::MessageKind;
use crate::utf8::InvalidUtf8;

/// What one step of inflation did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inflated {
    /// How many bytes of the payload were taken.
    pub(crate) taken: usize,
    /// How many bytes came out.
    pub(crate) made: usize,
    /// Whether nothing more comes out of the payload that is there: all of it was taken.
    pub(crate) drained: bool,
}

/// Why inflation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InflateError {
    Deflate,
    Utf8,
    /// More came out than there was room for.
    NoRoom,
}

impl ReceiveBuffer {
    /// The first step of a message's growth.
    const FIRST_INFLATED: usize = 4 << 10;
    /// What comes out at most before its text is checked: it is still in the cache then.
    const INFLATE_STEP: usize = 256 << 10;
    /// The largest piece of [`Delivery::Chunks`](crate::Delivery::Chunks).
    const INFLATED_CHUNK: usize = 64 << 10;

    /// Inflates the next `n` payload bytes, which [`clean_in_place`](Self::clean_in_place) has
    /// unmasked, behind the message's others; `fin` says that the message ends with them. Takes a
    /// bounded step, and no more memory than `room` bytes for what comes out.
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

    /// Inflates the next `n` payload bytes as [`inflate`](Self::inflate) does, and lends what came
    /// out as a piece of the message, if that makes a piece. Text is cut before a character that is
    /// not complete; its bytes come with the next piece.
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
        // The bytes of a character that is not complete are the last ones.
        let end = self.message.end().saturating_sub(self.text.carry().carry().len());
        if end == 0 && !last {
            self.message.restart(0);
            return Ok((step, false));
        }
        self.lent = Some(Lent::chunk(&content, last, Place::Message, 0..end));
        Ok((step, true))
    }

    /// Inflates behind what the message has. What came out waits there, to be checked.
    fn inflate_behind(
        &mut self,
        n: usize,
        fin: bool,
        inflate: &mut Inflate,
        kind: MessageKind,
        room: u64,
    ) -> Result<Inflated, InflateError> {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        // If there is no room left, a byte that is thrown away shows whether more would come out:
        // it may even if all of the payload was taken.
        let mut probe = [0];
        if self.message.spare() == 0 {
            let end = self.message.end();
            let most = end.saturating_add(room);
            let wanted = end.saturating_mul(2).max(Self::FIRST_INFLATED).min(most);
            self.message.grow_exact(wanted);
        }
        let output = if room == 0 { &mut probe[..] } else { self.message.spare_up_to(room) };
        let offered = output.len();
        let progress = match inflate.inflate(self.wire.part(0..n), fin, output) {
            // zlib looks ahead of what there is room for.
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

    /// The fault that comes first in the message, so that the error does not depend on how its
    /// bytes arrive: what came out before the compression showed to be wrong may be no text.
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
