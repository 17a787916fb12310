//! The end of a connection: our last words, and the peer's.

use std::io::{self, Read, Write};
use std::time::Instant;

use super::super::linger::{discard, linger_until};
use super::super::stream::{is_would_block, time_until};
use super::super::{Error, Outgoing};
use super::{EARLY, WebSocket};
use crate::connection::{Outcome, Transport};
use crate::timer::Timeout;

impl<S: Read + Write> WebSocket<S> {
    /// The end, after the closing handshake or without one.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.end();
        match self.outgoing.connection.outcome() {
            Some(Outcome::Clean(_)) | None => Ok(()),
            Some(Outcome::Abnormal) => Err(Error::Abnormal),
            Some(Outcome::Failed(error)) => Err(error.into()),
            Some(Outcome::TimedOut(timeout)) => Err(timeout.into()),
        }
    }

    /// Writes what waits and our Close frame behind it, in the time of the closing handshake.
    pub(super) fn write_close(&mut self) -> Result<(), Error> {
        let Outgoing { connection, buffer, .. } = &mut self.outgoing;
        if connection.closing_time().is_none() {
            return self.flush_before_wait();
        }
        // The closing handshake is timed from here.
        let _ = connection.handle_timeout(Instant::now(), buffer);
        let until = linger_until(connection.closing_time());
        match self.write_until(until) {
            Err(error) if is_would_block(&error) => {
                if self.control.is_some() {
                    self.do_what_is_due(Instant::now())?;
                }
                // It was too early for that: the stream is non-blocking.
                Err(error.into())
            }
            Err(error) => {
                self.broken = Some(error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes the last words and waits until the peer has ended its side ([`discard`]). Errors no
    /// longer matter.
    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let connection = &self.outgoing.connection;
        let until = match connection.outcome() {
            // Such a peer has had its time.
            Some(Outcome::TimedOut(Timeout::Keepalive | Timeout::Closing)) => Instant::now(),
            _ => linger_until(connection.closing_time()),
        };
        if self.write_until(until).is_ok() {
            self.wait_for_peer(until);
        }
        if let Some(slot) = &self.outgoing.slot {
            slot.settle();
        }
    }

    /// Writes what waits, until `until` at most where the transport can bound it, but tries once.
    fn write_until(&mut self, until: Instant) -> io::Result<()> {
        let Some(control) = &self.control else { return self.outgoing.write_out() };
        while !self.outgoing.buffer.is_empty() {
            let Outgoing { stream, buffer, .. } = &mut self.outgoing;
            (control.set_write_timeout)(stream, Some(time_until(until)))?;
            match stream.write(buffer.as_slice()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => buffer.advance(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A timeout may end somewhat early; one that ends at once is none of ours.
                Err(error) if is_would_block(&error) && time_until(until) <= EARLY => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= until && !buffer.is_empty() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        self.outgoing.stream.flush()
    }

    fn wait_for_peer(&mut self, until: Instant) {
        let Outgoing { connection, stream, .. } = &mut self.outgoing;
        // "in normal cases the TCP connection MUST be closed first by the server" (7.1.1)
        let half_close = connection.transport() == Transport::Close;
        match &self.control {
            Some(control) => {
                if !half_close {
                    discard(stream, until, control.set_read_timeout);
                    // The server waits for this, even if the program keeps its socket.
                    let _ = (control.shutdown_write)(stream);
                } else if (control.shutdown_write)(stream).is_ok() {
                    discard(stream, until, control.set_read_timeout);
                }
            }
            // Without a half-close the peer's end may wait for ours.
            None if half_close => {}
            None => discard(stream, until, |_, _| Ok(())),
        }
    }
}
