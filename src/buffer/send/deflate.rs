//! Compressed payload, written directly into the send buffer.

use super::SendBuffer;
use crate::deflate::Deflate;
use crate::frame::FrameHeader;
use crate::mask::Mask;

impl SendBuffer {
    /// Compresses the payload of a frame into the memory after the waiting bytes, and returns its
    /// length. The payload is not queued until [`push_deflated`](Self::push_deflated) has put its
    /// header before it.
    pub(crate) fn deflate_behind(
        &mut self,
        deflate: &mut Deflate,
        mut data: &[u8],
        fin: bool,
    ) -> usize {
        // A compressor needs at least this much room to flush.
        let step = data.len().clamp(64, 4 << 10);
        // Queued temporarily while it is compressed, so that growing the memory keeps it.
        let waiting = self.bytes.len();
        self.space(FrameHeader::MAX_LEN.saturating_add(step));
        self.bytes.filled(FrameHeader::MAX_LEN);
        let mut more = !data.is_empty();
        while more {
            let space = self.space(step);
            let room = space.len();
            let progress = deflate.deflate(data, space);
            data = data.get(progress.taken..).unwrap_or_default();
            self.bytes.filled(progress.made);
            more = progress.made == room;
        }
        let made = self.bytes.truncate(waiting).saturating_sub(FrameHeader::MAX_LEN);
        match (fin, made) {
            (false, _) => made,
            (true, 0) => {
                self.payload_behind(1).fill(Deflate::EMPTY);
                1
            }
            (true, _) => Deflate::without_tail(self.payload_behind(made)),
        }
    }

    /// Appends the frame whose payload of `made` bytes [`deflate_behind`](Self::deflate_behind) has
    /// just made.
    pub(crate) fn push_deflated(&mut self, header: &FrameHeader, made: usize) {
        let encoded = header.encode();
        let space = self.bytes.spare_of(FrameHeader::MAX_LEN.saturating_add(made));
        space.copy_within(FrameHeader::MAX_LEN.., encoded.len());
        let frame = self.bytes.spare_of(encoded.len().saturating_add(made));
        let (head, payload) = frame.split_at_mut(encoded.len());
        head.copy_from_slice(&encoded);
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(payload);
        }
        let length = frame.len();
        self.bytes.filled(length);
    }

    /// The memory for a payload of `length` bytes, after the waiting bytes and the room for a
    /// header.
    fn payload_behind(&mut self, length: usize) -> &mut [u8] {
        let frame = self.bytes.spare_of(FrameHeader::MAX_LEN.saturating_add(length));
        frame.get_mut(FrameHeader::MAX_LEN..).unwrap_or_default()
    }
}
