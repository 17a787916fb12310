//! Payload that is compressed: out of the bytes from the transport into the message.

use super::{Lent, Place, ReceiveBuffer, What};
use crate::deflate::{Inflate, InvalidDeflate};
use crate::event::MessageKind;
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
    /// So many bytes came out before it showed.
    Deflate {
        made: usize,
    },
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
    /// unmasked, behind the message's others; `fin` tells that the message ends with them. Takes a
    /// bounded step, and no more memory than `room` bytes for what comes out.
    pub(crate) fn inflate(
        &mut self,
        n: usize,
        fin: bool,
        inflate: &mut Inflate,
        kind: MessageKind,
        room: u64,
    ) -> Result<Inflated, InflateError> {
        let before = self.assembled;
        let room = room.min(Self::INFLATE_STEP as u64);
        let step = self
            .inflate_at(before, n, fin, inflate, room)
            .map_err(|error| self.first_fault(error, kind, before))?;
        let end = before + step.made;
        (self.assembled, self.message_clean) = (end, end);
        if kind == MessageKind::Text {
            self.check(Place::Message, before, end)?;
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
        let carried = self.utf8;
        let carry = carried.carry().len();
        let room = room.min(Self::INFLATED_CHUNK as u64);
        let step = self
            .inflate_at(carry, n, fin, inflate, room)
            .map_err(|error| self.first_fault(error, kind, carry))?;
        let fin = fin && step.drained;
        if step.made == 0 && !fin {
            return Ok((step, false));
        }
        let end = carry + step.made;
        self.grow_message(end);
        self.message[..carry].copy_from_slice(carried.carry());
        if kind == MessageKind::Text {
            self.checked = (Place::Message, 0);
            self.utf8.feed(&self.message[carry..end])?;
        }
        let end = end - self.utf8.carry().len();
        if end == 0 && !fin {
            return Ok((step, false));
        }
        if fin {
            self.utf8.finish()?;
        }
        let what = What::Chunk { kind, fin };
        self.lent = Some(Lent { what, place: Place::Message, start: 0, end });
        Ok((step, true))
    }

    /// The fault that comes first in the message, so that the error does not depend on how its bytes
    /// arrive: what came out from `at` on, before the compression showed to be wrong, may be no text.
    #[cold]
    fn first_fault(&mut self, error: InflateError, kind: MessageKind, at: usize) -> InflateError {
        match error {
            InflateError::Deflate { made } if kind == MessageKind::Text => {
                let text = &self.message[at..at + made];
                self.utf8.feed(text).map_or_else(InflateError::from, |()| error)
            }
            _ => error,
        }
    }

    /// Inflates into the message from `at` on.
    fn inflate_at(
        &mut self,
        at: usize,
        n: usize,
        fin: bool,
        inflate: &mut Inflate,
        room: u64,
    ) -> Result<Inflated, InflateError> {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        // If there is no room left, a byte that nobody will see tells whether more would come out:
        // it may even if all of the payload was taken.
        let mut probe = [0];
        if room > 0 && self.message.len() <= at {
            let most = at.saturating_add(room);
            let wanted = at.saturating_mul(2).max(Self::FIRST_INFLATED).min(most);
            // Exactly, since `resize` alone may take twice that.
            self.message.reserve_exact(wanted - self.message.len());
            self.grow_message(wanted);
        }
        let output = if room == 0 {
            &mut probe[..]
        } else {
            let end = self.message.len().min(at.saturating_add(room));
            &mut self.message[at..end]
        };
        let input = &self.wire[self.start..self.start + n];
        let progress = match inflate.inflate(input, fin, output) {
            // zlib looks ahead of what there is room for.
            Err(error) if room == 0 && error.made() > 0 => return Err(InflateError::NoRoom),
            progress => progress?,
        };
        let drained = progress.made < output.len();
        if room == 0 && progress.made > 0 {
            return Err(InflateError::NoRoom);
        }
        let clean = self.clean - progress.taken;
        self.consume(progress.taken);
        self.clean = clean;
        Ok(Inflated { taken: progress.taken, made: progress.made, drained })
    }
}

impl From<InvalidDeflate> for InflateError {
    fn from(error: InvalidDeflate) -> Self {
        Self::Deflate { made: error.made() }
    }
}

impl From<InvalidUtf8> for InflateError {
    fn from(_: InvalidUtf8) -> Self {
        Self::Utf8
    }
}
