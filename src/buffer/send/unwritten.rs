//! A payload that is written without a copy into the send buffer.

use std::fmt;
use std::io::{self, IoSlice, Write};

use super::SendBuffer;
use crate::config::Role;
use crate::frame::FrameHeader;
use crate::mask::Mask;

/// The bytes that wait in a [`SendBuffer`], followed by a payload that is written directly from the
/// program's memory.
///
/// It borrows the buffer, so nothing can be queued in between. Dropping it copies the unwritten
/// rest of the payload into the buffer: nothing is lost if a write fails, would block, or is
/// cancelled.
///
/// A client's payload must be masked, so it is copied piece by piece while it is written.
pub struct Unwritten<'m> {
    buffer: &'m mut SendBuffer,
    /// The part that is not yet written or, if `mask` is set, not yet masked into the buffer.
    payload: &'m [u8],
    mask: Option<Mask>,
}

impl SendBuffer {
    /// Only the waiting bytes.
    pub(crate) fn unwritten(&mut self) -> Unwritten<'_> {
        self.unwritten_bytes(&[])
    }

    /// The waiting bytes, then bytes that are already encoded.
    pub(crate) fn unwritten_bytes<'m>(&'m mut self, bytes: &'m [u8]) -> Unwritten<'m> {
        Unwritten { buffer: self, payload: bytes, mask: None }
    }

    /// The waiting bytes, then a frame.
    pub(crate) fn unwritten_frame<'m>(
        &'m mut self,
        header: &FrameHeader,
        payload: &'m [u8],
    ) -> Unwritten<'m> {
        self.extend_from_slice(&header.encode());
        Unwritten { buffer: self, payload, mask: header.masking_key.map(Mask::new) }
    }
}

impl Unwritten<'_> {
    /// Payload length in bytes at which a second slice in a vectored write costs a server less than
    /// a copy: the kernel needs as long to gather two slices as to copy about 8 KiB.
    pub const WORTH_A_PIECE: usize = 8 << 10;
    /// Payload length in bytes at which a write of its own costs less than a copy.
    pub const WORTH_A_WRITE: usize = 32 << 10;
    /// How many bytes are masked at a time: they stay in the cache until they are written.
    const MASK_STEP: usize = 128 << 10;

    /// Returns whether a payload of this length should be written without a copy.
    #[inline]
    pub(crate) const fn is_worth_it(length: usize, role: Role) -> bool {
        match role {
            Role::Server => length >= Self::WORTH_A_PIECE,
            Role::Client => length > Self::MASK_STEP,
        }
    }

    /// Returns whether all is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty() && self.buffer.is_empty()
    }

    /// Returns how many bytes are not yet written, those in the buffer included.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.buffer.buffered_amount().saturating_add(self.payload.len())
    }

    /// Returns whether `least` bytes of payload or more are not yet written. Then it costs less to
    /// write them now than to drop this, which copies them into the buffer, to be written together
    /// with later messages. A compressed payload has been queued already, so it does not count.
    ///
    /// `least` is [`WORTH_A_WRITE`](Self::WORTH_A_WRITE), or for the answer to an event
    /// [`ReceiveBuffer::worth_a_write`](crate::ReceiveBuffer::worth_a_write):
    ///
    /// ```
    /// # use std::io::{self, Write};
    /// # use sansock::{Connection, Event, ReceiveBuffer, SendBuffer};
    /// # fn echo(connection: &mut Connection, input: &mut ReceiveBuffer, output: &mut SendBuffer,
    /// #     transport: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    /// while connection.advance(input, output)? {
    ///     if let Some(Event::Message(message)) = input.event() {
    ///         let unwritten = connection.send_in_place(message, output)?;
    ///         if unwritten.is_worth_a_write(input.worth_a_write()) {
    ///             unwritten.write_to(transport)?;
    ///         }
    ///     }
    /// }
    /// output.write_to(transport)?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn is_worth_a_write(&self, least: usize) -> bool {
        self.payload.len() >= least
    }

    /// Returns the next bytes to write, for a vectored write: the waiting bytes and the payload.
    /// Both are empty only if all is written.
    pub fn slices(&mut self) -> [IoSlice<'_>; 2] {
        if self.buffer.is_empty() {
            self.mask_next();
        }
        let waiting = self.buffer.as_slice();
        // A Pong may have to be sent between the two.
        let is_next = waiting.len() == self.buffer.buffered_amount() && self.mask.is_none();
        let payload = if is_next { self.payload } else { &[] };
        [IoSlice::new(waiting), IoSlice::new(payload)]
    }

    /// Records that the first `n` bytes of [`slices`](Self::slices) were written.
    ///
    /// # Panics
    ///
    /// If `n` is greater than their total length.
    pub fn consume(&mut self, n: usize) {
        let [waiting, payload] = self.slices().map(|slice| slice.len());
        assert!(n <= waiting.saturating_add(payload), "consumed more than slices() held");
        let waiting = waiting.min(n);
        self.buffer.consume(waiting);
        let (_, rest) = self.payload.split_at(n.saturating_sub(waiting));
        self.payload = rest;
    }

    /// Writes once, and returns how many bytes the transport took. Two slices take one vectored
    /// write; a single one takes a plain write, which costs the kernel less.
    ///
    /// # Errors
    ///
    /// The error of the transport; then all still waits.
    pub fn write_once(&mut self, transport: &mut impl Write) -> io::Result<usize> {
        let n = match self.slices() {
            [waiting, payload] if payload.is_empty() => transport.write(&waiting),
            [waiting, payload] if waiting.is_empty() => transport.write(&payload),
            both => transport.write_vectored(&both),
        }?;
        self.consume(n);
        Ok(n)
    }

    /// Writes everything. After an error, including [`io::ErrorKind::WouldBlock`], the rest waits
    /// in the buffer.
    ///
    /// # Errors
    ///
    /// The error of the transport, or [`io::ErrorKind::WriteZero`] if it takes nothing.
    pub fn write_to(mut self, transport: &mut impl Write) -> io::Result<()> {
        while !self.is_empty() {
            match self.write_once(transport) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives up the rest of the payload instead of queueing it, for a connection that is over, and
    /// returns its length in bytes. The peer has got a part of a frame, so nothing more can be sent.
    #[must_use]
    pub fn discard(mut self) -> usize {
        std::mem::take(&mut self.payload).len()
    }

    /// Masks the next part of a client's payload into the buffer.
    fn mask_next(&mut self) {
        let Some(mask) = &mut self.mask else { return };
        let n = self.payload.len().min(Self::MASK_STEP);
        let (step, rest) = self.payload.split_at(n);
        self.buffer.push_masked(step, mask);
        self.payload = rest;
    }
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        if self.mask.is_none() {
            return self.buffer.extend_from_slice(self.payload);
        }
        while !self.payload.is_empty() {
            self.mask_next();
        }
    }
}

impl fmt::Debug for Unwritten<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unwritten")
            .field("buffer", &self.buffer)
            .field("payload", &self.payload.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Opcode;

    /// Takes `step` bytes per write, and fails after `most`.
    struct Pipe {
        bytes: Vec<u8>,
        step: usize,
        most: usize,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.step).min(self.most - self.bytes.len());
            if n == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.bytes.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            assert!(slices.iter().all(|slice| !slice.is_empty()), "a plain write costs less");
            let all = slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<_>>();
            self.write(&all)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A buffer with a Pong among its waiting bytes, and all bytes to be sent: those and the frame.
    fn buffer(header: &FrameHeader, payload: &[u8]) -> (SendBuffer, Vec<u8>) {
        let mut buffer = SendBuffer::new();
        buffer.extend_from_slice(b"before");
        buffer.set_pong(&FrameHeader::new(Opcode::Pong, 2), b"ok");
        buffer.extend_from_slice(b"behind");
        let mut masked = payload.to_vec();
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(&mut masked);
        }
        let all = [b"before\x8a\x02okbehind", &*header.encode(), &*masked].concat();
        (buffer, all)
    }

    #[test]
    fn what_waits_leaves_before_the_payload_and_the_rest_waits_after_an_error() {
        let payload: Vec<u8> = (0..300_000_u32).map(|i| i.to_be_bytes()[3]).collect();
        for masking_key in [None, Some([1, 2, 3, 4])] {
            let header = FrameHeader { masking_key, ..FrameHeader::new(Opcode::Binary, 300_000) };
            for most in [0, 3, 8, 20, 30, 1_000, 140_000, 299_999, usize::MAX] {
                let (mut buffer, all) = buffer(&header, &payload);
                let mut pipe = Pipe { bytes: Vec::new(), step: 70_001, most };
                let written = buffer.unwritten_frame(&header, &payload).write_to(&mut pipe);
                assert_eq!(written.is_ok(), most == usize::MAX);
                pipe.most = usize::MAX;
                buffer.write_to(&mut pipe).unwrap();
                assert!(pipe.bytes == all, "{masking_key:?}, {most}");
            }
        }
    }

    #[test]
    fn what_is_given_up_is_counted_and_not_queued() {
        let payload = vec![7; 200_000];
        for (masking_key, taken) in [(None, 1_000), (Some([1, 2, 3, 4]), Unwritten::MASK_STEP)] {
            let header = FrameHeader { masking_key, ..FrameHeader::new(Opcode::Binary, 200_000) };
            let mut buffer = SendBuffer::new();
            let mut unwritten = buffer.unwritten_frame(&header, &payload);
            unwritten.consume(header.encode().len());
            // Of a payload that is masked, the step that was begun waits in the buffer.
            unwritten.slices();
            unwritten.consume(1_000);
            assert_eq!(unwritten.discard(), 200_000 - taken, "{masking_key:?}");
            assert_eq!(buffer.buffered_amount(), taken - 1_000);
        }
    }

    #[test]
    fn a_payload_that_leaves_whole_is_not_copied() {
        let payload = vec![7; 1 << 20];
        let mut buffer = SendBuffer::new();
        let header = FrameHeader::new(Opcode::Binary, 1 << 20);
        buffer.unwritten_frame(&header, &payload).write_to(&mut Vec::new()).unwrap();
        assert!(buffer.capacity() < 1_000, "{}", buffer.capacity());
    }

    #[test]
    fn bytes_that_are_encoded_are_not_copied() {
        let mut pipe = Pipe { bytes: Vec::new(), step: usize::MAX, most: usize::MAX };
        let mut buffer = SendBuffer::new();
        buffer.unwritten_bytes(b"frame").write_to(&mut pipe).unwrap();
        assert_eq!((pipe.bytes.as_slice(), buffer.capacity()), (&b"frame"[..], 0));
    }

    #[test]
    fn a_transport_that_takes_nothing_is_an_error() {
        let payload = vec![7; 100_000];
        let mut buffer = SendBuffer::new();
        let unwritten =
            buffer.unwritten_frame(&FrameHeader::new(Opcode::Binary, 100_000), &payload);
        assert_eq!(unwritten.remaining(), 100_010);
        assert!(format!("{unwritten:?}").contains("payload: 100000"), "and shows none of it");
        let error = unwritten.write_to(&mut &mut [][..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        assert_eq!(buffer.buffered_amount(), 100_010);
    }

    /// Is interrupted before each write.
    struct Interrupted {
        bytes: Vec<u8>,
        again: bool,
    }

    impl Write for Interrupted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.again = !self.again;
            if self.again {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.bytes.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_write_that_is_interrupted_is_done_again() {
        let header = FrameHeader::new(Opcode::Binary, 5);
        let (mut buffer, all) = buffer(&header, b"Hello");
        let mut transport = Interrupted { bytes: Vec::new(), again: false };
        buffer.unwritten_frame(&header, b"Hello").write_to(&mut transport).unwrap();
        assert_eq!(transport.bytes, all);
    }

    #[test]
    fn a_payload_that_is_masked_in_one_step_is_queued() {
        for (length, role, is_worth_it) in [
            (8_191, Role::Server, false),
            (8_192, Role::Server, true),
            (131_072, Role::Client, false),
            (131_073, Role::Client, true),
        ] {
            assert_eq!(Unwritten::is_worth_it(length, role), is_worth_it, "{length}, {role:?}");
        }
    }

    /// A transport that says that it took more than it was offered would lose a part of the payload.
    #[test]
    fn no_more_than_the_slices_can_be_consumed() {
        let payload = vec![7; 200_000];
        for masking_key in [None, Some([1, 2, 3, 4])] {
            let header = FrameHeader { masking_key, ..FrameHeader::new(Opcode::Binary, 200_000) };
            // Before the Pong, the Pong, behind it, the payload.
            for step in 0..4 {
                let (mut buffer, _) = buffer(&header, &payload);
                let mut unwritten = buffer.unwritten_frame(&header, &payload);
                let offered = |unwritten: &mut Unwritten<'_>| {
                    unwritten.slices().iter().map(|slice| slice.len()).sum::<usize>()
                };
                for _ in 0..step {
                    let n = unwritten.slices()[0].len();
                    unwritten.consume(n);
                }
                let (n, before) = (offered(&mut unwritten) + 1, unwritten.remaining());
                let consume = std::panic::AssertUnwindSafe(|| unwritten.consume(n));
                let consumed = std::panic::catch_unwind(consume);
                assert!(consumed.is_err(), "{masking_key:?}, {step}");
                assert_eq!(unwritten.remaining(), before, "{masking_key:?}, {step}");
            }
        }
    }

    #[test]
    fn the_slices_are_empty_only_when_all_is_written() {
        let payload = vec![7; 200_000];
        let header =
            FrameHeader { masking_key: Some([0; 4]), ..FrameHeader::new(Opcode::Binary, 200_000) };
        let (mut buffer, all) = buffer(&header, &payload);
        let mut unwritten = buffer.unwritten_frame(&header, &payload);
        let mut bytes = Vec::new();
        while !unwritten.is_empty() {
            let n = unwritten.slices().iter().fold(0, |sum, slice| {
                bytes.extend_from_slice(slice);
                sum + slice.len()
            });
            assert!(n > 0);
            unwritten.consume(n);
        }
        assert_eq!(unwritten.slices().map(|slice| slice.len()), [0, 0]);
        assert!(bytes == all);
    }
}
