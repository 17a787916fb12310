//! Frames that are encoded straight into the send buffer.
#![expect(clippy::inline_always, reason = "a call would cost a tenth of a short message")]

use super::SendBuffer;
use crate::buffer::copy::copy;
use crate::frame::FrameHeader;
use crate::mask::Mask;

impl SendBuffer {
    /// Appends a frame. If its header has a key, the payload is masked while it is copied.
    #[expect(clippy::arithmetic_side_effects, reason = "no slice is so long that the sum wraps")]
    #[inline(always)]
    pub(crate) fn push_frame(&mut self, header: &FrameHeader, payload: &[u8]) {
        let space = self.bytes.spare_mut();
        if space.len() < FrameHeader::MAX_LEN + payload.len() {
            return self.grow_and_push_frame(*header, payload);
        }
        // The header's length has the same two cases, so this costs a short message nothing.
        let end = if header.payload_len > 125 {
            put_frame(space, header, payload, copy)
        } else {
            put_frame(space, header, payload, <[u8]>::copy_from_slice)
        };
        self.bytes.filled(end);
    }

    #[expect(clippy::arithmetic_side_effects, reason = "no slice is so long that the sum wraps")]
    #[cold]
    fn grow_and_push_frame(&mut self, header: FrameHeader, payload: &[u8]) {
        let space = self.grow(FrameHeader::MAX_LEN + payload.len());
        let end = put_frame(space, &header, payload, copy);
        self.bytes.filled(end);
    }

    /// Appends the next bytes of a payload, masked while they are copied.
    pub(super) fn push_masked(&mut self, payload: &[u8], mask: &mut Mask) {
        mask.apply_to(payload, self.space_of(payload.len()));
        self.bytes.filled(payload.len());
    }
}

/// Writes a frame to the start of `space` and returns its length.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the space is the longest header and the payload, and no slice is so long that adding a \
              header's length wraps"
)]
#[inline(always)]
fn put_frame(
    space: &mut [u8],
    header: &FrameHeader,
    payload: &[u8],
    copy: impl FnOnce(&mut [u8], &[u8]),
) -> usize {
    // There is room for the longest header, so the header is encoded in place.
    let Some(start) = space.first_chunk_mut() else { return 0 };
    let at = header.encode_to(start);
    let end = at + payload.len();
    let target = &mut space[at..end];
    match header.masking_key {
        Some(key) => Mask::new(key).apply_to(payload, target),
        None => copy(target, payload),
    }
    end
}
