//! Both halves and the closing handshake (RFC 6455, 7).

use std::time::Instant;

use crate::buffer::{ReceiveBuffer, SendBuffer, What};
use crate::close::CloseCode;
use crate::config::{Config, Role};
use crate::deflate::NegotiatedDeflate;
use crate::error::{ProtocolError, SendError};
use crate::event::{Event, MessageKind, OutgoingMessage};
use crate::frame::FrameHeader;
use crate::mask::MaskSource;
use crate::receiver::Receiver;
use crate::sender::{EncodedMessage, Sender};
use crate::timer::{Observed, Timeout, Timers};

/// Where the connection is in its life (RFC 6455, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// A Close frame went one way: "_The WebSocket Closing Handshake is Started_" (7.1.3).
    Closing,
    /// Close frames went both ways, or the connection failed, or its transport ended.
    Closed,
}

/// What to do with the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Read and write.
    Open,
    /// Write what waits, then read until the peer ends its side, and discard what comes: the server
    /// closes the TCP connection first (7.1.1), so a client waits for that.
    AwaitClose,
    /// Write what waits, end our side (half-close), read and discard for a bounded time until the
    /// peer ends its side, then drop. To drop at once while bytes of the peer are unread makes TCP
    /// send a reset, and the peer may lose our last words.
    Close,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The closing handshake was completed. The peer's code; `None` if it gave none (1005).
    Clean(Option<CloseCode>),
    /// The transport ended without the peer's Close frame (1006).
    Abnormal,
    /// The peer broke the protocol or went over a limit.
    Failed(ProtocolError),
    /// Something took too long.
    TimedOut(Timeout),
}

impl Outcome {
    /// The number that the APIs of browsers show: "_The WebSocket Connection Close Code_" (7.1.5), so
    /// 1005 for a Close frame without a code, and 1006 where none was received.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Clean(Some(code)) => code.get(),
            Self::Clean(None) => 1005,
            _ => 1006,
        }
    }
}

/// One end of a connection after the opening handshake: both halves, the closing handshake and the
/// timers. It does no I/O and reads no clock; the [crate's page](crate) shows the loop around it.
///
/// The methods are of four kinds: [`advance`](Self::advance), [`receive_eof`](Self::receive_eof) and
/// [`handle_timeout`](Self::handle_timeout) take in what happened; [`send`](Self::send) and its like
/// queue; [`poll_timeout`](Self::poll_timeout) and [`transport`](Self::transport) say what to do next;
/// the rest tell the state.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    timers: Timers,
    /// Whether anything is timed between the two handshakes.
    timed: bool,
    heard: bool,
    used: bool,
    outcome: Option<Outcome>,
    /// What took too long.
    expired: Option<Timeout>,
    /// Whether the peer has ended its side of the transport.
    ended: bool,
}

impl Connection {
    pub(crate) fn server(config: &Config, deflate: Option<&NegotiatedDeflate>) -> Self {
        Self::new(Sender::server(config), config, deflate)
    }

    pub(crate) fn client(
        config: &Config,
        deflate: Option<&NegotiatedDeflate>,
        masks: impl MaskSource + 'static,
    ) -> Self {
        Self::new(Sender::client(config, masks), config, deflate)
    }

    fn new(sender: Sender, config: &Config, deflate: Option<&NegotiatedDeflate>) -> Self {
        let role = sender.role();
        Self {
            receiver: Receiver::new(role, config).with_inflate(deflate.map(|it| it.inflate(role))),
            sender: sender.with_deflate(deflate.and_then(|it| it.deflate(role))),
            timers: Timers::new(config.timeouts),
            timed: config.timeouts.time_messages(),
            heard: false,
            used: false,
            outcome: None,
            expired: None,
            ended: false,
        }
    }

    /// Processes what has arrived up to the next event, which [`ReceiveBuffer::event`] then lends;
    /// `false` if more bytes are needed. A Ping and a Close frame are answered by what is then queued
    /// in `output`.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol or went over a limit. The Close frame that tells it was queued;
    /// every later call returns the error again.
    #[inline]
    pub fn advance(
        &mut self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<bool, ProtocolError> {
        self.heard |= input.take_fresh();
        match self.receiver.advance(input) {
            Ok(false) => Ok(false),
            Ok(true) => {
                match input.what() {
                    Some(What::Message(_) | What::Chunk { .. }) => self.used = true,
                    _ => self.respond(input, output),
                }
                Ok(true)
            }
            Err(error) => {
                self.fail(error, output);
                Err(error)
            }
        }
    }

    /// [`advance`](Self::advance) and [`ReceiveBuffer::event`] in one.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance).
    #[inline]
    pub fn next_event<'b>(
        &mut self,
        input: &'b mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        Ok(if self.advance(input, output)? { input.event() } else { None })
    }

    /// Tells that the peer ended its side of the transport, or that the transport broke.
    pub fn receive_eof(&mut self) {
        self.sender.shut();
        self.outcome.get_or_insert(Outcome::Abnormal);
        self.ended = true;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest. A moment that has passed
    /// means now. `None` if nothing is timed.
    #[inline]
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        // Asked before each read, and most connections have nothing timed but their end.
        if self.timed || self.sender.is_closed() { self.poll_timers() } else { None }
    }

    #[inline(never)]
    fn poll_timers(&self) -> Option<Instant> {
        if self.waits() { self.timers.poll(&self.observed()) } else { None }
    }

    /// Tells the time: once at the start, then whenever [`poll_timeout`](Self::poll_timeout) has
    /// passed. More often is more exact, since this is also when the connection learns since when the
    /// peer is silent.
    ///
    /// It may queue a keepalive Ping, or a Close frame with 1001 when the connection is idle.
    ///
    /// # Errors
    ///
    /// Something took too long: the connection is over, and the Close frame that tells was queued.
    /// Every later call returns it again.
    pub fn handle_timeout(&mut self, now: Instant, output: &mut SendBuffer) -> Result<(), Timeout> {
        if let Some(timeout) = self.expired {
            return Err(timeout);
        }
        if !self.waits() {
            return Ok(());
        }
        let observed = self.observed();
        (self.heard, self.used) = (false, false);
        let Some(due) = self.timers.handle(now, &observed) else { return Ok(()) };
        self.sender.act_on(due, output).inspect_err(|&timeout| {
            self.outcome.get_or_insert(Outcome::TimedOut(timeout));
            self.expired = Some(timeout);
        })
    }

    /// Where the connection is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.outcome, self.sender.is_closed() || self.receiver.is_closed()) {
            (Some(_), _) => State::Closed,
            (None, true) => State::Closing,
            (None, false) => State::Open,
        }
    }

    /// What to do with the transport.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match self.outcome {
            None => Transport::Open,
            Some(Outcome::Clean(_)) if self.role() == Role::Client && self.waits() => {
                Transport::AwaitClose
            }
            Some(_) => Transport::Close,
        }
    }

    /// How the connection ended, once it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.sender.role()
    }

    /// Queues a message in one frame.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    #[inline]
    pub fn send<'m>(
        &mut self,
        message: impl Into<OutgoingMessage<'m>>,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.send(message, output).inspect(|()| self.used = true)
    }

    /// Queues the next fragment of a message.
    ///
    /// # Errors
    ///
    /// As [`Sender::send_fragment`].
    pub fn send_fragment<'m>(
        &mut self,
        fragment: impl Into<OutgoingMessage<'m>>,
        fin: bool,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_fragment(fragment, fin, output).inspect(|()| self.used = true)
    }

    /// Starts a frame of a message without its payload.
    ///
    /// # Errors
    ///
    /// As [`Sender::begin`].
    pub fn begin(
        &mut self,
        kind: MessageKind,
        fin: bool,
        payload_len: u64,
    ) -> Result<FrameHeader, SendError> {
        self.sender.begin(kind, fin, payload_len).inspect(|_| self.used = true)
    }

    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// As [`Sender::send_encoded`].
    pub fn send_encoded(
        &mut self,
        message: &EncodedMessage,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_encoded(message, output).inspect(|()| self.used = true)
    }

    /// Queues a Ping.
    ///
    /// # Errors
    ///
    /// As [`Sender::ping`].
    pub fn ping(&mut self, payload: &[u8], output: &mut SendBuffer) -> Result<(), SendError> {
        self.sender.ping(payload, output)
    }

    /// Queues a Pong that nobody asked for.
    ///
    /// # Errors
    ///
    /// As [`Sender::pong`].
    pub fn pong(&mut self, payload: &[u8], output: &mut SendBuffer) -> Result<(), SendError> {
        self.sender.pong(payload, output)
    }

    /// Starts the closing handshake (7.1.2). Messages of the peer still arrive until its Close frame
    /// does.
    ///
    /// # Errors
    ///
    /// As [`Sender::close`].
    pub fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
        output: &mut SendBuffer,
    ) -> Result<(), SendError> {
        self.sender.close(code, reason, output)
    }

    /// The two halves, for two threads. Who takes them answers Pings and Close frames with
    /// [`Sender::respond`] and [`Sender::fail`]; the timers end.
    #[must_use]
    pub fn split(self) -> (Receiver, Sender) {
        (self.receiver, self.sender)
    }

    /// Closes with 1001 unless that has begun: the server shuts down.
    #[cfg(feature = "net")]
    pub(crate) fn go_away(&mut self, output: &mut SendBuffer) {
        self.sender.last_words(CloseCode::GOING_AWAY, output);
    }

    /// A Close frame of ours was written on another way.
    #[cfg(feature = "net")]
    pub(crate) fn has_left(&mut self) {
        self.sender.shut();
    }

    /// [`Timeouts::closing`](crate::Timeouts::closing).
    #[cfg(feature = "net")]
    pub(crate) fn closing_time(&self) -> Option<std::time::Duration> {
        self.timers.timeouts().closing
    }

    /// The halves with their timers.
    #[cfg(feature = "net")]
    pub(crate) fn into_halves(self) -> (Receiver, Sender, Timers) {
        (self.receiver, self.sender, self.timers)
    }

    /// Whether a whole message is to be compressed.
    #[cfg(feature = "net")]
    pub(crate) fn compresses(&self, message: &OutgoingMessage<'_>) -> bool {
        self.sender.compresses(message)
    }

    /// Whether messages that were compressed for many connections may be sent.
    #[cfg(feature = "net")]
    pub(crate) const fn has_deflate(&self) -> bool {
        self.sender.has_deflate()
    }

    /// Whether a payload of `length` bytes may wait behind what waits.
    #[cfg(feature = "net")]
    #[inline]
    pub(crate) fn has_room(&self, length: usize, output: &SendBuffer) -> bool {
        self.sender.check_room(length, output.buffered_amount()).is_ok()
    }

    /// Whether a whole message of `length` bytes may be sent now, behind what waits.
    #[cfg(feature = "net")]
    pub(crate) fn check_whole(&self, length: usize, output: &SendBuffer) -> Result<(), SendError> {
        self.sender.check_whole()?;
        self.sender.check_room(length, output.buffered_amount())
    }

    /// Answers a control frame.
    #[cold]
    fn respond(&mut self, input: &ReceiveBuffer, output: &mut SendBuffer) {
        let Some(event) = input.event() else { return };
        self.sender.respond(&event, output);
        if let Event::Close(close) = event {
            // "Upon either sending or receiving a Close control frame" and the other's: both have
            // happened now, since `respond` has sent ours.
            self.outcome.get_or_insert(Outcome::Clean(close.code));
        }
    }

    #[cold]
    fn fail(&mut self, error: ProtocolError, output: &mut SendBuffer) {
        if self.outcome.is_none() {
            self.sender.fail(error, output);
            self.outcome = Some(Outcome::Failed(error));
        }
    }

    /// Whether anything of the peer is waited for: at the last the end of its side of the transport.
    fn waits(&self) -> bool {
        self.expired.is_none() && !self.ended
    }

    fn observed(&self) -> Observed {
        Observed {
            heard: self.heard,
            used: self.used,
            // One that a Close frame or an error has cut off will not go on.
            message: (self.outcome.is_none() && self.receiver.is_in_message())
                .then(|| self.receiver.begun()),
            closing: self.sender.is_closed(),
        }
    }
}
