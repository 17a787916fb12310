//! How many bytes a read is to bring, and where it puts them.

use super::ReceiveBuffer;
use crate::frame::FrameHeader;

impl ReceiveBuffer {
    /// Messages up to this length are short: one read may bring many, and they wait in `wire`.
    pub(crate) const SHORT: usize = 4 << 10;
    /// So much is read before a message that is then read straight into its own memory: its header,
    /// and little that has to be moved there.
    const START_OF_LONG: usize = 256;
    /// The first allocation: a handshake and small messages fit.
    const FIRST: usize = 4 << 10;
    /// No read is longer, so that the bytes are still in the first cache, or close to it, when they are
    /// unmasked. `wire` grows no further for reads; only a longer handshake head makes it.
    pub(super) const LARGEST_READ: usize = 32 << 10;
    /// Of long messages in a row, those up to this length come to lie in `wire` too.
    const LONGEST_IN_PLACE: usize = Self::LARGEST_READ - Self::HEADROOM - 2 * FrameHeader::MAX_LEN;

    /// Behind a message in one frame with a payload of `length` bytes: the next is likely to be as
    /// long, and `header` the length of its header.
    #[inline]
    pub(crate) fn expect_another(&mut self, header: usize, length: usize) {
        if length > Self::SHORT {
            let in_place = length <= Self::LONGEST_IN_PLACE;
            // With the next header as a whole: one whose bytes came in two reads is slow to load. And
            // a read that brings less than there is room for tells that the transport has no more.
            let with_headers = length.saturating_add(header.saturating_mul(2));
            self.expected = if in_place { with_headers } else { Self::START_OF_LONG };
        }
    }

    /// A payload up to this length waits until it is complete; a longer one that has not yet arrived
    /// as a whole is moved, and so does not make the buffer grow.
    #[inline]
    pub(crate) fn holds(&self) -> u64 {
        self.expected.max(Self::SHORT) as u64
    }

    /// Lets the next reads put the next `n` payload bytes straight into the message.
    pub(crate) fn expect_direct(&mut self, n: usize) {
        self.direct = n;
    }

    #[inline(never)]
    pub(super) fn spare_wire(&mut self, full: bool) -> &mut [u8] {
        if self.wire.is_empty() && self.wire.room() > 0 {
            self.wire.restart(Self::HEADROOM);
        }
        let (waiting, spare) = (self.wire.len(), self.wire.spare());
        let wanted = self.expected.saturating_sub(waiting);
        // Of a long message's followers only a header waits. Moved to the front, the next message
        // comes to lie where the last one did, in memory that is still in the cache.
        let scarce = spare < self.wire.room() / 2 || wanted > 0;
        if full || spare < wanted || (waiting > 0 && scarce) {
            self.make_room(wanted);
        }
        self.wire.spare_up_to(if wanted == 0 { usize::MAX } else { wanted })
    }

    /// Room for `wanted` bytes, or if that is 0 for as many as seem to arrive at once.
    #[cold]
    fn make_room(&mut self, wanted: usize) {
        if self.wire.room() == 0 {
            self.wire.grow(Self::FIRST.max(Self::HEADROOM.saturating_add(wanted)));
            return self.wire.restart(Self::HEADROOM);
        }
        if self.wire.len() <= self.wire.start().saturating_sub(Self::HEADROOM) {
            // No more than what was consumed since: each byte moves at most once on average.
            self.wire.move_to(Self::HEADROOM);
        }
        let (room, spare) = (self.wire.room(), self.wire.spare());
        let larger = if wanted == 0 {
            // The last read filled all there was: larger ones are worth their memory.
            room < Self::LARGEST_READ || spare == 0
        } else {
            spare < wanted
        };
        if larger {
            self.wire.grow(room.saturating_mul(2).max(self.wire.end().saturating_add(wanted)));
        }
    }

    pub(super) fn spare_message(&mut self) -> &mut [u8] {
        // Grows with what has arrived, never with what was announced.
        self.message.spare_of(self.direct.min(Self::LARGEST_READ))
    }
}
