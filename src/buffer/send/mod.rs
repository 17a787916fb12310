//! Bytes that wait to be sent.
#![expect(
    clippy::inline_always,
    reason = "inlined into the caller: a few calls are all that a short message costs"
)]

mod deflate;
mod frame;
mod position;
mod unwritten;

pub use unwritten::Unwritten;

use std::fmt;
use std::io::{self, Write};

use super::copy::copy;
use super::queue::ByteQueue;
use crate::frame::FrameHeader;
use crate::mask::Mask;

/// Bytes that wait for the transport. A partial write moves a cursor, not the bytes.
///
/// A program writes [`as_slice`](Self::as_slice) to its transport and calls
/// [`consume`](Self::consume) with the number of bytes written, until [`is_empty`](Self::is_empty).
/// Or it calls [`write_to`](Self::write_to).
#[derive(Default)]
pub struct SendBuffer {
    /// All bytes except the Pong.
    bytes: ByteQueue,
    /// The waiting Pong. Boxed and allocated at the first Ping: most connections see none.
    pong: Option<Box<WaitingPong>>,
    /// How many bytes were written, modulo 2^32.
    written: u32,
    /// How many of them are a Pong's, with the rest of one that is half written, modulo 2^32.
    pongs: u32,
    /// In a [`SendQueue`](super::send_queue::SendQueue): how many bytes are written before these.
    ahead: usize,
    /// How many bytes were written or waited when the timers were last checked, modulo 2^32. It
    /// belongs to the buffer: the next check of a connection may come with another one.
    checked: u32,
}

/// "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous
/// Ping frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed
/// Ping frame." (RFC 6455, 5.5.3) So the waiting Pong is kept apart from the other bytes: a newer
/// one replaces it, and a flood of Pings costs no memory.
struct WaitingPong {
    /// Its position in the queue: before this position of `bytes`.
    at: usize,
    /// The encoded frame; nothing waits if this is 0.
    length: usize,
    frame: [u8; WaitingPong::MAX],
}

const CONSUMED_TOO_MUCH: &str = "consumed more than as_slice() held";

impl WaitingPong {
    /// Header of two bytes, masking key, payload.
    const MAX: usize = 2 + 4 + FrameHeader::MAX_CONTROL;

    const fn new() -> Self {
        Self { at: 0, length: 0, frame: [0; Self::MAX] }
    }

    fn as_slice(&self) -> &[u8] {
        self.frame.get(..self.length).unwrap_or_default()
    }
}

impl SendBuffer {
    /// From this number of bytes on the buffer grows by an eighth and not to the double: what a
    /// slow peer costs is what waits for it, and little more.
    pub(super) const LARGE: usize = 1 << 20;

    /// Creates an empty buffer; it allocates when something is queued.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: ByteQueue::new(), pong: None, written: 0, pongs: 0, ahead: 0, checked: 0 }
    }

    /// Returns the next bytes to write: empty only if nothing waits. More may follow them.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.pong {
            None => self.bytes.as_slice(),
            Some(pong) => self.as_slice_with(pong),
        }
    }

    /// Consumes the first `n` bytes of [`as_slice`](Self::as_slice), which were written.
    ///
    /// # Panics
    ///
    /// If `n` is greater than its length.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        if self.pong.is_some() {
            return self.consume_with_pong(n);
        }
        // Most connections never see a Ping.
        let waiting = self.bytes.len();
        assert!(n <= waiting, "{CONSUMED_TOO_MUCH}");
        self.count(n);
        if n == waiting {
            self.bytes.restart(0);
        } else {
            self.bytes.consume(n);
        }
    }

    /// Returns the number of waiting bytes, headers and masking keys included.
    #[inline]
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        // Lengths of memory that exists at the same time: the sum cannot overflow.
        self.bytes.len().wrapping_add(self.waiting_pong().map_or(0, |pong| pong.length))
    }

    /// Returns whether nothing waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.waiting_pong().is_none()
    }

    /// Returns how many bytes wait, those of a batch in flight included.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.ahead.wrapping_add(self.buffered_amount())
    }

    /// Returns how many bytes were written, modulo 2^32, and whether bytes that waited at the last
    /// call still wait. The bytes of a batch in flight count too.
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32")]
    pub(crate) fn check_written(&mut self) -> (u32, bool) {
        let waiting = self.waiting() as u32;
        let end = self.written.wrapping_add(waiting);
        let rest = std::mem::replace(&mut self.checked, end).wrapping_sub(self.written);
        // A Pong that was replaced by a shorter one may have been counted, so `waiting` decides too.
        (self.written, waiting > 0 && (1..=u32::MAX / 2).contains(&rest))
    }

    /// Records that `n` bytes of a batch were written and that `ahead` bytes of it wait.
    pub(super) fn set_ahead(&mut self, n: usize, ahead: usize) {
        self.count(n);
        // As no memory is longer, sums with other lengths cannot overflow.
        self.ahead = ahead.min(isize::MAX.unsigned_abs());
    }

    /// Swaps the waiting bytes and the memory.
    pub(super) fn swap_bytes(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.bytes, &mut other.bytes);
        std::mem::swap(&mut self.pong, &mut other.pong);
    }

    #[inline]
    fn count(&mut self, n: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32")]
        let n = n as u32;
        self.written = self.written.wrapping_add(n);
    }

    /// Writes once, and returns how many bytes the transport took. Use it to look at the clock
    /// between writes, or if the transport does not block.
    ///
    /// # Errors
    ///
    /// The transport's; then everything still waits.
    #[inline(always)]
    pub fn write_once(&mut self, transport: &mut impl Write) -> io::Result<usize> {
        let waiting = self.as_slice();
        let all = waiting.len();
        let n = transport.write(waiting)?;
        if n == all && self.pong.is_none() {
            // The usual case.
            self.count(all);
            self.bytes.restart(0);
        } else {
            self.consume(n);
        }
        Ok(n)
    }

    /// Writes all waiting bytes, in as many writes as necessary. After an error, including
    /// [`io::ErrorKind::WouldBlock`], the bytes that were not written still wait.
    ///
    /// # Errors
    ///
    /// The error of the transport, or [`io::ErrorKind::WriteZero`] if it takes nothing.
    #[inline(always)]
    pub fn write_to(&mut self, transport: &mut impl Write) -> io::Result<()> {
        let waiting = self.as_slice();
        let all = waiting.len();
        if all == 0 {
            return Ok(());
        }
        let written = transport.write(waiting);
        if matches!(written, Ok(n) if n == all) && self.pong.is_none() {
            // The usual case.
            self.count(all);
            self.bytes.restart(0);
            return Ok(());
        }
        self.write_rest(written, transport)
    }

    /// Continues after a write that may not have taken all bytes.
    #[inline(never)]
    fn write_rest(
        &mut self,
        mut written: io::Result<usize>,
        transport: &mut impl Write,
    ) -> io::Result<()> {
        loop {
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.consume(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.is_empty() {
                return Ok(());
            }
            written = transport.write(self.as_slice());
        }
    }

    /// Appends bytes that are already encoded, such as an HTTP head.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        copy(self.space_of(bytes.len()), bytes);
        self.bytes.filled(bytes.len());
    }

    /// Returns how many bytes of memory the buffer holds, except the memory of a Pong.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Frees the memory if nothing waits.
    pub fn release(&mut self) {
        if self.is_empty() {
            let Self { written, pongs, ahead, checked, .. } = *self;
            *self = Self { written, pongs, ahead, checked, ..Self::new() };
        }
    }

    /// Queues a Pong; it replaces a Pong that waits.
    pub(crate) fn set_pong(&mut self, header: &FrameHeader, payload: &[u8]) {
        let pong = self.pong.get_or_insert_with(|| Box::new(WaitingPong::new()));
        if pong.length == 0 {
            pong.at = self.bytes.end();
        }
        let encoded = header.encode();
        let length = encoded.len().saturating_add(payload.len());
        // Only an `Event::Ping` made by the program may be too long; one from a peer never is.
        let Some(frame) = pong.frame.get_mut(..length) else { return };
        let (head, body) = frame.split_at_mut(encoded.len());
        head.copy_from_slice(&encoded);
        match header.masking_key {
            Some(key) => Mask::new(key).apply_to(payload, body),
            None => body.copy_from_slice(payload),
        }
        pong.length = length;
    }

    #[inline]
    fn waiting_pong(&self) -> Option<&WaitingPong> {
        self.pong.as_deref().filter(|pong| pong.length > 0)
    }

    /// [`as_slice`](Self::as_slice) on a connection that has seen a Ping.
    fn as_slice_with<'a>(&'a self, pong: &'a WaitingPong) -> &'a [u8] {
        if pong.length == 0 {
            self.bytes.as_slice()
        } else if pong.at > self.bytes.start() {
            self.bytes.at(self.bytes.start()..pong.at)
        } else {
            pong.as_slice()
        }
    }

    /// [`consume`](Self::consume) on a connection that has seen a Ping.
    #[inline(never)]
    fn consume_with_pong(&mut self, n: usize) {
        assert!(n <= self.as_slice().len(), "{CONSUMED_TOO_MUCH}");
        match self.waiting_pong() {
            Some(pong) if pong.at == self.bytes.start() && n > 0 => self.consume_pong(n),
            _ => self.bytes.consume(n),
        }
        self.count(n);
        if self.is_empty() {
            self.bytes.restart(0);
        }
    }

    /// Returns at least `n` initialised bytes after the waiting ones.
    #[inline]
    fn space(&mut self, n: usize) -> &mut [u8] {
        if self.bytes.spare_mut().len() < n {
            return self.grow(n);
        }
        self.bytes.spare_mut()
    }

    /// Returns `n` initialised bytes after the waiting ones.
    #[inline]
    fn space_of(&mut self, n: usize) -> &mut [u8] {
        self.space(n);
        self.bytes.spare_of(n)
    }

    #[cold]
    fn grow(&mut self, n: usize) -> &mut [u8] {
        let (written, waiting) = (self.bytes.start(), self.bytes.len());
        // Moved only if no more bytes wait than were written, so each byte moves at most once. In a
        // large buffer, which a slow peer makes, memory counts more: there each moves up to eight
        // times.
        if waiting <= written || (waiting > Self::LARGE && waiting / 8 <= written) {
            self.move_to_front();
        }
        let needed = self.bytes.end().saturating_add(n);
        if self.bytes.room() >= needed {
            return self.bytes.spare_mut();
        }
        if needed > Self::LARGE {
            self.bytes.grow_exact(needed.saturating_add(needed / 8));
        } else {
            self.bytes.grow(needed.max(self.bytes.room().saturating_mul(2)).max(256));
        }
        self.bytes.spare_mut()
    }

    fn move_to_front(&mut self) {
        let written = self.bytes.start();
        self.bytes.move_to(0);
        if let Some(pong) = &mut self.pong {
            pong.at = pong.at.saturating_sub(written);
        }
    }

    /// Frees memory of a large buffer that is no longer needed for the waiting bytes.
    pub(super) fn shrink(&mut self) {
        let waiting = self.bytes.len();
        if self.bytes.capacity() > Self::LARGE.max(waiting.saturating_add(waiting / 4)) {
            self.move_to_front();
            self.bytes.shrink();
        }
    }
}

impl fmt::Debug for SendBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuffer")
            .field("buffered_amount", &self.buffered_amount())
            .field("capacity", &self.bytes.capacity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
