//! What a sender sends at the end of a connection, and the timers. The rules are in `closing`.

use std::time::Instant;

use super::Sender;
use crate::buffer::SendBuffer;
use crate::close::CloseCode;
use crate::closing::{Outcome, Progress, Reply, State, Teardown};
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::Opcode;
use crate::timer::{Due, Timeout};

impl Sender {
    /// Records what the receiver has seen, just before it waits for the peer. Only from then on
    /// does the peer's silence count.
    ///
    /// If this changes [`poll_timeout`](Self::poll_timeout), whoever sleeps until then must look
    /// again.
    #[inline]
    pub fn note(&mut self, progress: Progress) {
        self.closing.note(|| progress);
    }

    /// [`note`](Self::note) of a progress that is only looked at if anything is timed.
    #[inline]
    pub(crate) fn note_with(&mut self, progress: impl FnOnce() -> Progress) {
        self.closing.note(progress);
    }

    /// Records that the receiver does not wait for the peer: what the peer has sent may lie unread,
    /// so until the next [`note`](Self::note) its silence says nothing. Keepalive, idle and message
    /// deadlines do not act meanwhile; that of the closing handshake does.
    #[inline]
    pub fn note_unread(&mut self) {
        self.closing.note_unread();
    }

    /// Queues the answer to an event: a Pong for a Ping, a Close frame for a Close frame. Other
    /// events need none. After a Close frame of ours nothing is answered, nor is a Ping of more
    /// than 125 bytes, which no receiver lends.
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

    /// Ends the connection because the peer broke the protocol or went over a limit, and queues the
    /// Close frame that says so.
    pub fn fail(&mut self, error: ProtocolError, output: &mut SendBuffer) {
        if let Some(code) = self.closing.fail(error) {
            self.close_once(code, output);
        }
    }

    /// Records that the peer ended its side of the transport, or that the transport broke. What
    /// waits may still be written.
    pub fn receive_eof(&mut self) {
        self.closing.receive_eof();
    }

    /// Records that a Close frame left another way, such as through a second handle of the
    /// transport: nothing more may be sent.
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

    /// Takes the time: once at the start, then whenever [`poll_timeout`](Self::poll_timeout) has
    /// passed, or more often. It may queue a keepalive Ping, or a Close frame with 1001 for a
    /// connection that is idle.
    ///
    /// A deadline for the peer acts at the second look, 100 milliseconds or more after the first
    /// one that found it passed. So what has arrived can be read in between, in whatever order a
    /// loop reads and looks.
    ///
    /// # Errors
    ///
    /// [`Timeout`]: something took too long and the connection is over. A Close frame that says so was
    /// queued. Every later call returns it again.
    pub fn handle_timeout(&mut self, now: Instant, output: &mut SendBuffer) -> Result<(), Timeout> {
        match self.closing.handle_timeout(now) {
            // Refused only if so much waits to be sent that the peer does not read: then the Ping
            // that the timers count times out, as it should.
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

    /// Returns where the connection is in its life.
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

    /// Queues a Close frame without a reason, unless there was one.
    fn close_once(&mut self, code: impl Into<Option<CloseCode>>, output: &mut SendBuffer) {
        // Without a reason there is nothing to refuse but a second Close frame, which is not
        // wanted.
        let _ = self.start_close(code, "", output);
    }
}
