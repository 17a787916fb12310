//! Messages that are written without a copy into the send buffer.

use super::{EncodedMessage, Sender};
use crate::buffer::{SendBuffer, Unwritten};
use crate::error::SendError;
use crate::message::OutgoingMessage;

impl Sender {
    /// Queues a message without copying a long payload: only the header is queued, and the returned
    /// [`Unwritten`] writes the payload directly from `message`. A short or compressed payload is
    /// queued as [`send`](Self::send) does, because a copy of it costs less than a second slice in
    /// a write.
    ///
    /// ```
    /// use sansock::{Config, SendBuffer};
    /// use sansock::split::Sender;
    ///
    /// let (mut sender, mut buffer) = (Sender::server(&Config::new()), SendBuffer::new());
    /// let mut transport = Vec::new();
    /// let picture = vec![0; 100_000];
    /// sender.send_in_place(&picture, &mut buffer)?.write_to(&mut transport)?;
    /// assert_eq!(transport.len(), 10 + 100_000);
    /// assert!(buffer.capacity() < 1_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`] or [`SendError::BufferFull`]; then
    /// nothing was queued.
    pub fn send_in_place<'m>(
        &mut self,
        message: impl Into<OutgoingMessage<'m>>,
        buffer: &'m mut SendBuffer,
    ) -> Result<Unwritten<'m>, SendError> {
        let message = message.into();
        if !Unwritten::is_worth_it(message.len(), self.role()) || self.compresses(&message) {
            self.send(message, buffer)?;
            return Ok(buffer.unwritten());
        }
        self.check_whole()?;
        self.check_room(message.len(), buffer.waiting())?;
        let message = message.message;
        let header = self.whole_header(message.kind(), message.len() as u64);
        Ok(buffer.unwritten_frame(&header, message.as_bytes()))
    }

    /// Queues a message that was encoded once for many connections, as
    /// [`send_in_place`](Self::send_in_place) does. If nothing waits, a short one is not copied
    /// either: it is a single slice.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`] or [`SendError::BufferFull`]; then
    /// nothing was queued.
    pub fn send_encoded_in_place<'m>(
        &mut self,
        message: &'m EncodedMessage,
        buffer: &'m mut SendBuffer,
    ) -> Result<Unwritten<'m>, SendError> {
        if self.masks.is_some() {
            return self.send_in_place(message.as_message(), buffer);
        }
        self.check_whole()?;
        self.check_room(message.as_bytes().len(), buffer.waiting())?;
        let frame = self.deflated(message).unwrap_or(message.as_bytes());
        self.closing.mark_used();
        if buffer.is_empty() || Unwritten::is_worth_it(frame.len(), self.role()) {
            return Ok(buffer.unwritten_bytes(frame));
        }
        buffer.extend_from_slice(frame);
        Ok(buffer.unwritten())
    }
}
