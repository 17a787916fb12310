//! The sending half of a blocking connection.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use super::Error;
use super::slot::Slot;
use super::stream::is_would_block;
use crate::buffer::SendBuffer;
use crate::close::CloseCode;
use crate::config::Role;
use crate::connection::Connection;
use crate::event::{Message, OutgoingMessage};
use crate::frame::FrameHeader;
use crate::mask::Mask;
use crate::sender::EncodedMessage;

/// The sending half of a [`WebSocket`](super::WebSocket), lent beside an event so that a program can
/// answer while it holds the payload.
///
/// `send` is `queue` and `flush`. What is queued also goes out before the connection waits for the
/// peer, so a loop that queues its answers writes once for all the messages that one read brought.
#[derive(Debug)]
pub struct Outgoing<S> {
    pub(super) stream: S,
    pub(super) connection: Connection,
    pub(super) buffer: SendBuffer,
    /// The place in the server that accepted the connection.
    pub(super) slot: Option<Arc<Slot>>,
    /// Whether the transport has taken bytes that it may still hold ([`Write::flush`]).
    unflushed: bool,
}

/// From this payload on, header and payload leave in one vectored write; below, a copy into the
/// buffer is cheaper: for the kernel to gather two pieces costs as much as to copy some 8 KiB.
pub(super) const WORTH_VECTORED: usize = 8 << 10;
/// A client masks so much at a time: it stays in the cache until it is written.
const MASK_STEP: usize = 128 << 10;

impl<S> Outgoing<S> {
    pub(super) fn new(stream: S, connection: Connection, buffer: SendBuffer) -> Self {
        Self { stream, connection, buffer, slot: None, unflushed: true }
    }
}

impl<S: Write> Outgoing<S> {
    /// Queues a message: it leaves with the next [`flush`](Self::flush) or before the next wait. If
    /// there is no room ([`Limits::buffered`](crate::Limits::buffered)), what waits is written first.
    /// What is queued when the connection is dropped does not leave. To wait, the payload is copied:
    /// a long one, from about 32 KiB on, costs less with [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: nothing was queued. It is
    /// [`BufferFull`](crate::SendError::BufferFull) only if the transport would block. [`Error::Io`]: there
    /// was no room, and the transport is broken.
    #[inline]
    pub fn queue<'m>(&mut self, message: impl Into<OutgoingMessage<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.make_room(message.len())?;
        Ok(self.connection.send(message, &mut self.buffer)?)
    }

    /// Queues the next fragment of a message, as [`queue`](Self::queue) does; `fin` marks the last.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue).
    pub fn queue_fragment<'m>(
        &mut self,
        fragment: impl Into<OutgoingMessage<'m>>,
        fin: bool,
    ) -> Result<(), Error> {
        let fragment = fragment.into();
        self.make_room(fragment.len())?;
        Ok(self.connection.send_fragment(fragment, fin, &mut self.buffer)?)
    }

    /// Sends a message and all that was queued before. A large payload is not copied, unless it is
    /// compressed: it leaves together with its header in one vectored write.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: nothing was sent. [`Error::Io`]: what was not written still waits, and the
    /// next [`flush`](Self::flush) goes on with it; the message must not be sent again.
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<OutgoingMessage<'m>>) -> Result<(), Error> {
        let message = message.into();
        if message.len() >= WORTH_VECTORED && !self.connection.compresses(&message) {
            return self.send_long(message.message);
        }
        self.queue(message)?;
        self.flush_here()
    }

    fn send_long(&mut self, message: Message<'_>) -> Result<(), Error> {
        self.make_room(message.len())?;
        self.connection.check_whole(message.len(), &self.buffer)?;
        let header = self.connection.begin(message.kind(), true, message.len() as u64)?;
        self.unflushed = true;
        write_frame(&mut self.stream, &mut self.buffer, &header, message.as_bytes())?;
        self.flush()
    }

    /// Sends the next fragment of a message and all that was queued before; `fin` marks the last.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_fragment<'m>(
        &mut self,
        fragment: impl Into<OutgoingMessage<'m>>,
        fin: bool,
    ) -> Result<(), Error> {
        self.queue_fragment(fragment, fin)?;
        self.flush()
    }

    /// Sends a message that was encoded once for many connections; a large one is not copied.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        let bytes = message.as_bytes();
        if self.connection.role() == Role::Client {
            return self.send(message.as_message());
        }
        if bytes.len() < WORTH_VECTORED || self.connection.has_deflate() {
            self.queue_encoded(message)?;
            return self.flush();
        }
        self.make_room(bytes.len())?;
        self.connection.check_whole(bytes.len(), &self.buffer)?;
        self.unflushed = true;
        write_behind(&mut self.stream, &mut self.buffer, bytes)?;
        self.flush()
    }

    /// Queues a message that was encoded once for many connections, as [`queue`](Self::queue) does.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue).
    pub fn queue_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        self.make_room(message.as_bytes().len())?;
        Ok(self.connection.send_encoded(message, &mut self.buffer)?)
    }

    /// Sends a Ping with a payload of at most 125 bytes; the answer is an
    /// [`Event::Pong`](crate::Event::Pong).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.make_room(payload.len())?;
        self.connection.ping(payload, &mut self.buffer)?;
        self.flush()
    }

    /// Sends a Pong that nobody asked for.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.make_room(payload.len())?;
        self.connection.pong(payload, &mut self.buffer)?;
        self.flush()
    }

    /// Sends a Close frame, which starts the closing handshake; the peer's messages still arrive
    /// until it answers. A reason needs a code.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.connection.close(code, reason, &mut self.buffer)?;
        self.flush()
    }

    /// Writes what was queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: what was not written still waits.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.flush_here()
    }

    /// [`flush`](Self::flush) for the shortest way out, in the code of its caller.
    #[expect(clippy::inline_always, reason = "a call would cost a third of a short message")]
    #[inline(always)]
    fn flush_here(&mut self) -> Result<(), Error> {
        if let Some(slot) = &self.slot
            && slot.must_leave()
        {
            // Behind all that was accepted for sending; from now on nothing more is.
            self.connection.go_away(&mut self.buffer);
        }
        Ok(self.write_out()?)
    }

    /// Writes what was queued, through whatever buffer the transport may have.
    #[expect(clippy::inline_always, reason = "a call would cost a third of a short message")]
    #[inline(always)]
    pub(super) fn write_out(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() && !self.unflushed {
            return Ok(());
        }
        self.unflushed = true;
        self.buffer.write_to(&mut self.stream)?;
        self.stream.flush()?;
        self.unflushed = false;
        Ok(())
    }

    /// Bytes that were accepted for sending and not yet handed to the transport.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.buffer.buffered_amount()
    }

    /// Writes what waits if a payload of this length has no room behind it: this thread is the one
    /// that would write it anyway.
    #[inline]
    fn make_room(&mut self, length: usize) -> Result<(), Error> {
        if self.connection.has_room(length, &self.buffer) { Ok(()) } else { self.write_for_room() }
    }

    #[cold]
    fn write_for_room(&mut self) -> Result<(), Error> {
        match self.flush() {
            // What has no room now is refused (`BufferFull`); an `Error::Io` would say that it was
            // accepted.
            Err(Error::Io(error)) if is_would_block(&error) => Ok(()),
            result => result,
        }
    }
}

/// Writes what waits and a frame behind it, without a copy of a payload that is not masked. After an
/// error the rest of the frame waits as well: the message was accepted.
pub(super) fn write_frame(
    stream: &mut impl Write,
    buffer: &mut SendBuffer,
    header: &FrameHeader,
    payload: &[u8],
) -> io::Result<()> {
    buffer.push_header(header);
    let Some(key) = header.masking_key else { return write_behind(stream, buffer, payload) };
    let mut mask = Mask::new(key);
    let mut result = Ok(());
    for step in payload.chunks(MASK_STEP) {
        buffer.push_masked(step, &mut mask);
        if result.is_ok() {
            result = buffer.write_to(stream);
        }
    }
    result
}

/// Writes what waits and `bytes` behind it, in one vectored write if the transport takes it. After an
/// error the rest of `bytes` waits.
pub(super) fn write_behind(
    stream: &mut impl Write,
    buffer: &mut SendBuffer,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !(bytes.is_empty() && buffer.is_empty()) {
        let waiting = buffer.as_slice();
        let written = if waiting.len() == buffer.buffered_amount() {
            stream.write_vectored(&[IoSlice::new(waiting), IoSlice::new(bytes)])
        } else {
            stream.write(waiting)
        };
        let error = match written {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(n) => {
                let waited = waiting.len().min(n);
                buffer.advance(waited);
                bytes = bytes.get(n.saturating_sub(waited)..).unwrap_or_default();
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        buffer.extend_from_slice(bytes);
        return Err(error);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Limits};
    use crate::handshake::Established;

    #[test]
    fn a_full_buffer_is_written_before_more_is_queued() {
        let config = Config::new().limits(Limits::new().buffered(10));
        let connection = Established::after_handshake(Role::Server, None).connection(&config);
        let mut outgoing = Outgoing::new(Vec::new(), connection, SendBuffer::new());
        outgoing.queue("Hello").unwrap();
        assert_eq!(outgoing.stream, b"");
        outgoing.queue("world").unwrap();
        assert_eq!(outgoing.stream, b"\x81\x05Hello");
        outgoing.queue_fragment("larger than", false).unwrap();
        assert_eq!(outgoing.stream, b"\x81\x05Hello\x81\x05world");
        outgoing.ping(b"the buffer").unwrap();
        assert_eq!(outgoing.buffered_amount(), 0);
        assert!(outgoing.stream.ends_with(b"\x01\x0blarger than\x89\x0athe buffer"));
    }
}
