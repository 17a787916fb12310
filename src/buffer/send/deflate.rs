//! Payload that is compressed into the memory from which it leaves.

use super::SendBuffer;
use crate::deflate::Deflate;
use crate::frame::FrameHeader;
use crate::mask::Mask;

impl SendBuffer {
    /// Compresses the payload of a frame into the memory behind what waits, and gives its length. It is
    /// not part of what waits until [`push_deflated`](Self::push_deflated) has put its header before
    /// it.
    pub(crate) fn deflate_behind(
        &mut self,
        deflate: &mut Deflate,
        mut data: &[u8],
        fin: bool,
    ) -> usize {
        // The least is what a compressor needs to flush.
        let step = data.len().clamp(64, 4 << 10);
        // `end` goes along, so that growing keeps what was made.
        self.space(FrameHeader::MAX_LEN + step);
        self.end += FrameHeader::MAX_LEN;
        let (mut made, mut more) = (0, !data.is_empty());
        while more {
            let space = self.space(step);
            let room = space.len();
            let progress = deflate.deflate(data, space);
            data = &data[progress.taken..];
            self.end += progress.made;
            made += progress.made;
            more = progress.made == room;
        }
        self.end -= FrameHeader::MAX_LEN + made;
        let payload = &mut self.bytes[self.end + FrameHeader::MAX_LEN..];
        match (fin, made) {
            (false, _) => made,
            (true, 0) => {
                payload[0] = Deflate::EMPTY;
                1
            }
            (true, _) => Deflate::without_tail(&payload[..made]),
        }
    }

    /// Appends the frame whose payload of `made` bytes [`deflate_behind`](Self::deflate_behind) has
    /// just made.
    pub(crate) fn push_deflated(&mut self, header: &FrameHeader, made: usize) {
        let encoded = header.encode();
        let frame = &mut self.bytes[self.end..];
        frame.copy_within(FrameHeader::MAX_LEN..FrameHeader::MAX_LEN + made, encoded.len());
        let (head, payload) = frame.split_at_mut(encoded.len());
        head.copy_from_slice(&encoded);
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(&mut payload[..made]);
        }
        self.end += encoded.len() + made;
    }
}
