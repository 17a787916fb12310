//! Both halves of a connection in one.

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
use crate::timer::Timeout;

/// One end of a connection after the opening handshake: both halves, the closing handshake and the
/// timers. It does no I/O and reads no clock; the [crate's page](crate) shows the loop around it.
///
/// The methods are of four kinds: [`advance`](Self::advance), [`receive_eof`](Self::receive_eof) and
/// [`handle_timeout`](Self::handle_timeout) take in what happened; [`send`](Self::send) and its like
/// queue; [`poll_timeout`](Self::poll_timeout) and [`teardown`](Self::teardown) say what to do next;
/// the rest show the state.
///
/// | what happened | [`State`] | [`Outcome`] | [`Teardown`] |
/// |---|---|---|---|
/// | nothing of the following | `Open` | none | `NotYet` |
/// | our Close frame was queued, the peer's is awaited | `Closing` | none | `NotYet` |
/// | Close frames went both ways, on a server | `Closed` | `Clean` | `HalfClose` |
/// | Close frames went both ways, on a client | `Closed` | `Clean` | `AwaitPeer` |
/// | the peer broke the protocol | `Closed` | `Failed` | `HalfClose` |
/// | a time limit of the open connection or of the closing handshake passed | `Closed` | `TimedOut` | `Drop`, now |
/// | the peer ended its side of the transport, with no Close frame before | `Closed` | `Abnormal` | `Drop`, in time |
/// | the peer ended its side of the transport after one of the above | as it was | as it was | `Drop`, in time |
/// | [`Timeouts::closing`](crate::Timeouts::closing) passed since our Close frame, and the peer has not ended its side | as it was | as it was | `Drop`, now |
///
/// "In time" means: what waits may still be written until [`Timeouts::closing`](crate::Timeouts::closing)
/// after our Close frame, or after the end of the transport if there was none.
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    /// Whether messages that arrive after our Close frame are lent.
    lends_after_close: bool,
}

impl Connection {
    /// A server's end of a connection whose opening handshake is done, without extensions.
    ///
    /// An [`Established`](crate::handshake::Established) gives one with what was negotiated.
    #[must_use]
    pub fn server(config: &Config) -> Self {
        Self::new(Sender::server(config), config, None)
    }

    /// A client's end of a connection whose opening handshake is done, without extensions. Each frame
    /// is masked with a fresh key from `masks`.
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

    /// Processes what has arrived up to the next event, which [`ReceiveBuffer::event`] then lends;
    /// `false` if more bytes are needed. A Ping and a Close frame are answered by what is then queued
    /// in `output`.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol or went over a limit. The Close frame that says so was queued;
    /// every later call returns the error again, and discards what has arrived.
    #[inline]
    pub fn advance(
        &mut self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<bool, ProtocolError> {
        loop {
            let advance = self.receiver.process(input);
            // The program now has something to do, and the next bytes lie unread; if not, `note` says so.
            self.sender.note_unread();
            match advance {
                Ok(Advance::Message) if self.discards() => {}
                Ok(Advance::Message) => return Ok(true),
                Ok(Advance::Control) => {
                    self.respond(input, output);
                    return Ok(true);
                }
                Ok(Advance::NeedsBytes) => {
                    self.sender.note_with(|| self.receiver.progress(input));
                    return Ok(false);
                }
                Err(error) => {
                    self.fail(error, input, output);
                    return Err(error);
                }
            }
        }
    }

    /// [`advance`](Self::advance) and [`ReceiveBuffer::event`] in one.
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

    /// Records that the peer ended its side of the transport, or that the transport broke. What waits
    /// may still be written.
    pub fn receive_eof(&mut self) {
        self.sender.receive_eof();
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) at the latest; `None` if nothing
    /// is timed. A moment in the past means now.
    #[inline]
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.sender.poll_timeout()
    }

    /// Takes the time: once at the start, then whenever [`poll_timeout`](Self::poll_timeout) has
    /// passed. To call it more often is more exact, since the connection also learns then since when
    /// the peer is silent.
    ///
    /// It may queue a keepalive Ping, or a Close frame with 1001 for a connection that is idle.
    ///
    /// A deadline for the peer acts at the second look, 100 milliseconds or more after the first one
    /// that found it passed. So what has arrived can be read in between, in whatever order a loop reads
    /// and looks.
    ///
    /// # Errors
    ///
    /// [`Timeout`]: something took too long and the connection is over. A Close frame that says so was
    /// queued. Every later call returns it again.
    pub fn handle_timeout(&mut self, now: Instant, output: &mut SendBuffer) -> Result<(), Timeout> {
        self.sender.handle_timeout(now, output)
    }

    /// Returns where the connection is in its life.
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

    /// Queues the next fragment of a message.
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

    /// Queues a message whose payload, if it is long, is then written from where it lies
    /// ([`Sender::send_in_place`]).
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

    /// [`send_in_place`](Self::send_in_place) of a message that was encoded once for many connections.
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

    /// Queues a Close frame, which starts the closing handshake (7.1.2) and is the last frame that goes
    /// out. A reason needs a code. Messages that the peer sent before its own Close frame are
    /// discarded, as browsers do, unless
    /// [`Config::messages_after_close`](crate::Config::messages_after_close) asks for them.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if one was queued before, [`SendError::ReasonTooLong`] above 123 bytes,
    /// [`SendError::ReasonWithoutCode`].
    pub fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.start_close(code, reason, output)
    }

    /// Records that a Close frame left another way, such as through a second handle of the transport:
    /// nothing more may be sent.
    pub fn mark_closed(&mut self) {
        self.sender.mark_closed();
    }

    /// Records that the program does something else than to read, such as a long write: what the peer has
    /// sent may lie unread, so until [`advance`](Self::advance) has found nothing more its silence says
    /// nothing.
    pub fn note_unread(&mut self) {
        self.sender.note_unread();
    }

    /// Checks that a payload of `length` bytes may be queued behind `waiting` bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::BufferFull`].
    #[inline]
    pub fn check_room(&self, length: usize, waiting: usize) -> Result<(), SendError> {
        self.sender.check_room(length, waiting)
    }

    /// The two halves, for two threads or tasks. The sender keeps the closing handshake and the timers,
    /// and the receiver's thread tells it what happens: [`Sender::note`] before each wait and
    /// [`Sender::note_unread`] behind it, [`Sender::respond`] for each control frame,
    /// [`Sender::fail`], [`Sender::receive_eof`]. The receiver lends messages whatever the sender has sent.
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
    fn fail(&mut self, error: ProtocolError, input: &mut ReceiveBuffer, output: &mut SendBuffer) {
        self.sender.fail(error, output);
        self.sender.note(self.receiver.progress(input));
    }
}
