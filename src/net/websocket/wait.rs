//! Waiting for the peer: reading, and looking at the clock in between.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::super::slot::Notice;
use super::super::stream::is_would_block;
use super::super::{Error, Outgoing};
use super::{EARLY, QUIET, Step, WORTH_RELEASE, WebSocket};
use crate::buffer::What;
use crate::connection::{State, Transport};

impl<S: Read + Write> WebSocket<S> {
    /// Waits for the next event until `until`, but reads once at least.
    pub(super) fn wait(&mut self, until: Option<Instant>) -> Result<Step, Error> {
        let mut has_read = false;
        loop {
            let Outgoing { connection, buffer, .. } = &mut self.outgoing;
            if connection.transport() != Transport::Open {
                return self.finish().map(|()| Step::Ended);
            }
            match connection.advance(&mut self.input, buffer) {
                Ok(true) => {
                    if !matches!(self.input.what(), Some(What::Message(_) | What::Chunk { .. })) {
                        self.write_answer();
                    }
                    return Ok(Step::Event);
                }
                Ok(false) => {}
                Err(error) => {
                    self.end();
                    return Err(error.into());
                }
            }
            self.flush_before_wait()?;
            if !self.arm(until)? && has_read {
                return Ok(Step::TimedOut);
            }
            self.read()?;
            has_read = true;
        }
    }

    /// Answers do not wait for what the program does next: a newer Pong would take this one's place.
    /// An error comes again with the next write. If the network takes nothing, only the newest Pong
    /// goes on waiting: a peer that pings and does not read would else take the time of a write for
    /// each Ping.
    fn write_answer(&mut self) {
        if !self.stuck {
            self.stuck = self.outgoing.flush().is_err();
        }
    }

    /// A write that fails for good does not hide what the peer sent before it closed: its Close frame
    /// may tell why.
    #[inline]
    pub(super) fn flush_before_wait(&mut self) -> Result<(), Error> {
        if self.broken.is_some() {
            return Ok(());
        }
        match self.outgoing.flush() {
            Err(Error::Io(error)) if !is_would_block(&error) => {
                self.broken = Some(error);
                Ok(())
            }
            result => {
                self.stuck = result.is_err();
                result
            }
        }
    }

    /// One read, during which a server that shuts down may write our Close frame.
    #[inline]
    fn read(&mut self) -> Result<(), Error> {
        let Outgoing { connection, stream, buffer, slot, .. } = &mut self.outgoing;
        // A second Close frame must not follow ours.
        let slot = slot.as_deref().filter(|_| connection.state() == State::Open);
        let Some(slot) = slot else {
            let read = self.input.read_from(stream);
            return self.received(read);
        };
        if slot.park() == Notice::Leave {
            connection.go_away(buffer);
            return Ok(());
        }
        let read = self.input.read_from(stream);
        match slot.unpark() {
            Notice::Stay => return self.received(read),
            Notice::Leave => connection.go_away(buffer),
            Notice::Left => {
                connection.has_left();
                // With TLS, what the network did not take at once still waits there.
                let _ = stream.flush();
            }
        }
        match read {
            // The stream may have been non-blocking for a moment.
            Err(error) if is_would_block(&error) => Ok(()),
            read => self.received(read),
        }
    }

    #[inline]
    fn received(&mut self, read: io::Result<usize>) -> Result<(), Error> {
        match read {
            Ok(0) => self.read_ended(),
            Ok(_) => Ok(()),
            Err(error) => self.read_failed(error),
        }
    }

    #[cold]
    fn read_ended(&mut self) -> Result<(), Error> {
        self.outgoing.connection.receive_eof();
        match self.broken.take() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    #[cold]
    fn read_failed(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::Interrupted {
            return Ok(());
        }
        if is_would_block(&error) {
            let ours = self.armed.is_some_and(|armed| {
                let waited = self.looked.map_or(Duration::ZERO, |looked| looked.elapsed());
                waited.saturating_add(EARLY).saturating_mul(2) > armed
            });
            if !ours {
                // The stream is non-blocking, or the program has set a timeout.
                return Err(error.into());
            }
            if self.input.is_idle() {
                self.input.release();
                self.outgoing.buffer.release();
            }
            return Ok(());
        }
        self.outgoing.connection.receive_eof();
        self.finished = true;
        Err(error.into())
    }

    /// Looks at the clock if anything is timed, and bounds the next read by the nearest deadline.
    /// `false` if `until` has passed.
    #[inline]
    pub(super) fn arm(&mut self, until: Option<Instant>) -> Result<bool, Error> {
        let timed = self.outgoing.connection.poll_timeout();
        let held = self.input.capacity().max(self.outgoing.buffer.capacity());
        let large = held > WORTH_RELEASE && self.input.is_idle();
        if timed.is_none() && until.is_none() && !large && self.armed.is_none() {
            return Ok(true);
        }
        self.arm_timed(until, large)
    }

    #[cold]
    fn arm_timed(&mut self, until: Option<Instant>, large: bool) -> Result<bool, Error> {
        if self.control.is_none() {
            return Ok(true);
        }
        let now = Instant::now();
        let looked = self.looked.replace(now);
        // The program may have done something else since, or the process was stopped: what the peer
        // has sent meanwhile is read before it is called silent.
        let passed = |at| at <= now && looked.is_none_or(|looked| looked < at);
        if !self.outgoing.connection.poll_timeout().is_some_and(passed) {
            self.do_what_is_due(now)?;
        }
        let Outgoing { connection, stream, .. } = &mut self.outgoing;
        let quiet = now.checked_add(QUIET).filter(|_| large);
        let deadline = [connection.poll_timeout(), until, quiet].into_iter().flatten().min();
        let wanted =
            deadline.map(|at| at.saturating_duration_since(now).max(Duration::from_millis(1)));
        // A timeout that ends somewhat early costs one more round; to set it costs a system call.
        let keep = match (self.armed, wanted) {
            (None, None) => true,
            (Some(armed), Some(wanted)) => armed <= wanted && wanted <= armed.saturating_mul(2),
            _ => false,
        };
        if !keep && let Some(control) = &self.control {
            (control.set_read_timeout)(stream, wanted)?;
            self.armed = wanted;
        }
        Ok(until.is_none_or(|until| now < until))
    }

    /// What the timers ask for.
    pub(super) fn do_what_is_due(&mut self, now: Instant) -> Result<(), Error> {
        let Outgoing { connection, buffer, .. } = &mut self.outgoing;
        if let Err(timeout) = connection.handle_timeout(now, buffer) {
            self.end();
            return Err(timeout.into());
        }
        if !buffer.is_empty() && self.broken.is_none() {
            self.outgoing.write_out()?;
        }
        Ok(())
    }
}
