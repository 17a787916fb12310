//! Where a message ends in the stream of bytes that are written.

use super::SendBuffer;

impl SendBuffer {
    /// Returns a mark behind what was queued last, for [`is_written`](Self::is_written). A Pong, which
    /// a newer one may replace, does not move it.
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32")]
    #[must_use]
    pub fn position(&self) -> u32 {
        self.written_without_pongs().wrapping_add(self.bytes.len() as u32)
    }

    /// Returns whether all that was queued before this [`position`](Self::position) of the same buffer
    /// is written, if less than 2 GiB wait. While a Pong is half written, what stands right before it
    /// does not count as written.
    #[must_use]
    pub fn is_written(&self, position: u32) -> bool {
        let waiting = position.wrapping_sub(self.written_without_pongs());
        waiting == 0 || waiting > u32::MAX / 2
    }

    const fn written_without_pongs(&self) -> u32 {
        self.written.wrapping_sub(self.pongs)
    }

    /// Records that the transport took `n` bytes of the Pong. Its rest can no longer be replaced,
    /// so it joins the other bytes.
    #[cold]
    pub(super) fn consume_pong(&mut self, n: usize) {
        let Some(mut pong) = self.pong.take() else { return };
        #[expect(clippy::cast_possible_truncation, reason = "131 at most")]
        let length = pong.length as u32;
        self.pongs = self.pongs.wrapping_add(length);
        let (_, rest) = pong.as_slice().split_at(n);
        self.bytes.push_front(rest);
        pong.length = 0;
        self.pong = Some(pong);
    }
}
