//! A whole connection: receiver and sender together.

use std::time::Instant;

use crate::buffer::{ReceiveBuffer, SendBuffer, Unwritten};
use crate::close::CloseCode;
use crate::closing::{Outcome, State, Teardown};
use crate::config::{Config, Role};
use crate::deflate::NegotiatedDeflate;
use crate::error::{ProtocolError, SendError};
use crate::event::Event;
use crate::mask::MaskSource;
use crate::message::{AsMessage, OutgoingMessage};
use crate::receiver::{Advance, Receiver};
use crate::sender::{EncodedMessage, Sender};
use crate::timeouts::Timeout;

/// One end of a connection after the opening handshake: both halves, the closing handshake and the
/// timers. It does no I/O and reads no clock; the [crate's page](crate) shows the loop around it.
///
/// There are four kinds of methods: [`advance`](Self::advance), [`receive_eof`](Self::receive_eof)
/// and [`handle_timeout`](Self::handle_timeout) process what happened; [`send`](Self::send) and
/// similar methods queue frames; [`poll_timeout`](Self::poll_timeout) and
/// [`teardown`](Self::teardown) say what to do next; the others show the state.
///
/// | what happened | [`State`] | [`Outcome`] | [`Teardown`] |
/// |---|---|---|---|
/// | none of the following | `Open` | none | `NotYet` |
/// | our Close frame was queued, the peer's is awaited | `Closing` | none | `NotYet` |
/// | Close frames went both ways, on a server | `Closed` | `Clean` | `HalfClose` |
/// | Close frames went both ways, on a client | `Closed` | `Clean` | `AwaitPeer` |
/// | the peer broke the protocol | `Closed` | `Failed` | `HalfClose` |
/// | the keepalive, message or closing timeout passed | `Closed` | `TimedOut` | `Drop`, now |
/// | the idle timeout passed: our Close frame with 1001 was queued | `Closing` | none | `NotYet` |
/// | the peer ended its side of the transport, with no Close frame before | `Closed` | `Abnormal` | `Drop`, in time |
/// | the peer ended its side of the transport after one of the above | as it was | as it was | `Drop`, in time |
/// | [`Timeouts::closing`](crate::Timeouts::closing) passed since our Close frame, and the peer has not ended its side | as it was | as it was | `Drop`, now |
///
/// "In time" means: bytes that wait may still be written. The time for it,
/// [`Timeouts::closing`](crate::Timeouts::closing), starts with our Close frame, or with the end of
/// the transport if there was no Close frame.
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    /// [`Config::messages_after_close`].
    lends_after_close: bool,
}

impl Connection {
    /// Creates the server's end of a connection whose opening handshake is done, without
    /// extensions.
    ///
    /// [`Established`](crate::handshake::Established) creates one with the negotiated extensions.
    #[must_use]
    pub fn server(config: &Config) -> Self {
        Self::new(Sender::server(config), config, None)
    }

    /// Creates the client's end of a connection whose opening handshake is done, without
    /// extensions. Each frame is masked with a fresh key from `masks` (RFC 6455, 5.3).
    #[must_use]
    pub fn client(config: &Config, masks: impl MaskSource + 'static) -> Self {
        Self::new(Sender::client(config, masks), config, None)
    }

    pub(crate) fn new(
        sender: Sender,
        config: &Config,
        deflate: Option<&NegotiatedDeflate>,
    ) -> Self {
        let role = sender.role();
        Self {
            receiver: Receiver::new(role, config).with_inflate(deflate.map(|it| it.inflate(role))),
            sender: sender.with_deflate(deflate.and_then(|it| it.deflate(role))),
            lends_after_close: config.messages_after_close,
        }
    }

    /// Processes the bytes that have arrived up to the next event, and returns whether there is
    /// one. [`ReceiveBuffer::event`] then lends it; `false` means that more bytes are needed. The
    /// answer to a Ping or a Close frame is queued in `output`.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if the peer broke the protocol or exceeded a limit. The Close frame that
    /// says so was queued; every later call returns the error again, and discards what has arrived.
    #[inline]
    pub fn advance(
        &mut self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<bool, ProtocolError> {
        loop {
            let advance = self.receiver.process(input);
            // The program now has something to do, and the next bytes lie unread; if not, `note`
            // says so.
            self.sender.note_unread();
            match advance {
                Advance::Message if self.discards() => {}
                Advance::Message => return Ok(true),
                Advance::Control => {
                    self.respond(input, output);
                    return Ok(true);
                }
                Advance::NeedsBytes => {
                    self.sender.note_with(|| self.receiver.progress(input));
                    return Ok(false);
                }
                Advance::Failed => return self.fail(input, output),
            }
        }
    }

    /// Processes what has arrived and returns the next event: [`advance`](Self::advance) and
    /// [`ReceiveBuffer::event`] in one call. `None` means that more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], as [`advance`](Self::advance) returns it.
    #[inline]
    pub fn next_event<'b>(
        &mut self,
        input: &'b mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        Ok(if self.advance(input, output)? { input.event() } else { None })
    }

    /// Records that the peer ended its side of the transport, or that the transport broke. Bytes
    /// that wait may still be written.
    pub fn receive_eof(&mut self) {
        self.sender.receive_eof();
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) at the latest; `None` if
    /// nothing is timed. A moment in the past means now.
    #[inline]
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.sender.poll_timeout()
    }

    /// Checks the timers. Call it once at the start, then whenever
    /// [`poll_timeout`](Self::poll_timeout) has passed. More calls make the timers more exact,
    /// because each call also records whether the peer has been silent.
    ///
    /// It may queue a keepalive Ping, or a Close frame with 1001 for an idle connection.
    ///
    /// A deadline for the peer takes effect only at a second call, at least 100 milliseconds after
    /// the first call that found it passed. In between the loop can read what has already arrived,
    /// so the order of reading and checking does not matter.
    ///
    /// # Errors
    ///
    /// [`Timeout`] if something took too long: the connection is over. A Close frame that says so
    /// was queued, unless one was queued before. Every later call returns the error again.
    ///
    /// If the connection was over before, [`outcome`](Self::outcome) stays as it is, and a deadline
    /// that passes shows only in [`teardown`](Self::teardown).
    pub fn handle_timeout(&mut self, now: Instant, output: &mut SendBuffer) -> Result<(), Timeout> {
        self.sender.handle_timeout(now, output)
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.sender.state()
    }

    /// Returns what to do with the transport.
    #[inline]
    #[must_use]
    pub fn teardown(&self) -> Teardown {
        self.sender.teardown()
    }

    /// Returns how the connection ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.sender.outcome()
    }

    /// Returns the code of our Close frame, once one was queued: 1005, as in the API of browsers, for
    /// one without a code. [`outcome`](Self::outcome) has the peer's.
    ///
    /// ```
    /// use sansock::{CloseCode, Config, Connection, SendBuffer};
    /// let (mut connection, mut output) = (Connection::server(&Config::new()), SendBuffer::new());
    /// assert_eq!(connection.close_sent(), None);
    /// connection.start_close(CloseCode::GOING_AWAY, "", &mut output)?;
    /// assert_eq!(connection.close_sent(), Some(1001));
    /// # Ok::<(), sansock::SendError>(())
    /// ```
    #[must_use]
    pub fn close_sent(&self) -> Option<u16> {
        self.sender.close_sent()
    }

    /// Returns which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.sender.role()
    }

    /// Queues a message in one frame.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`] or [`SendError::BufferFull`]; then
    /// nothing was queued.
    #[inline]
    pub fn send(
        &mut self,
        message: impl AsMessage,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.send(message, output)
    }

    /// Queues the next fragment of a message; `fin` marks the last one. Text may be cut only where
    /// `&str` can be.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::KindChanged`] or [`SendError::BufferFull`]; then nothing
    /// was queued.
    pub fn send_fragment(
        &mut self,
        fragment: impl AsMessage,
        fin: bool,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_fragment(fragment, fin, output)
    }

    /// Queues a message without copying a long payload: the returned [`Unwritten`] writes the
    /// payload directly from `message` ([`Sender::send_in_place`]).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`] or [`SendError::BufferFull`]; then
    /// nothing was queued.
    pub fn send_in_place<'m>(
        &mut self,
        message: impl Into<OutgoingMessage<'m>>,
        output: &'m mut SendBuffer,
    ) -> Result<Unwritten<'m>, SendError> {
        self.sender.send_in_place(message, output)
    }

    /// Queues a message that was encoded once for many connections, without copying a long payload,
    /// as [`send_in_place`](Self::send_in_place) does.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`] or [`SendError::BufferFull`]; then
    /// nothing was queued.
    pub fn send_encoded_in_place<'m>(
        &mut self,
        message: &'m EncodedMessage,
        output: &'m mut SendBuffer,
    ) -> Result<Unwritten<'m>, SendError> {
        self.sender.send_encoded_in_place(message, output)
    }

    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`] or [`SendError::BufferFull`]; then
    /// nothing was queued.
    pub fn send_encoded(
        &mut self,
        message: &EncodedMessage,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_encoded(message, output)
    }

    /// Queues a Ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::ControlTooLong`] or [`SendError::BufferFull`].
    pub fn ping(&mut self, payload: &[u8], output: &mut SendBuffer) -> Result<(), SendError> {
        self.sender.ping(payload, output)
    }

    /// Queues an unsolicited Pong, with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::ControlTooLong`] or [`SendError::BufferFull`].
    pub fn pong(&mut self, payload: &[u8], output: &mut SendBuffer) -> Result<(), SendError> {
        self.sender.pong(payload, output)
    }

    /// Queues a Close frame, which starts the closing handshake (7.1.2). It is the last frame that
    /// is sent. A reason needs a code. Messages that the peer still sends before its own Close
    /// frame are discarded, as browsers do, unless
    /// [`Config::messages_after_close`](crate::Config::messages_after_close) is set.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if a Close frame was queued before, [`SendError::ReasonTooLong`] if
    /// the reason has more than 123 bytes, [`SendError::ReasonWithoutCode`].
    pub fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.start_close(code, reason, output)
    }

    /// Records that a Close frame was sent in another way, such as through a second handle of the
    /// transport. Nothing more may be sent.
    pub fn mark_closed(&mut self) {
        self.sender.mark_closed();
    }

    /// Records that the program does not read at the moment, for example during a long write. Bytes
    /// of the peer may lie unread, so its silence does not count until [`advance`](Self::advance)
    /// has found nothing more.
    pub fn note_unread(&mut self) {
        self.sender.note_unread();
    }

    /// Checks whether a payload of `length` bytes may be queued when `waiting` bytes wait already.
    ///
    /// # Errors
    ///
    /// [`SendError::BufferFull`] if both together exceed
    /// [`Limits::buffered`](crate::Limits::buffered).
    #[inline]
    pub fn check_room(&self, length: usize, waiting: usize) -> Result<(), SendError> {
        self.sender.check_room(length, waiting)
    }

    /// Returns whether a fragmented message of ours is in progress: until its last fragment is
    /// queued, whole messages are refused with [`SendError::MessageInProgress`].
    #[must_use]
    pub const fn is_message_in_progress(&self) -> bool {
        self.sender.is_message_in_progress()
    }

    /// Splits the connection into two halves, for two threads or tasks. The sender keeps the
    /// closing handshake and the timers. The thread that reads must report to it: [`Sender::note`]
    /// before each wait and [`Sender::note_unread`] after it, [`Sender::respond`] for each control
    /// frame, [`Sender::fail`] and [`Sender::receive_eof`]. The receiver also lends messages that
    /// arrive after the sender's Close frame.
    #[must_use]
    pub fn split(self) -> (Receiver, Sender) {
        (self.receiver, self.sender)
    }

    /// Whether messages that arrive are passed over, since a Close frame of ours was queued.
    #[inline]
    fn discards(&self) -> bool {
        self.sender.is_closed() && !self.lends_after_close
    }

    /// Answers a control frame.
    #[cold]
    fn respond(&mut self, input: &ReceiveBuffer, output: &mut SendBuffer) {
        if let Some(event) = input.event() {
            self.sender.respond(&event, output);
        }
    }

    #[cold]
    fn fail(
        &mut self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<bool, ProtocolError> {
        let Some(error) = self.receiver.failure() else { return Ok(false) };
        self.sender.fail(error, output);
        self.sender.note(self.receiver.progress(input));
        Err(error)
    }
}
