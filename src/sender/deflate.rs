//! Compressed messages (RFC 7692, 6.1).

use super::{EncodedMessage, Sender};
use crate::buffer::SendBuffer;
use crate::error::SendError;
use crate::frame::Opcode;
use crate::message::{Compression, Message, OutgoingMessage};

impl Sender {
    /// Returns the compressed frame of a message, if there is one that this peer can inflate.
    pub(super) fn deflated<'m>(&mut self, message: &'m EncodedMessage) -> Option<&'m [u8]> {
        let (Some(deflate), Some(deflated)) = (&mut self.deflate, &message.deflated) else {
            return None;
        };
        deflate.shared(deflated)
    }

    /// Whether a whole message must be compressed.
    #[inline]
    pub(super) fn compresses(&self, message: &OutgoingMessage<'_>) -> bool {
        let Some(deflate) = &self.deflate else { return false };
        match message.compression {
            Compression::Auto => message.len() >= deflate.threshold(),
            Compression::Always => true,
            Compression::Never => false,
        }
    }

    /// Whether a fragment must be compressed: decided by the first fragment.
    #[inline]
    pub(super) fn compresses_fragment(&self, fragment: &OutgoingMessage<'_>, fin: bool) -> bool {
        if self.message.is_some() {
            return self.is_compressing();
        }
        match fragment.compression {
            Compression::Auto if !fin => self.deflate.is_some(),
            _ => self.compresses(fragment),
        }
    }

    /// Whether a compressed message is in progress.
    #[inline]
    pub(super) const fn is_compressing(&self) -> bool {
        self.deflate.is_some() && self.message.is_some() && self.compressed
    }

    /// Queues a whole message, compressed unless that makes it longer.
    pub(super) fn send_deflated(&mut self, outgoing: OutgoingMessage<'_>, buffer: &mut SendBuffer) {
        let OutgoingMessage { message, compression } = outgoing;
        let mut header = self.whole_header(message.kind(), message.len() as u64);
        let Some(deflate) = &mut self.deflate else { return };
        let made = buffer.deflate_behind(deflate, message.as_bytes(), true);
        deflate.end_message();
        let in_vain = made >= message.len() && compression == Compression::Auto;
        if in_vain && deflate.can_send_uncompressed() {
            buffer.push_frame(&header, message.as_bytes());
        } else {
            (header.rsv1, header.payload_len) = (true, made as u64);
            buffer.push_deflated(&header, made);
        }
    }

    /// Queues a fragment of a compressed message.
    pub(super) fn deflate_fragment(
        &mut self,
        fragment: Message<'_>,
        fin: bool,
        buffer: &mut SendBuffer,
    ) -> Result<(), SendError> {
        let mut header = self.next_header(fragment.kind(), fin, 0)?;
        let Some(deflate) = &mut self.deflate else { return Ok(()) };
        let made = buffer.deflate_behind(deflate, fragment.as_bytes(), fin);
        if fin {
            deflate.end_message();
        }
        // "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and
        // non-first fragments of a data message." (RFC 7692, 6.1)
        header.rsv1 = header.opcode != Opcode::Continuation;
        header.payload_len = made as u64;
        self.compressed = true;
        buffer.push_deflated(&header, made);
        Ok(())
    }
}

#[cfg(feature = "deflate")]
impl EncodedMessage {
    /// Encodes a message as one frame, and compresses it once for all connections that negotiated
    /// permessage-deflate, regardless of length. A connection whose server window is smaller than
    /// `config` allows sends it uncompressed, if it is longer than that window.
    ///
    /// With [`ContextTakeover::Allowed`](crate::deflate::ContextTakeover::Allowed) the next message
    /// of the connection cannot refer to earlier ones.
    #[must_use]
    pub fn compressed(
        message: impl crate::message::AsMessage,
        config: &crate::deflate::DeflateConfig,
    ) -> Self {
        let message = message.as_outgoing().message();
        let mut sender =
            Sender::server(&crate::config::Config::new()).with_deflate(Some(config.deflate_once()));
        let mut buffer = SendBuffer::new();
        let sent = sender.send(message.with_compression(Compression::Always), &mut buffer);
        debug_assert!(sent.is_ok(), "nothing else was sent");
        let shared = crate::deflate::SharedDeflate::new(buffer.as_slice(), message.len(), config);
        let mut encoded = Self::new(message);
        encoded.deflated = Some(shared);
        encoded
    }
}
