//! Received bytes, and the event that is lent from them.

mod inflate;
mod lend;
mod lent;
mod next_read;
mod room;
mod text;

pub(crate) use inflate::InflateError;
pub(crate) use lent::What;

use std::fmt;
use std::io::{self, Read};

use self::lent::Lent;
use self::next_read::NextRead;
use self::text::{Place, Text};
use super::queue::ByteQueue;
use super::send::Unwritten;
use crate::config::Config;
use crate::event::Event;
use crate::message::OwnedMessage;

/// Bytes that have arrived and are not yet consumed, and the event that is lent from them.
///
/// It belongs to the program, not to the connection. An idle connection needs no buffer
/// ([`is_idle`](Self::is_idle)), so a few buffers can serve many connections.
///
/// Fill it with [`read_from`](Self::read_from), [`extend_from_slice`](Self::extend_from_slice), or
/// [`spare_mut`](Self::spare_mut) and [`filled`](Self::filled).
pub struct ReceiveBuffer {
    /// Bytes from the transport. Once there is memory, waiting bytes never start below `HEADROOM`.
    wire: ByteQueue,
    /// Number of payload bytes at the start of `wire` that are already unmasked and checked.
    clean: usize,
    /// Payload that is not contiguous in `wire` (fragments and large frames), from position 0. Its
    /// waiting bytes were read there directly, and are neither unmasked nor checked.
    message: ByteQueue,
    next_read: NextRead,
    text: Text,
    /// Whether bytes have arrived since the last `take_fresh`.
    fresh: bool,
    lent: Option<Lent>,
}

const FILLED_TOO_MUCH: &str = "filled more than there was room";

impl ReceiveBuffer {
    /// Room kept before the first byte, so that the first bytes of a cut character can be put
    /// directly before the rest of their text.
    const HEADROOM: usize = 4;

    /// Creates an empty buffer; it allocates when bytes arrive. A read asks for [`Config::READ_SIZE`]
    /// at most.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_read_size(Config::READ_SIZE)
    }

    /// Creates an empty buffer whose reads ask for `bytes` at most, such as
    /// [`Config::read_size`]; for 4 KiB if that is less. Reads are long only for long messages:
    /// while messages are short, one asks for 32 KiB at most.
    #[must_use]
    pub const fn with_read_size(bytes: usize) -> Self {
        Self::with(NextRead::of_at_most(bytes))
    }

    const fn with(next_read: NextRead) -> Self {
        Self {
            wire: ByteQueue::new(),
            clean: 0,
            message: ByteQueue::new(),
            next_read,
            text: Text::new(),
            fresh: false,
            lent: None,
        }
    }

    /// Returns the memory for the next read; it is never empty. Ends the loan of
    /// [`event`](Self::event).
    #[inline]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.reclaim();
        if self.next_read.direct > 0 {
            return self.spare_message();
        }
        let full = self.wire.spare() == 0;
        if !full && self.wire.is_empty() && self.next_read.expected == 0 {
            // The usual read: nothing waits, messages are short, and there is enough room.
            self.wire.restart(Self::HEADROOM);
            return self.wire.spare_mut();
        }
        self.spare_wire(full)
    }

    /// Records that the first `n` bytes of [`spare_mut`](Self::spare_mut) were filled.
    ///
    /// # Panics
    ///
    /// If `n` is greater than its length.
    #[inline]
    pub fn filled(&mut self, n: usize) {
        self.reclaim();
        self.fresh |= n > 0;
        if self.next_read.direct > 0 {
            assert!(n <= self.next_read.direct.min(self.message.spare()), "{FILLED_TOO_MUCH}");
            self.message.filled(n);
            self.next_read.direct = self.next_read.direct.saturating_sub(n);
        } else {
            assert!(n <= self.wire.spare(), "{FILLED_TOO_MUCH}");
            self.wire.filled(n);
        }
    }

    /// Appends bytes that arrived in some other way.
    pub fn extend_from_slice(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // Reading from a slice cannot fail.
            let _ = self.read_from(&mut bytes);
        }
    }

    /// Reads once from the transport, and returns how many bytes arrived: 0 at its end.
    ///
    /// # Errors
    ///
    /// The error of the transport.
    #[inline]
    pub fn read_from(&mut self, transport: &mut impl Read) -> io::Result<usize> {
        let n = transport.read(self.spare_mut())?;
        self.filled(n);
        Ok(n)
    }

    /// Returns the event of the last `advance` that returned `true`, until the buffer is touched
    /// again.
    #[inline]
    #[must_use]
    pub fn event(&self) -> Option<Event<'_>> {
        let lent = self.lent.as_ref()?;
        let bytes = match lent.place() {
            Place::Wire => self.wire.at(lent.positions()),
            Place::Message => self.message.at(lent.positions()),
        };
        Some(lent.event(bytes))
    }

    /// Returns whether [`event`](Self::event) lends a control frame: a Ping, a Pong or a Close
    /// frame.
    #[inline]
    #[must_use]
    pub fn lends_control(&self) -> bool {
        matches!(self.what(), Some(What::Ping | What::Pong | What::Close))
    }

    /// Returns the length in bytes from which an answer to the lent event should be written from where
    /// it lies ([`Unwritten::is_worth_a_write`]). Short answers are queued: they are written together
    /// with those to other messages that have arrived. If none has, the answer is written next in any
    /// case, so this is shorter.
    #[inline]
    #[must_use]
    pub const fn worth_a_write(&self) -> usize {
        if self.wire.is_empty() { Unwritten::WORTH_A_PIECE } else { Unwritten::WORTH_A_WRITE }
    }

    /// Takes the message or piece that [`event`](Self::event) lends, and ends the loan; `None` if
    /// it lends something else. A message that was assembled from fragments, or too long to wait in
    /// the buffer, is handed over without a copy, and its memory with it.
    pub fn take_message(&mut self) -> Option<OwnedMessage> {
        let (Event::Message(message) | Event::Chunk { data: message, .. }) = self.event()? else {
            return None;
        };
        let lent = self.lent.as_ref()?;
        let owned = if lent.place() == Place::Message && lent.positions().start == 0 {
            lent.own(self.message.take(lent.positions().end))
        } else {
            message.into()
        };
        self.reclaim();
        Some(owned)
    }

    /// Returns whether nothing is held: no bytes that arrived, no part of a frame or message, no
    /// event. Such a buffer can serve another connection, or give its memory back with
    /// [`release`](Self::release).
    #[inline]
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.wire.is_empty()
            && self.message.end() == 0
            && self.next_read.direct == 0
            && self.text.is_idle()
            && self.lent.is_none()
    }

    /// Returns for how many bytes a read asks at most ([`with_read_size`](Self::with_read_size)).
    #[must_use]
    pub const fn read_size(&self) -> usize {
        self.next_read.most
    }

    /// Returns how many bytes of memory the buffer holds.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.wire.capacity().saturating_add(self.message.capacity())
    }

    /// Discards what has arrived. For a client that was refused: what it sends until it ends its
    /// side must be read, and has no meaning. A connection that goes on would lose its place in the
    /// stream; one that has failed discards by itself.
    pub fn discard(&mut self) {
        self.lent = None;
        self.wire.consume_all();
        self.message.restart(0);
        self.clean = 0;
        self.text = Text::new();
        self.next_read = self.next_read.fresh();
    }

    /// Frees the memory if the buffer is idle. Ends the loan of [`event`](Self::event).
    pub fn release(&mut self) {
        self.reclaim();
        if self.is_idle() {
            *self = Self::with(self.next_read.fresh());
        }
    }

    /// Returns the bytes that arrived and were not consumed.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.wire.as_slice()
    }

    /// Length of [`as_slice`](Self::as_slice).
    #[inline]
    pub(crate) const fn unread(&self) -> usize {
        self.wire.len()
    }

    /// Consumes the first `n` bytes, such as a head or a frame header.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        self.wire.consume(n);
        self.clean = 0;
        self.text.forget(Place::Wire);
    }

    /// Whether there are bytes that no receiver has processed. (Bytes that it left unconsumed
    /// count.)
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.wire.is_empty() || !self.message.is_empty()
    }

    /// The kind of event that [`event`](Self::event) lends.
    #[inline]
    pub(crate) fn what(&self) -> Option<What> {
        self.lent.as_ref().map(Lent::what)
    }

    /// Whether bytes have arrived since the last call.
    #[inline]
    pub(crate) fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    /// Ends the loan of the last event.
    #[inline]
    pub(crate) fn reclaim(&mut self) {
        if self.lent.take().is_some_and(|lent| lent.place() == Place::Message) {
            self.message.restart(0);
        }
    }

    /// Lets another connection use the buffer. What was learnt about the length of messages stays: a
    /// guess, which a wrong read or two correct.
    pub(crate) fn hand_over(&mut self) {
        self.fresh = false;
    }
}

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self::new()
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

#[cfg(test)]
mod tests;
