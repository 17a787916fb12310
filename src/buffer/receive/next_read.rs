//! How many bytes the next read is to bring.

use crate::frame::FrameHeader;

/// What is known of the next read.
#[derive(Debug)]
pub(super) struct NextRead {
    /// What is expected after a long message: reads bring no more than a frame as long as that one
    /// and the header behind it, so that it lies in one piece; or, if that one was too long for
    /// this, little more than its header, so that nearly all of it is read straight into `message`.
    /// 0 if messages are short and one read may bring many.
    pub(super) expected: usize,
    /// Payload bytes of the current frame that may be read straight into the message.
    pub(super) direct: usize,
    /// No read is longer, so that the bytes are still in the first cache, or close to it, when they
    /// are unmasked. The buffer grows no further for reads; only a longer handshake head makes it.
    pub(super) most: usize,
}

impl NextRead {
    /// Messages up to this length are short: one read may bring many, and they wait in the buffer.
    const SHORT: usize = 4 << 10;
    /// How much to read of a message that then goes straight into its own memory: its header, and
    /// little payload that must be copied there.
    const START_OF_LONG: usize = 256;
    /// The most bytes of a read, unless the program sets it.
    const MOST: usize = 32 << 10;

    pub(super) const fn new() -> Self {
        Self { expected: 0, direct: 0, most: Self::MOST }
    }

    pub(super) const fn of_at_most(bytes: usize) -> Self {
        let most = if bytes < Self::SHORT { Self::SHORT } else { bytes };
        Self { expected: 0, direct: 0, most }
    }

    /// With the same setting, and nothing known.
    pub(super) const fn fresh(&self) -> Self {
        Self { expected: 0, direct: 0, most: self.most }
    }

    /// Forgets what is known, such as that of another connection.
    pub(super) fn forget(&mut self) {
        *self = self.fresh();
    }

    /// Records that a message in one frame has arrived, with a payload of `length` bytes: the next
    /// is likely to be as long, and `header` the length of its header. `headroom` is what the
    /// buffer keeps free.
    #[inline]
    pub(super) fn expect_another(&mut self, header: usize, length: usize, headroom: usize) {
        if length > Self::SHORT {
            // With the next header as a whole: one whose bytes came in two reads is slow to load.
            // And a read that brings less than there is room for shows that the transport has no
            // more.
            let with_headers = length.saturating_add(header.saturating_mul(2));
            let longest = headroom.saturating_add(2 * FrameHeader::MAX_LEN);
            let in_place = length <= self.most.saturating_sub(longest);
            self.expected = if in_place { with_headers } else { Self::START_OF_LONG };
        }
    }

    /// A payload up to this length waits until it is complete.
    #[inline]
    pub(super) fn holds(&self) -> usize {
        self.expected.max(Self::SHORT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_follows_from_the_last_message() {
        for ((header, length), (expected, holds)) in [
            ((2, 125), (0, 4096)),
            ((4, 4096), (0, 4096)),
            // The message and the headers of two.
            ((4, 4097), (4105, 4105)),
            ((8, 32736), (32752, 32752)),
            // Too long to be read in one piece: little more than its header.
            ((8, 32737), (256, 4096)),
            ((14, usize::MAX), (256, 4096)),
        ] {
            let mut next = NextRead::new();
            next.expect_another(header, length, 4);
            assert_eq!((next.expected, next.holds()), (expected, holds), "{header}, {length}");
        }
    }

    #[test]
    fn with_larger_reads_longer_messages_come_in_one_piece() {
        let mut next = NextRead::of_at_most(256 << 10);
        next.expect_another(8, 200_000, 4);
        assert_eq!(next.expected, 200_016);
        next.forget();
        assert_eq!((next.expected, next.most), (0, 256 << 10));
    }
}
