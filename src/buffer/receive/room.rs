//! The memory for the next read.

use super::ReceiveBuffer;
use crate::buffer::queue::ByteQueue;

impl ReceiveBuffer {
    /// The first allocation. A handshake and small messages fit.
    const FIRST: usize = 4 << 10;

    /// Records that a message in one frame has arrived ([`NextRead::expect_another`]).
    #[inline]
    pub(crate) fn expect_another(&mut self, header: usize, length: usize) {
        self.next_read.expect_another(header, length, Self::HEADROOM);
    }

    /// Records that a message in fragments has arrived ([`NextRead::expect_fragments`]).
    #[inline]
    pub(crate) fn expect_fragments(&mut self, count: usize, length: usize, direct: bool) {
        self.next_read.expect_fragments(count, length, direct);
    }

    /// A payload up to this length waits until it is complete. A longer one that has not completely
    /// arrived is moved to the message, so the buffer does not grow for it.
    #[inline]
    pub(crate) fn holds(&self) -> u64 {
        self.next_read.holds() as u64
    }

    /// Lets the next reads put the next `n` payload bytes straight into the message
    /// ([`NextRead::expect_direct`]).
    pub(crate) fn expect_direct(&mut self, n: usize) {
        self.next_read.expect_direct(n);
    }

    #[inline(never)]
    pub(super) fn spare_wire(&mut self, full: bool) -> &mut [u8] {
        if self.wire.is_empty() && self.wire.room() > 0 {
            self.wire.restart(Self::HEADROOM);
        }
        let (waiting, spare) = (self.wire.len(), self.wire.spare());
        let needed = self.next_read.expected.saturating_sub(waiting);
        // After a long message only a header waits. If it is moved to the front, the next message
        // is put where the last one was, in memory that is still in the cache.
        let scarce = spare < self.wire.room() / 2 || needed > 0;
        if full || spare < needed || (waiting > 0 && scarce) {
            self.make_room(needed);
        }
        self.wire.spare_up_to(if needed == 0 { usize::MAX } else { needed })
    }

    /// Makes room for `needed` bytes. 0 means as many as seem to arrive at once.
    #[cold]
    fn make_room(&mut self, needed: usize) {
        if self.wire.room() == 0 {
            self.wire.grow(Self::FIRST.max(Self::HEADROOM.saturating_add(needed)));
            return self.wire.restart(Self::HEADROOM);
        }
        if self.wire.len() <= self.wire.start().saturating_sub(Self::HEADROOM) {
            // At most as many bytes as were consumed since the last move: each byte moves once on
            // average.
            self.wire.move_to(Self::HEADROOM);
        }
        let (room, spare) = (self.wire.room(), self.wire.spare());
        let larger = if needed == 0 {
            // The last read filled all the room: larger reads are worth their memory.
            room < self.next_read.most_short() || spare == 0
        } else {
            spare < needed
        };
        if larger {
            if needed > 0 && self.message.end() == 0 {
                // The next message waits in `wire`; the last one lay here.
                self.message = ByteQueue::new();
            }
            self.wire.grow(room.saturating_mul(2).max(self.wire.end().saturating_add(needed)));
        }
    }

    pub(super) fn spare_message(&mut self) -> &mut [u8] {
        // The memory grows with what has arrived, never with the announced length: a long read
        // comes after as many bytes, or into memory that is there.
        let rest = self.next_read.direct.min(self.next_read.most);
        self.message.spare_allocated(rest.min(self.next_read.most_short()), rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer with memory for `room` wire bytes; `len` bytes wait at position `start`.
    fn laid_out(room: usize, start: usize, len: usize, expected: usize) -> ReceiveBuffer {
        let mut buffer = ReceiveBuffer::new();
        buffer.next_read.expected = expected;
        buffer.wire.grow(room);
        buffer.wire.restart(start);
        for (byte, value) in buffer.wire.spare_mut()[..len].iter_mut().zip((0..=250).cycle()) {
            *byte = value;
        }
        buffer.wire.filled(len);
        buffer
    }

    /// The layout: the room, the position of the first waiting byte, and the length of the next
    /// read.
    fn next_read(mut buffer: ReceiveBuffer) -> (usize, usize, usize) {
        let waiting = buffer.as_slice().to_vec();
        let read = buffer.spare_mut().len();
        assert_eq!(buffer.as_slice(), waiting, "what waits is not touched");
        (buffer.wire.room(), buffer.wire.start(), read)
    }

    #[test]
    fn of_short_messages_a_read_brings_as_many_as_there_is_room_for() {
        for ((room, start, len), then) in [
            // Half of the room is enough.
            ((8192, 4, 100), (8192, 4, 8088)),
            ((8192, 4000, 96), (8192, 4000, 4096)),
            // Less is not: the waiting bytes move to the front if they are no more than were
            // consumed.
            ((8192, 4001, 96), (16384, 4, 16284)),
            ((32768, 20000, 100), (32768, 4, 32664)),
            ((32768, 12004, 12000), (32768, 4, 20764)),
            ((32768, 12003, 12000), (32768, 12003, 8765)),
            ((32768, 4, 20000), (32768, 4, 12764)),
            // If nothing waits there is nothing to move.
            ((32768, 30000, 0), (32768, 4, 32764)),
        ] {
            let buffer = laid_out(room, start, len, 0);
            assert_eq!(next_read(buffer), then, "{room}, {start}, {len}");
        }
    }

    #[test]
    fn a_full_read_makes_the_next_one_larger_up_to_32_kib() {
        for ((room, start, len), then) in [
            // The first allocation: 4 KiB.
            ((0, 0, 0), (4096, 4, 4092)),
            ((4096, 4, 4092), (8192, 4, 4096)),
            ((4096, 4096, 0), (8192, 4, 8188)),
            ((16384, 16000, 384), (32768, 4, 32380)),
            ((32768, 32768, 0), (32768, 4, 32764)),
            ((32768, 32000, 768), (32768, 4, 31996)),
            // The waiting bytes fill the memory: a longer handshake head.
            ((32768, 4, 32764), (65536, 4, 32768)),
        ] {
            let buffer = laid_out(room, start, len, 0);
            assert_eq!(next_read(buffer), then, "{room}, {start}, {len}");
        }
    }

    #[test]
    fn of_long_messages_a_read_brings_the_rest_of_what_is_expected() {
        for ((room, start, len, expected), then) in [
            ((4096, 4, 0, 300), (4096, 4, 300)),
            ((4096, 1000, 0, 300), (4096, 4, 300)),
            // A waiting header is moved, so that the next message is put where the last one was.
            ((4096, 1000, 10, 300), (4096, 4, 290)),
            ((32768, 5000, 100, 300), (32768, 4, 200)),
            ((8192, 4, 100, 5000), (8192, 4, 4900)),
            // Just enough room.
            ((4096, 4, 0, 4092), (4096, 4, 4092)),
            ((4096, 4, 92, 4092), (4096, 4, 4000)),
            // One byte too few: the room doubles at least.
            ((4096, 4, 0, 4093), (8192, 4, 4093)),
            ((4096, 4, 0, 10000), (10004, 4, 10000)),
            ((4096, 4, 96, 10000), (10004, 4, 9904)),
            ((0, 0, 0, 300), (4096, 4, 300)),
            ((0, 0, 0, 10000), (10004, 4, 10000)),
            // More bytes wait than were expected: as with short messages.
            ((32768, 5000, 300, 300), (32768, 5000, 27468)),
            ((32768, 5000, 301, 300), (32768, 5000, 27467)),
        ] {
            let buffer = laid_out(room, start, len, expected);
            assert_eq!(next_read(buffer), then, "{room}, {start}, {len}, {expected}");
        }
    }

    #[test]
    fn the_program_sets_how_long_a_read_is() {
        for (most, wire, message) in [
            (0, 4096, 4096),
            (4096, 4096, 4096),
            (1 << 16, 1 << 15, 1 << 16),
            (1 << 18, 1 << 15, 1 << 18),
        ] {
            let mut buffer = ReceiveBuffer::with_read_size(most);
            for _ in 0..10 {
                let read = buffer.spare_mut().len();
                assert!(read <= wire, "{most}: {read}");
                buffer.filled(read);
                let unread = buffer.unread();
                buffer.consume(unread);
            }
            assert!(buffer.spare_mut().len() > wire / 2, "{most}");
            buffer.expect_direct(usize::MAX);
            // The first read into a message is as long as one of short messages; the next ones
            // double.
            let mut longest = 0;
            for _ in 0..5 {
                let read = buffer.spare_mut().len();
                assert_eq!(read, message.min((32 << 10).max(longest)), "{most}");
                buffer.filled(read);
                longest += read;
            }
            assert_eq!(buffer.spare_mut().len(), message, "{most}");
        }
    }

    #[test]
    fn a_read_into_the_message_is_as_long_as_its_rest_and_the_memory_that_is_there() {
        for (memory, rest, read) in [
            (0, 1, 1),
            (0, 32768, 32768),
            (0, 32769, 32768),
            (0, usize::MAX, 32768),
            // From an earlier message.
            (100_000, 1, 1),
            (100_000, 99_999, 99_999),
            (100_000, usize::MAX, 100_000),
            (1 << 20, usize::MAX, 128 << 10),
        ] {
            let mut buffer = laid_out(4096, 4, 0, 0);
            buffer.message.grow_exact(memory);
            buffer.expect_direct(rest);
            assert_eq!(buffer.spare_mut().len(), read, "{memory}, {rest}");
            buffer.filled(read);
            assert_eq!((buffer.message.len(), buffer.next_read.direct), (read, rest - read));
        }
    }

    #[test]
    fn a_message_that_will_wait_in_the_buffer_needs_no_second_memory() {
        let mut buffer = laid_out(4096, 4, 0, 100_000);
        buffer.message.grow(100_000);
        assert_eq!(next_read(buffer).0, 100_004);
        let mut buffer = laid_out(4096, 4, 0, 100_000);
        buffer.message.grow(100_000);
        let _ = buffer.spare_mut();
        assert_eq!(buffer.message.capacity(), 0);
        // Not while a part of a message is in it.
        let mut buffer = laid_out(4096, 4, 0, 100_000);
        buffer.message.grow(100_000);
        buffer.message.filled(1);
        let _ = buffer.spare_mut();
        assert_eq!(buffer.message.as_slice(), [0]);
    }
}
