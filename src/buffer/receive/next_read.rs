//! The size of the next read.

use crate::frame::FrameHeader;

/// What is known about the next read.
#[derive(Debug)]
pub(super) struct NextRead {
    /// The size of reads after a long message: one frame of the same length plus the next header,
    /// so that the message is contiguous; or, if that is too long, little more than its header, so
    /// that nearly all of it is read straight into `message`. 0 if messages are short and one read
    /// may bring many.
    pub(super) expected: usize,
    /// Payload bytes of the current frame that may be read straight into the message.
    pub(super) direct: usize,
    /// The largest read. The buffer grows no further for reads; only a longer handshake head makes
    /// it grow.
    pub(super) most: usize,
}

impl NextRead {
    /// Messages up to this length are short: one read may bring many, and they wait in the buffer.
    const SHORT: usize = 4 << 10;
    /// How much to read of a message that then goes straight into its own memory: its header, and
    /// little payload that must be copied there.
    const START_OF_LONG: usize = 256;
    /// The largest read of short messages, so that the bytes are still in or near the first cache
    /// when they are unmasked.
    const MOST_SHORT: usize = 32 << 10;

    pub(super) const fn of_at_most(bytes: usize) -> Self {
        let most = if bytes < Self::SHORT { Self::SHORT } else { bytes };
        Self { expected: 0, direct: 0, most }
    }

    /// The largest read while messages are short, and the first one into a long message.
    pub(super) fn most_short(&self) -> usize {
        self.most.min(Self::MOST_SHORT)
    }

    /// The same setting, with nothing learnt.
    pub(super) const fn fresh(&self) -> Self {
        Self { expected: 0, direct: 0, most: self.most }
    }

    /// Records that a message in one frame has arrived, with a payload of `length` bytes and a
    /// header of `header` bytes: the next message probably has the same length. `headroom` is what
    /// the buffer keeps free.
    #[inline]
    pub(super) fn expect_another(&mut self, header: usize, length: usize, headroom: usize) {
        if length > Self::SHORT {
            // Including the whole next header, because a header that arrives in two reads is slow
            // to load. And a read that returns less than it asked for shows that the transport has
            // no more.
            let with_headers = length.saturating_add(header.saturating_mul(2));
            let longest = headroom.saturating_add(2 * FrameHeader::MAX_LEN);
            let in_place = length <= self.most.saturating_sub(longest);
            self.expected = if in_place { with_headers } else { Self::START_OF_LONG };
        }
    }

    /// Lets the next reads put the next `n` payload bytes straight into the message. If another
    /// fragment follows, nearly all of it shall be read so too.
    pub(super) fn expect_direct(&mut self, n: usize) {
        self.direct = n;
        self.expected = Self::START_OF_LONG;
    }

    /// Records that a message in `count` fragments has arrived, `length` bytes in all, and whether
    /// a part of the last one was read straight into the message: the next message is probably
    /// alike.
    #[inline]
    pub(super) fn expect_fragments(&mut self, count: usize, length: usize, direct: bool) {
        if length > Self::SHORT {
            let with_headers = length.saturating_add(count.saturating_mul(FrameHeader::MAX_LEN));
            if with_headers <= self.most {
                self.expected = with_headers;
            } else if direct {
                self.expected = Self::START_OF_LONG;
            }
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
            // The message and two headers.
            ((4, 4097), (4105, 4105)),
            ((8, 32736), (32752, 32752)),
            ((14, 131_040), (131_068, 131_068)),
            // Too long for one contiguous read: little more than the header.
            ((14, 131_041), (256, 4096)),
            ((14, usize::MAX), (256, 4096)),
        ] {
            let mut next = NextRead::of_at_most(128 << 10);
            next.expect_another(header, length, 4);
            assert_eq!((next.expected, next.holds()), (expected, holds), "{header}, {length}");
        }
    }

    #[test]
    fn a_message_in_fragments_comes_in_one_read_if_it_fits() {
        for ((count, length, direct), expected) in [
            ((2, 4_096, false), 0),
            ((2, 4_097, false), 4_097 + 28),
            ((3, 100_000, true), 100_000 + 42),
            ((8, (128 << 10) - 112, true), 128 << 10),
            // Too long: of long fragments little more than the header, of short ones many.
            ((8, (128 << 10) - 111, true), 256),
            ((8, (128 << 10) - 111, false), 0),
            ((usize::MAX, usize::MAX, false), 0),
        ] {
            let mut next = NextRead::of_at_most(128 << 10);
            next.expect_fragments(count, length, direct);
            assert_eq!(next.expected, expected, "{count}, {length}");
        }
    }

    #[test]
    fn with_larger_reads_longer_messages_come_in_one_piece() {
        let mut next = NextRead::of_at_most(256 << 10);
        next.expect_another(8, 200_000, 4);
        assert_eq!(next.expected, 200_016);
        let next = next.fresh();
        assert_eq!((next.expected, next.most), (0, 256 << 10));
    }
}
