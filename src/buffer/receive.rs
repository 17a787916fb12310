//! Bytes that have arrived, and the event that is lent from them.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;

use super::queue::ByteQueue;
use crate::close::{Close, CloseCode};
use crate::event::{Event, Message, MessageKind};
use crate::mask::Mask;
use crate::utf8::{InvalidUtf8, Utf8};

pub(crate) use inflate::InflateError;

/// Bytes that have arrived and are not yet consumed, and the event that is lent from them.
///
/// It belongs to the program, not to the connection: an idle connection needs none
/// ([`is_idle`](Self::is_idle)), so a few buffers can serve many connections.
///
/// Fill it with [`read_from`](Self::read_from), [`extend_from_slice`](Self::extend_from_slice), or
/// [`spare_mut`](Self::spare_mut) and [`filled`](Self::filled).
#[derive(Default)]
pub struct ReceiveBuffer {
    /// Bytes from the transport; what waits never starts below `HEADROOM` once there is memory.
    wire: ByteQueue,
    /// How many payload bytes at the start of `wire` are unmasked and checked already.
    clean: usize,
    /// Payload that does not lie in `wire` in one piece, from position 0 on: of fragments and of large
    /// frames. What waits in it was read there directly, and is neither unmasked nor checked.
    message: ByteQueue,
    /// Payload bytes of the current frame that may be read straight into `message`.
    direct: usize,
    /// Checks the text in progress. It lives here, beside the bytes that it has checked.
    utf8: Utf8,
    /// Where the text in progress lies and how many of its bytes `utf8` has seen: the first that
    /// wait in `wire`, or those from 0 on in `message`, and no others since it started. A receiver
    /// could not vouch for that, since a program may give it the buffer of another amid a message.
    checked: (Place, usize),
    /// What is expected next after a long message: reads bring no more than a frame as long as that
    /// one and the header behind it, so that it lies in `wire` in one piece; or, of one that is still
    /// longer, little more than its header, so that nearly all of it is read straight into `message`. 0
    /// if messages are short and one read may bring many.
    expected: usize,
    /// Whether bytes have arrived since `take_fresh`.
    fresh: bool,
    lent: Option<Lent>,
}

/// What an event lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Wire,
    Message,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Message(MessageKind),
    Chunk { kind: MessageKind, fin: bool },
    Ping,
    Pong,
    Close,
}

/// The event that is lent: where its bytes lie, text already checked.
#[derive(Clone, Debug)]
struct Lent {
    what: What,
    place: Place,
    positions: Range<usize>,
}

const FILLED_TOO_MUCH: &str = "filled more than there was room";

impl ReceiveBuffer {
    /// Room kept before the first byte, so that the carried bytes of a cut character can be put
    /// right before the rest of their text.
    const HEADROOM: usize = 4;

    /// An empty buffer; it allocates when bytes arrive.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            wire: ByteQueue::new(),
            clean: 0,
            message: ByteQueue::new(),
            direct: 0,
            utf8: Utf8::new(),
            checked: (Place::Wire, 0),
            expected: 0,
            fresh: false,
            lent: None,
        }
    }

    /// Room for the next read: never empty. Ends the loan of [`event`](Self::event).
    #[inline]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.reclaim();
        if self.direct > 0 {
            return self.spare_message();
        }
        let full = self.wire.spare() == 0;
        if !full && self.wire.is_empty() && self.expected == 0 {
            // The usual read: nothing waits, messages are short, and there was room to spare.
            self.wire.restart(Self::HEADROOM);
            return self.wire.spare_mut();
        }
        self.spare_wire(full)
    }

    /// Tells that the first `n` bytes of [`spare_mut`](Self::spare_mut) were filled.
    ///
    /// # Panics
    ///
    /// If `n` is more than its length.
    #[inline]
    pub fn filled(&mut self, n: usize) {
        self.reclaim();
        self.fresh |= n > 0;
        if self.direct > 0 {
            assert!(n <= self.direct.min(self.message.spare()), "{FILLED_TOO_MUCH}");
            self.message.filled(n);
            self.direct = self.direct.saturating_sub(n);
        } else {
            assert!(n <= self.wire.spare(), "{FILLED_TOO_MUCH}");
            self.wire.filled(n);
        }
    }

    /// Appends bytes that arrived some other way.
    pub fn extend_from_slice(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // To read a slice cannot fail.
            let _ = self.read_from(&mut bytes);
        }
    }

    /// One read from the transport: how many bytes came, 0 at its end.
    ///
    /// # Errors
    ///
    /// The transport's.
    #[inline]
    pub fn read_from(&mut self, transport: &mut impl Read) -> io::Result<usize> {
        let n = transport.read(self.spare_mut())?;
        self.filled(n);
        Ok(n)
    }

    /// The event of the last `advance` that returned `true`, until the buffer is touched again.
    #[inline]
    #[must_use]
    pub fn event(&self) -> Option<Event<'_>> {
        let lent = self.lent.as_ref()?;
        let bytes = match lent.place {
            Place::Wire => self.wire.at(lent.positions.clone()),
            Place::Message => self.message.at(lent.positions.clone()),
        };
        Some(match lent.what {
            What::Message(kind) => Event::Message(message(kind, bytes)),
            // Apart, so that this is small enough to be compiled into the caller.
            what => rarer_event(what, bytes),
        })
    }

    /// Whether nothing is held: no bytes that arrived, no part of a frame or message, no event. Such
    /// a buffer can serve another connection, or give its memory back with
    /// [`release`](Self::release).
    #[inline]
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.wire.is_empty()
            && self.message.end() == 0
            && self.direct == 0
            && self.utf8.carry().is_empty()
            && self.lent.is_none()
    }

    /// Bytes of memory that the buffer holds.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.wire.capacity().saturating_add(self.message.capacity())
    }

    /// Gives the memory back if the buffer is idle. Ends the loan of [`event`](Self::event).
    pub fn release(&mut self) {
        self.reclaim();
        if self.is_idle() {
            *self = Self::new();
        }
    }

    /// Bytes that arrived and were not consumed.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.wire.as_slice()
    }

    /// How many bytes [`as_slice`](Self::as_slice) has.
    #[inline]
    pub(crate) const fn unread(&self) -> usize {
        self.wire.len()
    }

    /// Consumes the first `n` bytes, such as a head or a frame header.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        self.wire.consume(n);
        self.clean = 0;
        if self.checked.0 == Place::Wire {
            self.checked.1 = 0;
        }
    }

    /// Whether bytes were read that no receiver has looked at. (Those that it left unconsumed count.)
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.wire.is_empty() || !self.message.is_empty()
    }

    /// What [`event`](Self::event) would lend.
    #[inline]
    pub(crate) fn what(&self) -> Option<What> {
        self.lent.as_ref().map(|lent| lent.what)
    }

    /// Whether bytes have arrived since the last call.
    #[inline]
    pub(crate) fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    /// Ends the loan of the last event.
    #[inline]
    pub(crate) fn reclaim(&mut self) {
        if let Some(Lent { place: Place::Message, .. }) = self.lent.take() {
            self.message.restart(0);
        }
    }

    /// Unmasks and, for text, checks the payload bytes that have arrived, where they lie: up to
    /// `length` from the start of the payload, which is the first byte not consumed.
    #[expect(clippy::inline_always, reason = "the mask stays in registers")]
    #[inline(always)]
    pub(crate) fn clean_in_place(
        &mut self,
        length: usize,
        mask: Option<&mut Mask>,
        kind: Option<MessageKind>,
    ) -> Result<(), InvalidUtf8> {
        let arrived = length.min(self.wire.len());
        let before = self.clean.min(arrived);
        let bytes = self.wire.part_mut(before..arrived);
        self.clean = arrived;
        if let Some(mask) = mask {
            mask.apply(bytes);
        }
        if kind == Some(MessageKind::Text) {
            return self.check(Place::Wire, before, arrived);
        }
        Ok(())
    }

    /// How many payload bytes [`clean_in_place`](Self::clean_in_place) has done.
    #[inline]
    pub(crate) fn clean(&self) -> usize {
        self.clean
    }

    /// Consumes the message that was cleaned in place and lends it.
    #[inline]
    pub(crate) fn lend_in_place(&mut self, kind: MessageKind) -> Result<(), InvalidUtf8> {
        let length = self.clean;
        self.lend_message(kind, Place::Wire, length)?;
        self.wire.consume(length);
        self.clean = 0;
        Ok(())
    }

    /// Unmasks, checks, consumes and lends a message that has arrived as a whole.
    #[expect(clippy::inline_always, reason = "the mask stays in registers")]
    #[inline(always)]
    pub(crate) fn lend_whole(
        &mut self,
        length: usize,
        mask: Option<Mask>,
        kind: MessageKind,
    ) -> Result<(), InvalidUtf8> {
        let bytes = self.wire.part_mut(0..length);
        if let Some(mut mask) = mask {
            mask.apply(bytes);
        }
        if kind == MessageKind::Text {
            self.utf8 = Utf8::new();
            self.utf8.feed(bytes)?;
            self.utf8.finish()?;
        }
        self.lend_checked(kind, Place::Wire, length);
        self.wire.consume(length);
        Ok(())
    }

    /// Consumes the payload of a control frame that was cleaned in place and lends it.
    pub(crate) fn lend_control(&mut self, what: What) -> Result<(), InvalidUtf8> {
        let positions = self.wire.positions(self.clean);
        self.consume(self.clean);
        if what == What::Close {
            let reason = self.wire.at(positions.clone()).get(2..).unwrap_or_default();
            simdutf8::basic::from_utf8(reason).map_err(|_| InvalidUtf8)?;
        }
        self.lent = Some(Lent { what, place: Place::Wire, positions });
        Ok(())
    }

    /// Moves the next `n` payload bytes behind the message's others, unmasked in the pass that
    /// moves them.
    pub(crate) fn assemble(
        &mut self,
        n: usize,
        mask: Option<&mut Mask>,
        kind: MessageKind,
    ) -> Result<(), InvalidUtf8> {
        let before = self.message.end();
        let source = self.wire.part(0..n);
        let target = self.message.spare_of(n);
        match mask {
            Some(mask) => mask.apply_to(source, target),
            None => target.copy_from_slice(source),
        }
        self.consume(n);
        self.message.filled(n);
        self.message.consume_all();
        match kind {
            MessageKind::Text => self.check(Place::Message, before, self.message.end()),
            MessageKind::Binary => Ok(()),
        }
    }

    /// Unmasks and checks what was read straight into the message: how many bytes that were.
    pub(crate) fn clean_direct(
        &mut self,
        mask: Option<&mut Mask>,
        kind: MessageKind,
    ) -> Result<usize, InvalidUtf8> {
        let (before, n) = (self.message.start(), self.message.len());
        if let Some(mask) = mask {
            mask.apply(self.message.as_mut_slice());
        }
        self.message.consume_all();
        if kind == MessageKind::Text {
            self.check(Place::Message, before, self.message.end())?;
        }
        Ok(n)
    }

    /// Lends the message that was assembled.
    pub(crate) fn lend_assembled(&mut self, kind: MessageKind) -> Result<(), InvalidUtf8> {
        self.lend_message(kind, Place::Message, self.message.end())
    }

    /// Lends the next `n` payload bytes as a piece of a message, if that makes a piece. Text is cut
    /// before a character that is not complete; its bytes come with the next piece.
    pub(crate) fn lend_chunk(
        &mut self,
        n: usize,
        mask: Option<&mut Mask>,
        kind: MessageKind,
        fin: bool,
    ) -> Result<bool, InvalidUtf8> {
        let carried = self.utf8;
        let bytes = self.wire.part_mut(0..n);
        if let Some(mask) = mask {
            mask.apply(bytes);
        }
        if kind == MessageKind::Text {
            self.checked = (Place::Wire, 0);
            self.utf8.feed(bytes)?;
        }
        // What lies there is consumed: older payload, a header, or the headroom.
        self.wire.push_front(carried.carry());
        let start = self.wire.start();
        self.wire.consume(carried.carry().len());
        self.consume(n);
        let end = self.wire.start().saturating_sub(self.utf8.carry().len());
        if start == end && !fin {
            return Ok(false);
        }
        if fin {
            self.utf8.finish()?;
        }
        let what = What::Chunk { kind, fin };
        self.lent = Some(Lent { what, place: Place::Wire, positions: start..end });
        Ok(true)
    }

    /// Checks the cleaned bytes from `before` to `end`, counted from where `place` starts.
    #[inline]
    fn check(&mut self, place: Place, before: usize, end: usize) -> Result<(), InvalidUtf8> {
        if before == 0 {
            (self.utf8, self.checked) = (Utf8::new(), (place, 0));
        } else if self.checked != (place, before) {
            return Err(InvalidUtf8);
        }
        self.utf8.feed(match place {
            Place::Wire => self.wire.part(before..end),
            Place::Message => self.message.at(before..end),
        })?;
        self.checked.1 = end;
        Ok(())
    }

    /// Lends a message that was cleaned; text only if all of it was checked.
    #[inline]
    fn lend_message(
        &mut self,
        kind: MessageKind,
        place: Place,
        length: usize,
    ) -> Result<(), InvalidUtf8> {
        if kind == MessageKind::Text {
            self.utf8.finish()?;
            if self.checked != (place, length) {
                return Err(InvalidUtf8);
            }
        }
        self.lend_checked(kind, place, length);
        Ok(())
    }

    /// Lends a message whose text was checked as a whole.
    #[inline]
    fn lend_checked(&mut self, kind: MessageKind, place: Place, length: usize) {
        self.checked = (place, 0);
        self.expected = 0;
        let positions = match place {
            Place::Wire => self.wire.positions(length),
            Place::Message => 0..length,
        };
        self.lent = Some(Lent { what: What::Message(kind), place, positions });
    }
}

#[inline]
fn message(kind: MessageKind, bytes: &[u8]) -> Message<'_> {
    match kind {
        MessageKind::Binary => Message::Binary(bytes),
        MessageKind::Text => Message::Text(checked(bytes)),
    }
}

#[inline(never)]
fn rarer_event(what: What, bytes: &[u8]) -> Event<'_> {
    match what {
        What::Message(kind) => Event::Message(message(kind, bytes)),
        What::Chunk { kind, fin } => Event::Chunk { data: message(kind, bytes), fin },
        What::Ping => Event::Ping(bytes),
        What::Pong => Event::Pong(bytes),
        What::Close => Event::Close(match bytes.split_first_chunk() {
            None => Close::default(),
            Some((code, reason)) => {
                Close { code: CloseCode::new(u16::from_be_bytes(*code)), reason: checked(reason) }
            }
        }),
    }
}

/// Bytes that [`Utf8`] has checked, as text.
#[inline]
fn checked(bytes: &[u8]) -> &str {
    debug_assert!(std::str::from_utf8(bytes).is_ok());
    #[expect(unsafe_code, reason = "a second validation would look at each byte of text twice")]
    // SAFETY: only `event` calls this, on ranges that `lend_message`, `lend_whole`, `lend_chunk` and
    // `lend_control` set. Of a text message `utf8` was fed just these bytes, in `lend_whole` or as
    // `checked` counts for `lend_message`, and did not end inside a character. A piece is what `utf8`
    // carried and was fed in that one call, less what it carries on. `lend_control` has validated the
    // reason of a Close frame. Whatever changes the bytes ends the loan first.
    unsafe {
        std::str::from_utf8_unchecked(bytes)
    }
}

impl fmt::Debug for ReceiveBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveBuffer")
            .field("unread", &self.as_slice().len())
            .field("assembled", &self.message.end())
            .field("event", &self.event())
            .finish_non_exhaustive()
    }
}

mod inflate;
mod room;
#[cfg(test)]
mod tests;
