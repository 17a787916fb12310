//! A message encoded once, for many connections.

use std::sync::Arc;

use crate::deflate::SharedDeflate;
use crate::frame::{FrameHeader, Opcode};
use crate::message::{AsMessage, Message, MessageKind};

/// A message encoded once, for many connections. Clones share the bytes.
///
/// A server's frames are not masked, so the frame is the same for every client (RFC 6455, 5.1).
///
/// ```
/// use sansock::{Config, EncodedMessage, SendBuffer};
/// use sansock::split::Sender;
///
/// let news = EncodedMessage::new("extra, extra");
/// let mut sender = Sender::server(&Config::new());
/// let mut buffer = SendBuffer::new();
/// sender.send_encoded(&news, &mut buffer)?;
/// assert_eq!(buffer.as_slice(), news.as_bytes());
/// # Ok::<(), sansock::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EncodedMessage {
    frame: Arc<[u8]>,
    /// The compressed frame.
    pub(super) deflated: Option<SharedDeflate>,
    kind: MessageKind,
    /// Where the payload starts.
    payload: usize,
}

impl EncodedMessage {
    /// Encodes a message as one frame, without compression.
    #[must_use]
    pub fn new(message: impl AsMessage) -> Self {
        let message = message.as_outgoing().message();
        let opcode = match message.kind() {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        let header = FrameHeader::new(opcode, message.len() as u64).encode();
        let frame = [&header, message.as_bytes()].concat().into();
        Self { frame, deflated: None, kind: message.kind(), payload: header.len() }
    }

    /// Returns the frame, header and payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.frame
    }

    /// Returns how many bytes of memory its frames take, the compressed one included.
    #[must_use]
    pub fn size(&self) -> usize {
        let deflated = self.deflated.as_ref().map_or(0, SharedDeflate::len);
        self.frame.len().saturating_add(deflated)
    }

    /// Returns the message.
    #[must_use]
    pub fn as_message(&self) -> Message<'_> {
        let payload = self.frame.get(self.payload..).unwrap_or_default();
        match self.kind {
            MessageKind::Binary => Message::Binary(payload),
            // The payload was made from a `&str`.
            MessageKind::Text => {
                Message::Text(simdutf8::basic::from_utf8(payload).unwrap_or_default())
            }
        }
    }
}
