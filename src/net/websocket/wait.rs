//! Waits for the peer: reads, and checks the timers in between.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::{QUIET, Step, WORTH_RELEASE, WebSocket};
use crate::net::blocking::{is_reset, is_would_block, was_our_timeout};
use crate::net::core::Core;
use crate::net::slot::Notice;
use crate::net::{Error, Outgoing};
use crate::{State, Teardown};

/// The result of checking the timers.
enum Check {
    /// Read.
    Read,
    /// The time limit of the program's call has passed.
    Late,
    /// Something was queued.
    Write,
}

impl<S: Read + Write> WebSocket<S> {
    /// Waits for the next event until `until`, but reads at least once.
    pub(super) fn wait(&mut self, until: Option<Instant>) -> Result<Step, Error> {
        let mut has_read = false;
        loop {
            let Core { connection, buffer, .. } = &mut self.outgoing.core;
            // A protocol error is the connection's outcome. It is returned when the transport has
            // ended.
            if let Ok(true) = connection.advance(&mut self.input, buffer) {
                if self.input.lends_control() {
                    self.write_reply();
                } else {
                    self.count_received();
                }
                return Ok(Step::Event);
            }
            if self.finished {
                return self.result();
            }
            self.flush_before_wait()?;
            let teardown = self.outgoing.core.connection.teardown();
            if teardown != Teardown::NotYet
                && let Some(end) = self.tear_down(teardown)
            {
                return end;
            }
            match self.check_timers(until)? {
                Check::Write => continue,
                Check::Late if has_read => return Ok(Step::TimedOut),
                Check::Late | Check::Read => {}
            }
            self.read()?;
            has_read = true;
        }
    }

    /// Counts a message, or a piece of one, that arrives at a server.
    #[inline]
    fn count_received(&self) {
        if let Some(slot) = &self.outgoing.core.slot
            && let Some(event) = self.input.event()
        {
            slot.counters().received(&event);
        }
    }

    /// Writes the answer to a control frame: a newer Pong would replace one that waits. An error
    /// occurs again at the next write. If the network takes nothing, only the newest Pong continues
    /// to wait: otherwise a peer that sends Pings and does not read would cause a write timeout for
    /// each Ping.
    fn write_reply(&mut self) {
        if !self.reply_blocked
            && let Err(error) = self.outgoing.flush()
        {
            self.reply_blocked = true;
            self.keep_failure(error);
        }
    }

    /// Flushes before a wait. If the write fails permanently, the bytes that the peer sent before
    /// it closed are still read: its Close frame may say why.
    #[inline]
    fn flush_before_wait(&mut self) -> Result<(), Error> {
        if self.broken.is_some() || self.outgoing.write_timed_out {
            return Ok(());
        }
        match self.outgoing.flush() {
            Ok(()) => {
                self.reply_blocked = false;
                Ok(())
            }
            Err(error) => self.flush_failed(error),
        }
    }

    #[cold]
    fn flush_failed(&mut self, error: Error) -> Result<(), Error> {
        self.reply_blocked = true;
        match self.keep_failure(error) {
            // The timeout of the closing handshake has passed.
            Some(_) if matches!(self.connection().teardown(), Teardown::Drop { .. }) => Ok(()),
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Stores an error after which nothing more can be written; returns other errors.
    fn keep_failure(&mut self, error: Error) -> Option<Error> {
        match error {
            // It is the outcome.
            Error::Timeout(_) => None,
            Error::Io(error) if self.outgoing.write_timed_out || !is_would_block(&error) => {
                self.broken = Some(error);
                None
            }
            error => Some(error),
        }
    }

    /// Reads once. During the read a server that shuts down may write our Close frame.
    #[inline]
    fn read(&mut self) -> Result<(), Error> {
        let Outgoing { core, stream, .. } = &mut self.outgoing;
        // A second Close frame must not follow ours.
        let slot = core.slot.as_deref().filter(|_| core.connection.state() == State::Open);
        let Some(slot) = slot else {
            let read = self.input.read_from(stream);
            return self.received(read);
        };
        if let Notice::Close(notice) = slot.park() {
            core.close(notice);
            return Ok(());
        }
        let read = self.input.read_from(stream);
        match slot.unpark() {
            Notice::Stay => return self.received(read),
            Notice::Close(notice) => core.close(notice),
            Notice::Closed => {
                core.connection.mark_closed();
                // With TLS, bytes that the network did not take at once still wait in the session.
                let _ = stream.flush();
            }
        }
        match read {
            // The stream may have been non-blocking temporarily.
            Err(error) if is_would_block(&error) => Ok(()),
            read => self.received(read),
        }
    }

    #[inline]
    fn received(&mut self, read: io::Result<usize>) -> Result<(), Error> {
        match read {
            Ok(0) => {
                self.outgoing.core.connection.receive_eof();
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => self.read_failed(error),
        }
    }

    #[cold]
    fn read_failed(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::Interrupted {
            return Ok(());
        }
        if is_would_block(&error) {
            let waited = self.last_check.take().map_or(Duration::ZERO, |at| at.elapsed());
            if !self.read_timeout.is_some_and(|timeout| was_our_timeout(waited, timeout)) {
                // The stream is non-blocking, or the program has set a timeout.
                return Err(error.into());
            }
            if self.input.is_idle() {
                self.input.release();
                self.outgoing.core.buffer.release();
            }
            return Ok(());
        }
        let is_over = self.outcome().is_some();
        self.outgoing.core.connection.receive_eof();
        if is_over || is_reset(&error) {
            // Bytes that are not written now are lost with the transport.
            self.broken.get_or_insert(error);
            return Ok(());
        }
        self.finished = true;
        Err(error.into())
    }

    /// Checks the timers, if there are any, and sets the timeout of the next read to the nearest
    /// deadline.
    #[inline]
    fn check_timers(&mut self, until: Option<Instant>) -> Result<Check, Error> {
        let Core { connection, buffer, .. } = &self.outgoing.core;
        let held = self.input.capacity().max(buffer.capacity());
        let large = held > WORTH_RELEASE && self.input.is_idle();
        if connection.poll_timeout().is_none()
            && until.is_none()
            && !large
            && self.read_timeout.is_none()
        {
            return Ok(Check::Read);
        }
        self.check_timers_timed(until, large)
    }

    #[cold]
    fn check_timers_timed(&mut self, until: Option<Instant>, large: bool) -> Result<Check, Error> {
        let Some(control) = &self.control else { return Ok(Check::Read) };
        if std::mem::take(&mut self.outgoing.write_waited) {
            // What has arrived meanwhile is processed before the peer is called silent.
            return Ok(Check::Write);
        }
        let now = Instant::now();
        let has_passed = self.last_check.replace(now).is_none();
        let Outgoing { core: Core { connection, buffer, .. }, stream, .. } = &mut self.outgoing;
        let before = (connection.teardown(), buffer.buffered_amount());
        // An error is the outcome, and shows in `teardown`.
        let _ = connection.handle_timeout(now, buffer);
        if (connection.teardown(), buffer.buffered_amount()) != before {
            return Ok(Check::Write);
        }
        let quiet = now.checked_add(QUIET).filter(|_| large);
        let deadline = [connection.poll_timeout(), until, quiet].into_iter().flatten().min();
        let timeout =
            deadline.map(|at| at.saturating_duration_since(now).max(Duration::from_millis(1)));
        // A timeout that ends early costs one more round; setting it costs a system call. So a
        // longer one is set when a shorter one has passed, and not before each message.
        let keep = match (self.read_timeout, timeout) {
            (None, None) => true,
            (Some(set), Some(next)) if set <= next => !has_passed || next <= set.saturating_mul(2),
            (Some(_), None) => !has_passed,
            _ => false,
        };
        if !keep {
            (control.set_read_timeout)(stream, timeout)?;
            self.read_timeout = timeout;
        }
        Ok(if until.is_some_and(|until| until <= now) { Check::Late } else { Check::Read })
    }
}
