//! The sending half of a blocking connection.

use std::io::{self, Write};
use std::time::Duration;

use super::Error;
use super::blocking::is_would_block;
use super::core::{Core, count_sent};
use super::write::{Waited, check_timers, wait_for_peer, write_and_wait, write_if_worth_it};
use crate::WritePace;
use crate::buffer::Unwritten;
use crate::{AsMessage, CloseCode, Connection, EncodedMessage, OutgoingMessage, SendBuffer};

/// The sending half of a [`WebSocket`](super::WebSocket). It is lent together with an event, so
/// that a program can answer while it holds the payload.
///
/// `send` is `queue` followed by `flush`. Queued messages are also written before the connection
/// waits for the peer. So a loop that queues its answers writes once for all messages that one read
/// returned.
///
/// If both peers send much before they read, both may block. After the write timeout
/// ([`Server::write_timeout`](super::Server::write_timeout),
/// [`Client::write_timeout`](super::Client::write_timeout)) this is an error. Read in between, or
/// [`split`](super::WebSocket::split) the connection.
#[derive(Debug)]
pub struct Outgoing<S> {
    pub(super) stream: S,
    pub(super) core: Core,
    /// Measures the progress of slow writes. `None` if writes of the transport cannot time out.
    pub(super) pace: Option<WritePace>,
    /// Whether the transport may still hold bytes in a buffer of its own ([`Write::flush`]).
    unflushed: bool,
    /// Whether a write had to wait, so that the peer may have sent something meanwhile.
    pub(super) write_waited: bool,
    /// Whether the write timeout has passed: nothing more is written.
    pub(super) write_timed_out: bool,
    /// The length in bytes from which the next message is written at once and not queued.
    pub(super) worth_a_write: usize,
    /// How many bytes of a message were given up when the write timeout passed.
    lost: usize,
}

impl<S> Outgoing<S> {
    pub(super) fn new(stream: S, connection: Connection, buffer: SendBuffer) -> Self {
        Self {
            stream,
            core: Core::new(connection, buffer),
            pace: None,
            unflushed: true,
            write_waited: false,
            write_timed_out: false,
            worth_a_write: Unwritten::WORTH_A_WRITE,
            lost: 0,
        }
    }
}

impl<S: Write> Outgoing<S> {
    /// Queues a message. It is written with the next [`flush`](Self::flush) or before the next
    /// wait. If there is no room ([`Limits::buffered`](crate::Limits::buffered)), waiting bytes are
    /// written first. Payloads of 32 KiB or more cost less to write than to copy, so they are
    /// written at once; the part that the network does not take within about 100 milliseconds is
    /// queued. For an answer to the last message that has arrived it is 8 KiB
    /// ([`ReceiveBuffer::worth_a_write`](crate::ReceiveBuffer::worth_a_write)).
    ///
    /// Messages still queued when the connection is dropped are lost, except in a handler of a
    /// [`Server`](super::Server), which writes them.
    ///
    /// # Errors
    ///
    /// - [`Error::Send`]: nothing was queued. It is [`BufferFull`](crate::SendError::BufferFull)
    ///   only if the transport would block.
    /// - [`Error::Io`], [`Error::Timeout`]: there was no room and the waiting bytes could not be
    ///   written; nothing was queued. [`Error::Io`] also if the transport failed during a long
    ///   message.
    #[inline]
    pub fn queue(&mut self, message: impl AsMessage) -> Result<(), Error> {
        let message = message.as_outgoing();
        self.make_room(message.len())?;
        if message.len() >= self.worth_a_write {
            return self.queue_in_place(message);
        }
        self.core.connection.send(message, &mut self.core.buffer)?;
        count_sent(self.core.slot.as_ref(), message.len(), true);
        Ok(())
    }

    /// Queues the next fragment of a message, as [`queue`](Self::queue) does; `fin` marks the last
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], [`Error::Io`] or [`Error::Timeout`]; nothing was queued.
    pub fn queue_fragment(&mut self, fragment: impl AsMessage, fin: bool) -> Result<(), Error> {
        let fragment = fragment.as_outgoing();
        self.make_room(fragment.len())?;
        self.core.connection.send_fragment(fragment, fin, &mut self.core.buffer)?;
        count_sent(self.core.slot.as_ref(), fragment.len(), fin);
        Ok(())
    }

    /// Sends a message after all messages queued before. A large payload is not copied unless it is
    /// compressed: it is sent together with its header in one vectored write.
    ///
    /// # Errors
    ///
    /// - [`Error::Send`]: nothing was sent.
    /// - [`Error::Io`]: the unwritten bytes still wait, and the next [`flush`](Self::flush)
    ///   continues with them; do not send the message again. [`io::ErrorKind::TimedOut`]: the peer
    ///   does not read.
    /// - [`Error::Timeout`]: a deadline passed while the peer did not read, and the connection is
    ///   over.
    #[inline]
    pub fn send(&mut self, message: impl AsMessage) -> Result<(), Error> {
        let message = message.as_outgoing();
        self.make_room(message.len())?;
        if message.len() >= Unwritten::WORTH_A_PIECE {
            self.send_in_place(message)?;
        } else {
            self.core.connection.send(message, &mut self.core.buffer)?;
            count_sent(self.core.slot.as_ref(), message.len(), true);
        }
        self.flush_here()
    }

    /// Sends the next fragment of a message after everything queued before; `fin` marks the last
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], [`Error::Io`] or [`Error::Timeout`], as [`send`](Self::send) returns them.
    pub fn send_fragment(&mut self, fragment: impl AsMessage, fin: bool) -> Result<(), Error> {
        self.queue_fragment(fragment, fin)?;
        self.flush()
    }

    /// Sends a message that was encoded once for many connections. A large payload is not copied.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], [`Error::Io`] or [`Error::Timeout`], as [`send`](Self::send) returns them.
    pub fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        self.make_room(message.as_bytes().len())?;
        let Core { connection, buffer, slot } = &mut self.core;
        let unwritten = connection.send_encoded_in_place(message, buffer)?;
        count_sent(slot.as_ref(), message.as_message().len(), true);
        let written = write_and_wait(unwritten, &mut self.stream, connection, self.pace);
        self.wrote_and_waited(written)?;
        self.flush()
    }

    /// Queues a message that was encoded once for many connections, as [`queue`](Self::queue) does.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], [`Error::Io`] or [`Error::Timeout`], as [`queue`](Self::queue) returns
    /// them.
    pub fn queue_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        self.make_room(message.as_bytes().len())?;
        let least = self.take_worth_a_write();
        let Core { connection, buffer, slot } = &mut self.core;
        let unwritten = connection.send_encoded_in_place(message, buffer)?;
        count_sent(slot.as_ref(), message.as_message().len(), true);
        match write_if_worth_it(unwritten, least, &mut self.stream) {
            Some(written) => self.wrote_in_place(written),
            None => Ok(()),
        }
    }

    /// Sends a Ping with a payload of at most 125 bytes. The answer is an
    /// [`Event::Pong`](crate::Event::Pong).
    ///
    /// # Errors
    ///
    /// [`Error::Send`], [`Error::Io`] or [`Error::Timeout`], as [`send`](Self::send) returns them.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.make_room(payload.len())?;
        self.core.connection.ping(payload, &mut self.core.buffer)?;
        self.flush()
    }

    /// Sends an unsolicited Pong, with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], [`Error::Io`] or [`Error::Timeout`], as [`send`](Self::send) returns them.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.make_room(payload.len())?;
        self.core.connection.pong(payload, &mut self.core.buffer)?;
        self.flush()
    }

    /// Sends a Close frame, which starts the closing handshake (RFC 6455, 7.1.2). The connection
    /// then ends with the peer's Close frame. Messages that arrive until then are discarded, unless
    /// [`Config::messages_after_close`](crate::Config::messages_after_close) is set. WebSocket has
    /// no half-close: nothing more can be sent. A reason needs a code.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if a Close frame was sent before or the reason is too long, [`Error::Io`] or
    /// [`Error::Timeout`], as [`send`](Self::send) returns them.
    pub fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.core.connection.start_close(code, reason, &mut self.core.buffer)?;
        self.flush()
    }

    /// Writes everything that was queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: the unwritten bytes still wait. [`Error::Timeout`]: the connection is over.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.flush_here()
    }

    /// Returns how many bytes were accepted for sending and are not passed to the transport.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.core.buffer.buffered_amount().saturating_add(self.lost)
    }

    /// Returns whether nothing more can be sent: a Close frame was sent, or the connection is over.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.core.connection.state() != crate::State::Open
    }

    /// The usual case of [`flush`](Self::flush), inlined into the caller.
    #[expect(clippy::inline_always, reason = "a call would cost a third of a short message")]
    #[inline(always)]
    fn flush_here(&mut self) -> Result<(), Error> {
        if let Some(slot) = &self.core.slot
            && let Some(notice) = slot.must_close()
        {
            // After all accepted messages; from now on nothing more is accepted.
            self.core.close(notice);
        }
        self.write_out()
    }

    /// Writes everything that was queued, and flushes the buffer that the transport may have.
    #[expect(clippy::inline_always, reason = "a call would cost a third of a short message")]
    #[inline(always)]
    pub(super) fn write_out(&mut self) -> Result<(), Error> {
        if !self.core.buffer.is_empty() {
            self.unflushed = true;
            let written = self.core.buffer.write_once(&mut self.stream);
            if written.is_err() || !self.core.buffer.is_empty() {
                self.write_rest(written)?;
            }
        } else if !self.unflushed {
            return Ok(());
        } else if self.lost > 0 {
            // Nothing waits, but not all is written.
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        self.stream.flush()?;
        self.unflushed = false;
        Ok(())
    }

    /// Continues after an incomplete write, and checks the timers when one is due.
    #[cold]
    fn write_rest(&mut self, mut written: io::Result<usize>) -> Result<(), Error> {
        if self.write_timed_out {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        self.write_waited = true;
        let Self { stream, core: Core { connection, buffer, .. }, .. } = self;
        let mut pace = self.pace;
        loop {
            match wait_for_peer(buffer, stream, connection, &mut pace, written)? {
                Waited::Done => return Ok(()),
                Waited::TooSlow(error) => return self.too_slow(error),
                Waited::Due(now) => check_timers(connection, buffer, now)?,
            }
            written = buffer.write_once(stream);
        }
    }

    /// Ends a connection whose peer takes too little.
    #[cold]
    fn too_slow(&mut self, error: io::Error) -> Result<(), Error> {
        (self.write_timed_out, self.unflushed) = (true, true);
        self.core.give_up();
        Err(error.into())
    }

    /// Returns the length in bytes from which a message is written at once. What holds for the answer
    /// to an event holds for one message.
    fn take_worth_a_write(&mut self) -> usize {
        std::mem::replace(&mut self.worth_a_write, Unwritten::WORTH_A_WRITE)
    }

    /// Writes a payload from where it lies, without a flush of the transport. What the transport
    /// does not take within about 100 milliseconds is queued, and so is one that is compressed.
    #[inline(never)]
    fn queue_in_place(&mut self, message: OutgoingMessage<'_>) -> Result<(), Error> {
        let least = self.take_worth_a_write();
        let Core { connection, buffer, slot } = &mut self.core;
        let unwritten = connection.send_in_place(message, buffer)?;
        count_sent(slot.as_ref(), message.len(), true);
        match write_if_worth_it(unwritten, least, &mut self.stream) {
            Some(written) => self.wrote_in_place(written),
            None => Ok(()),
        }
    }

    /// Writes a payload from where it lies, without a flush of the transport.
    #[inline(never)]
    fn send_in_place(&mut self, message: OutgoingMessage<'_>) -> Result<(), Error> {
        let Core { connection, buffer, slot } = &mut self.core;
        let unwritten = connection.send_in_place(message, buffer)?;
        count_sent(slot.as_ref(), message.len(), true);
        let written = write_and_wait(unwritten, &mut self.stream, connection, self.pace);
        self.wrote_and_waited(written)
    }

    /// Continues after [`write_and_wait`].
    fn wrote_and_waited(
        &mut self,
        written: Option<(io::Result<Waited>, usize)>,
    ) -> Result<(), Error> {
        self.unflushed = true;
        let Some((waited, lost)) = written else { return Ok(()) };
        self.write_waited = true;
        match waited? {
            Waited::Done => Ok(()),
            Waited::Due(_) => self.write_out(),
            Waited::TooSlow(error) => {
                self.lost = lost;
                self.too_slow(error)
            }
        }
    }

    /// Continues after a write without a copy, whose rest is queued.
    fn wrote_in_place(&mut self, written: io::Result<usize>) -> Result<(), Error> {
        self.unflushed = true;
        match written {
            Ok(1..) => Ok(()),
            Err(error) if is_would_block(&error) => Ok(()),
            written => self.write_rest(written),
        }
    }

    /// Writes the waiting bytes if a payload of this length has no room after them: this thread
    /// would have to write them anyway.
    #[inline]
    fn make_room(&mut self, length: usize) -> Result<(), Error> {
        let Core { connection, buffer, .. } = &self.core;
        match connection.check_room(length, buffer.buffered_amount()) {
            Ok(()) => Ok(()),
            Err(_) => self.write_for_room(),
        }
    }

    #[cold]
    fn write_for_room(&mut self) -> Result<(), Error> {
        match self.flush() {
            // Without room the message is then refused (`BufferFull`); an `Error::Io` would mean
            // that it was accepted.
            Err(Error::Io(error)) if is_would_block(&error) && !self.write_timed_out => Ok(()),
            result => result,
        }
    }

    /// Sets the time in which a write must make progress ([`WritePace`]).
    pub(super) fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        if self.pace.is_some() {
            self.pace = Some(WritePace::new(timeout));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Limits};

    #[test]
    fn a_full_buffer_is_written_before_more_is_queued() {
        let config = Config::new().limits(Limits::new().buffered(10));
        let connection = Connection::server(&config);
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

    #[test]
    fn a_long_message_is_written_at_once_where_it_lies() {
        let connection = Connection::server(&Config::new());
        let mut outgoing = Outgoing::new(Vec::new(), connection, SendBuffer::new());
        outgoing.queue("short").unwrap();
        outgoing.queue(vec![0; 40_000]).unwrap();
        assert_eq!((outgoing.stream.len(), outgoing.buffered_amount()), (7 + 4 + 40_000, 0));
        assert!(outgoing.core.buffer.capacity() < 1_000);
    }
}
