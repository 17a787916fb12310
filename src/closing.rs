//! Decides the end of a connection (RFC 6455, 7), for a whole connection and for a split one.

use std::time::Instant;

use crate::close::CloseCode;
use crate::config::Role;
use crate::error::ProtocolError;
use crate::event::Event;
use crate::timeouts::{Timeout, Timeouts};
use crate::timer::{Due, Observed, Peer, Timers};

/// The state of a connection (RFC 6455, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// Our Close frame was queued and the peer's has not arrived: "_The WebSocket Closing Handshake
    /// is Started_" (7.1.3).
    Closing,
    /// Close frames went both ways, or the connection failed, or its transport ended.
    Closed,
}

/// What to do with the transport. In every case the program's loop continues until the answer is
/// [`Drop`](Self::Drop): arriving bytes are read and discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Teardown {
    /// Read and write: the connection is not over.
    NotYet,
    /// Write the waiting bytes, and read until the peer ends its side: "in most normal cases the
    /// TCP connection MUST be closed first by the server" (7.1.1), and this is a client.
    AwaitPeer,
    /// Write the waiting bytes, end our side of the transport (half-close, once), and read until
    /// the peer ends its side. If a transport is dropped while bytes of the peer are unread, TCP
    /// sends a reset, and the peer may lose our Close frame.
    HalfClose,
    /// Drop the transport. Before that, waiting bytes may still be written until the given time;
    /// `None` means that there is no time left for it.
    Drop {
        /// Until when waiting bytes may be written.
        until: Option<Instant>,
    },
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The closing handshake was completed. The fields are those of the peer's Close frame (7.1.5,
    /// 7.1.6).
    Clean {
        /// The peer's code; `None` if its Close frame had none.
        code: Option<CloseCode>,
        /// The peer's reason; empty if its Close frame had none.
        reason: Box<str>,
    },
    /// The transport ended without the peer's Close frame.
    Abnormal,
    /// The peer broke the protocol or exceeded a limit.
    Failed(ProtocolError),
    /// Something took too long.
    TimedOut(Timeout),
}

impl Outcome {
    /// Returns whether the closing handshake was completed: `wasClean` in the API of browsers.
    #[must_use]
    pub const fn was_clean(&self) -> bool {
        matches!(self, Self::Clean { .. })
    }

    /// Returns the number that the API of browsers shows: "_The WebSocket Connection Close Code_"
    /// (7.1.5), so 1005 for a Close frame without a code, and 1006 if none was received.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Clean { code: Some(code), .. } => code.get(),
            Self::Clean { code: None, .. } => 1005,
            _ => 1006,
        }
    }

    /// Returns the reason in the peer's Close frame: "_The WebSocket Connection Close Reason_"
    /// (7.1.6). Empty if there was none.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Clean { reason, .. } => reason,
            _ => "",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clean { code, reason } => {
                let close = crate::close::Close { code: *code, reason };
                write!(f, "closed: {close}")
            }
            Self::Abnormal => f.write_str("the transport ended without a Close frame (1006)"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::TimedOut(timeout) => timeout.fmt(f),
        }
    }
}

/// What a [`Receiver`](crate::split::Receiver) has received so far, for
/// [`Sender::note`](crate::split::Sender::note).
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Whether bytes have arrived since the last progress was taken.
    pub(crate) heard: bool,
    /// How many messages have begun, modulo 2^32.
    pub(crate) begun: u32,
    /// Differs from what it was, modulo 2^32, if more bytes of the message have arrived.
    pub(crate) pieces: u32,
    pub(crate) in_message: bool,
}

/// The number of bytes that a peer must take of the rest of an incomplete write before that is a
/// sign of life, unless fewer wait. A peer that takes one byte at a time must not keep the waiting
/// bytes in memory without end.
const SIGN_OF_LIFE: u32 = 16 << 10;

/// How to answer a frame of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Pong,
    Close(Option<CloseCode>),
}

/// The state of the closing handshake and the timers.
#[derive(Debug)]
pub(crate) struct Closing {
    timers: Timers,
    /// Whether there is a timer between the opening and the closing handshake.
    timed: bool,
    /// What has happened since the timers were last checked.
    observed: Observed,
    /// [`Progress::pieces`] in the last progress of the receiver.
    pieces: u32,
    /// How many bytes were written when that was last a sign of life, modulo 2^32.
    taken: u32,
    /// Whether the last write was incomplete when the timers were last checked.
    incomplete: bool,
    /// The code of our Close frame, 1005 if it has none; 0 if there is none.
    sent: u16,
    /// Boxed, because usually there is none.
    outcome: Option<Box<Outcome>>,
}

impl Closing {
    pub(crate) const fn new(timeouts: Timeouts) -> Self {
        Self {
            timed: timeouts.time_messages(),
            timers: Timers::new(timeouts),
            observed: Observed {
                heard: false,
                used: false,
                taken: false,
                unread: false,
                in_message: false,
                message: 0,
                closing: false,
                peer: Peer::Awaited,
            },
            pieces: 0,
            taken: 0,
            incomplete: false,
            sent: 0,
            outcome: None,
        }
    }

    /// Whether nothing more may be sent: a Close frame was queued, or the transport ended.
    #[inline]
    pub(crate) const fn is_closed(&self) -> bool {
        self.observed.closing
    }

    /// Records that nothing more may be sent.
    pub(crate) fn close(&mut self) {
        self.observed.closing = true;
    }

    /// Records that a Close frame with this code was queued.
    pub(crate) fn close_with(&mut self, code: Option<CloseCode>) {
        self.close();
        self.sent = code.map_or(1005, CloseCode::get);
    }

    /// The code of the Close frame that was queued, 1005 for one without a code.
    pub(crate) fn close_sent(&self) -> Option<u16> {
        (self.sent != 0).then_some(self.sent)
    }

    /// Records that part of a message was queued.
    #[inline]
    pub(crate) fn mark_used(&mut self) {
        self.observed.used = true;
    }

    /// Records how many bytes were written, modulo 2^32, and whether bytes that waited at the last
    /// check still wait. Then the last write was incomplete, and what the peer takes of its rest is a
    /// sign of life. Bytes that are written completely are none: the operating system takes them for
    /// a dead peer too.
    fn note_written(&mut self, (written, is_rest): (u32, bool)) {
        let is_sign = if is_rest {
            written.wrapping_sub(self.taken) >= SIGN_OF_LIFE
        } else {
            self.incomplete
        };
        if is_sign || !is_rest {
            self.taken = written;
        }
        self.observed.taken = is_sign;
        self.incomplete = is_rest;
    }

    /// Records that the receiver is about to wait for the peer.
    #[inline]
    pub(crate) fn note(&mut self, progress: impl FnOnce() -> Progress) {
        self.observed.unread = false;
        if self.timed {
            self.note_timed(progress());
        }
    }

    fn note_timed(&mut self, progress: Progress) {
        self.observed.heard |= progress.heard;
        let before = (self.observed.message, self.pieces);
        let went_on = before != (progress.begun, progress.pieces);
        // A frame that is not whole yet counts as a piece at each look, also when nothing came.
        self.observed.used |= went_on && progress.heard;
        // A message that a Close frame or an error has cut off will not go on.
        self.observed.in_message = self.outcome.is_none() && progress.in_message;
        (self.observed.message, self.pieces) = (progress.begun, progress.pieces);
    }

    /// Records that the receiver does not wait for the peer.
    #[inline]
    pub(crate) fn note_unread(&mut self) {
        self.observed.unread = true;
    }

    /// Returns how to answer an event. After our Close frame nothing is answered.
    pub(crate) fn reply(&mut self, event: &Event<'_>) -> Option<Reply> {
        let open = !self.is_closed();
        match event {
            // "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless
            // it already received a Close frame." (5.5.2)
            Event::Ping(_) => open.then_some(Reply::Pong),
            // "If an endpoint receives a Close frame and did not previously send a Close frame, the
            // endpoint MUST send a Close frame in response. (When sending a Close frame in
            // response, the endpoint typically echos the status code it received.)" (5.5.1)
            Event::Close(close) => {
                let outcome = Outcome::Clean { code: close.code, reason: close.reason.into() };
                self.end(outcome);
                open.then_some(Reply::Close(close.code))
            }
            _ => None,
        }
    }

    /// Records that the peer broke the protocol. Returns the code of the Close frame to send,
    /// unless one was sent: "An endpoint MUST NOT continue to attempt to process data (including a
    /// responding Close frame) from the remote endpoint after being instructed to _Fail the
    /// WebSocket Connection_." (7.1.7)
    pub(crate) fn fail(&mut self, error: ProtocolError) -> Option<CloseCode> {
        self.end(Outcome::Failed(error));
        (!self.is_closed()).then(|| error.close_code())
    }

    /// Records that the peer ended its side of the transport, or that the transport broke.
    pub(crate) fn receive_eof(&mut self) {
        self.end(Outcome::Abnormal);
        self.close();
        if self.observed.peer == Peer::Awaited {
            self.observed.peer = Peer::Ended;
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert_with(|| Box::new(outcome));
        self.observed.in_message = false;
    }

    #[inline]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        // Called before each read, and most connections have a timer only for their end.
        if self.timed || self.observed.closing { self.poll_timers() } else { None }
    }

    #[inline(never)]
    fn poll_timers(&self) -> Option<Instant> {
        if self.observed.peer == Peer::GivenUp { None } else { self.timers.poll(&self.observed) }
    }

    /// Returns what is due at `now`; `written` is as for [`note_written`](Self::note_written), and
    /// `room` says whether a Ping may be queued. Only the first timeout is the outcome: after it the
    /// connection is over, and the end of the transport is no longer awaited.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        written: (u32, bool),
        room: bool,
    ) -> Option<Due> {
        if self.observed.peer == Peer::GivenUp {
            return None;
        }
        self.note_written(written);
        let due = self.timers.handle(now, &self.observed, room);
        (self.observed.heard, self.observed.used) = (false, false);
        let Some(Due::Expired(timeout)) = due else { return due };
        self.observed.peer = Peer::GivenUp;
        let is_over = self.outcome.is_some();
        self.end(Outcome::TimedOut(timeout));
        due.filter(|_| !is_over)
    }

    pub(crate) fn state(&self) -> State {
        match (self.outcome(), self.observed.closing) {
            (Some(_), _) => State::Closed,
            (None, true) => State::Closing,
            (None, false) => State::Open,
        }
    }

    /// Asked before each read, and most of the time there is nothing to do.
    #[inline]
    pub(crate) fn teardown(&self, role: Role) -> Teardown {
        match self.outcome() {
            None => Teardown::NotYet,
            Some(outcome) => self.teardown_after(outcome, role),
        }
    }

    #[cold]
    fn teardown_after(&self, outcome: &Outcome, role: Role) -> Teardown {
        match (outcome, self.observed.peer) {
            (_, Peer::GivenUp) => Teardown::Drop { until: None },
            (_, Peer::Ended) => match self.timers.last_write() {
                Some(until) => Teardown::Drop { until: Some(until) },
                // The timers must be checked first.
                None => Teardown::HalfClose,
            },
            (Outcome::Clean { .. }, Peer::Awaited) if role == Role::Client => Teardown::AwaitPeer,
            (_, Peer::Awaited) => Teardown::HalfClose,
        }
    }

    #[inline]
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_deref()
    }

    /// The timeout that ended the connection, if one did.
    pub(crate) fn expired(&self) -> Option<Timeout> {
        match self.outcome() {
            Some(&Outcome::TimedOut(timeout)) => Some(timeout),
            _ => None,
        }
    }
}
