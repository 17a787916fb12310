//! The frames that a sender queues at the end of a connection, and the timers. The rules are in
//! `closing`.

use std::time::Instant;

use super::Sender;
use crate::buffer::SendBuffer;
use crate::close::CloseCode;
use crate::closing::{Outcome, Progress, Reply, State, Teardown};
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::Opcode;
use crate::timeouts::Timeout;
use crate::timer::Due;

impl Sender {
    /// Records what the receiver has received, directly before it waits for the peer. The peer's
    /// silence counts only from then.
    ///
    /// If this changes [`poll_timeout`](Self::poll_timeout), a thread that sleeps until then must
    /// be woken.
    #[inline]
    pub fn note(&mut self, progress: Progress) {
        self.closing.note(|| progress);
    }

    /// [`note`](Self::note) of a progress that is only looked at if anything is timed.
    #[inline]
    pub(crate) fn note_with(&mut self, progress: impl FnOnce() -> Progress) {
        self.closing.note(progress);
    }

    /// Records that the receiver does not wait for the peer: bytes of the peer may lie unread, so
    /// its silence does not count until the next [`note`](Self::note). Meanwhile the keepalive,
    /// idle and message deadlines have no effect; the deadline of the closing handshake does.
    #[inline]
    pub fn note_unread(&mut self) {
        self.closing.note_unread();
    }

    /// Queues the answer to an event: a Pong for a Ping, a Close frame for a Close frame. Other
    /// events need none. After our Close frame nothing is answered, nor is a Ping of more than 125
    /// bytes, which no receiver lends.
    pub fn respond(&mut self, event: &Event<'_>, output: &mut SendBuffer) {
        match (self.closing.reply(event), event) {
            (Some(Reply::Pong), Event::Ping(payload)) => {
                // With "identical 'Application data'" (5.5.3).
                let header = self.header(Opcode::Pong, true, payload.len());
                output.set_pong(&header, payload);
            }
            (Some(Reply::Close(code)), _) => self.close_once(code, output),
            _ => {}
        }
    }

    /// Ends the connection because the peer broke the protocol or exceeded a limit, and queues the
    /// Close frame that says so.
    pub fn fail(&mut self, error: ProtocolError, output: &mut SendBuffer) {
        if let Some(code) = self.closing.fail(error) {
            self.close_once(code, output);
        }
    }

    /// Records that the peer ended its side of the transport, or that the transport broke. Bytes
    /// that wait may still be written.
    pub fn receive_eof(&mut self) {
        self.closing.receive_eof();
    }

    /// Records that a Close frame was sent in another way, such as through a second handle of the
    /// transport. Nothing more may be sent.
    pub fn mark_closed(&mut self) {
        self.closing.close();
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) at the latest; `None` if
    /// nothing is timed. A moment in the past means now.
    #[inline]
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.closing.poll_timeout()
    }

    /// Checks the timers. Call it once at the start, then whenever
    /// [`poll_timeout`](Self::poll_timeout) has passed, or more often. It may queue a keepalive
    /// Ping, or a Close frame with 1001 for an idle connection.
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
        let room = self.check_room(size_of::<u64>(), output.waiting()).is_ok();
        match self.closing.handle_timeout(now, output.check_written(), room) {
            // Not refused: it is due only if there is room for it.
            Some(Due::Ping(payload)) => {
                let _ = self.ping(&payload, output);
            }
            Some(Due::Idle) => self.close_once(CloseCode::GOING_AWAY, output),
            Some(Due::Expired(Timeout::Message)) => {
                self.close_once(CloseCode::POLICY_VIOLATION, output);
            }
            Some(Due::Expired(_)) => self.close_once(CloseCode::INTERNAL_ERROR, output),
            None => {}
        }
        self.closing.expired().map_or(Ok(()), Err)
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.closing.state()
    }

    /// Returns what to do with the transport.
    #[inline]
    #[must_use]
    pub fn teardown(&self) -> Teardown {
        self.closing.teardown(self.role())
    }

    /// Returns how the connection ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.closing.outcome()
    }

    /// Returns the code of our Close frame, once one was queued: 1005, as in the API of browsers, for
    /// one without a code.
    #[must_use]
    pub fn close_sent(&self) -> Option<u16> {
        self.closing.close_sent()
    }

    /// Queues a Close frame without a reason, unless there was one.
    fn close_once(&mut self, code: impl Into<Option<CloseCode>>, output: &mut SendBuffer) {
        // Without a reason only a second Close frame is refused, and that one must not be sent.
        let _ = self.start_close(code, "", output);
    }
}
