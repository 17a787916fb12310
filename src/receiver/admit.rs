//! Which frame may come now (RFC 6455, 5.1, 5.2 and 5.4), and the limits.

use super::Receiver;
use crate::config::Role;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, MASK, Opcode, RSV1, RSV2_RSV3};
use crate::message::MessageKind;

impl Receiver {
    /// Whether a frame with this first byte, opcode and mask may come now. `masked` is `None` while
    /// it is not known.
    #[inline]
    pub(super) fn admit(
        &self,
        first: u8,
        opcode: Opcode,
        masked: Option<bool>,
    ) -> Result<(), ProtocolError> {
        // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values"
        // (5.2) "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and
        // non-first fragments of a data message." (RFC 7692, 6.1)
        let reserved = match opcode {
            Opcode::Text | Opcode::Binary if self.inflate.is_some() => RSV2_RSV3,
            _ => RSV1 | RSV2_RSV3,
        };
        if first & reserved != 0 {
            return Err(ProtocolError::ReservedBits(first));
        }
        // Fragments "MUST NOT be interleaved" with those of another message (5.4).
        match (opcode, self.message) {
            (Opcode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(ProtocolError::ExpectedContinuation);
            }
            _ => {}
        }
        match (self.role, masked) {
            // "The server MUST close the connection upon receiving a frame that is not masked."
            // (5.1)
            (Role::Server, Some(false)) => Err(ProtocolError::Unmasked),
            // "A client MUST close a connection if it detects a masked frame." (5.1)
            (Role::Client, Some(true)) => Err(ProtocolError::Masked),
            _ => Ok(()),
        }
    }

    /// Judges a header that is wrong or not complete as if its bytes had come one by one: an error
    /// shows with the first byte that tells, and is the same however the bytes were cut.
    #[cold]
    pub(super) fn admit_bytes(&self, arrived: &[u8]) -> Result<(), ProtocolError> {
        let Some(&first) = arrived.first() else { return Ok(()) };
        for length in 1..=FrameHeader::MAX_LEN {
            let Some(shown) = arrived.get(..length) else { break };
            FrameHeader::decode(shown)?;
            let masked = shown.get(1).map(|second| second & MASK != 0);
            self.admit(first, Opcode::try_from(first & 0x0F)?, masked)?;
        }
        Ok(())
    }

    /// Counts a data frame into its message and holds both to the limits: before any memory is
    /// taken, and with sums that cannot wrap.
    #[inline]
    pub(super) fn count(&mut self, header: &FrameHeader) -> Result<MessageKind, ProtocolError> {
        let kind = match self.message {
            Some(kind) => kind,
            None => self.begin(header),
        };
        let limit = self.max_frame;
        if header.payload_len > limit {
            return Err(ProtocolError::FrameTooLarge { length: header.payload_len, limit });
        }
        let limit = self.max_message;
        if self.inflates() {
            // What comes out counts too, as it does.
            self.count_compressed(header.payload_len)?;
        } else {
            match self.length.checked_add(header.payload_len) {
                Some(length) if length <= limit => self.length = length,
                _ => return Err(ProtocolError::MessageTooLarge { limit }),
            }
        }
        let limit = self.max_fragments;
        if self.fragments >= limit {
            return Err(ProtocolError::TooManyFragments { limit });
        }
        self.fragments = self.fragments.saturating_add(1);
        Ok(kind)
    }

    /// Counts the payload of a compressed frame. Blocks without data inflate to nothing, so the
    /// compressed bytes have a limit of their own, which leaves room for what a compressor adds to
    /// data that it cannot compress, and for many flushes.
    fn count_compressed(&mut self, length: u64) -> Result<(), ProtocolError> {
        let limit = self.max_message;
        let most = limit.saturating_add(limit >> 3).saturating_add(256 << 10);
        self.compressed_length = self.compressed_length.saturating_add(length);
        if self.compressed_length > most {
            return Err(ProtocolError::MessageTooLarge { limit });
        }
        Ok(())
    }

    /// Begins a message of the type that its first frame's opcode says.
    #[inline]
    pub(super) fn begin(&mut self, header: &FrameHeader) -> MessageKind {
        let text = header.opcode == Opcode::Text;
        let kind = if text { MessageKind::Text } else { MessageKind::Binary };
        self.message = Some(kind);
        (self.length, self.compressed_length, self.fragments) = (0, 0, 0);
        self.begun = self.begun.wrapping_add(1);
        // RSV1 is the "Per-Message Compressed" bit (RFC 7692, 6).
        self.compressed = header.rsv1;
        kind
    }
}
