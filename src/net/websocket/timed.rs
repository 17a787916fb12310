//! What needs a transport whose waiting can be bounded.

use std::io;
use std::time::{Duration, Instant};

use super::{Control, Next, WebSocket};
use crate::WritePace;
use crate::net::blocking::STEP;
use crate::net::core::Core;
use crate::net::linger::write_until;
use crate::net::{Error, Outgoing, Stream, Transport};
use crate::{Connection, Event, ReceiveBuffer, SendBuffer};

impl<S: Transport> WebSocket<S> {
    /// Makes a connection over a transport that can bound its waiting and end its sending side.
    ///
    /// `input` holds what has arrived behind the handshake's head, `output` what of the handshake
    /// still has to be written. No write timeout is set
    /// ([`set_write_timeout`](Self::set_write_timeout)).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport's timeouts cannot be set.
    pub fn new(
        stream: S,
        connection: Connection,
        input: ReceiveBuffer,
        output: SendBuffer,
    ) -> Result<Self, Error> {
        let mut socket = Self::untimed(stream, connection, input, output);
        socket.control = Some(Control {
            set_read_timeout: S::set_read_timeout,
            write_until,
            shutdown_write: S::shutdown_write,
        });
        socket.outgoing.pace = Some(WritePace::new(None));
        socket.outgoing.stream.set_read_timeout(None)?;
        socket.outgoing.stream.set_write_timeout(Some(STEP))?;
        let Core { connection, buffer, .. } = &mut socket.outgoing.core;
        connection.handle_timeout(Instant::now(), buffer)?;
        Ok(socket)
    }

    /// Sets how long a peer may read next to nothing of what is sent to it: in each such time it
    /// must take 16 KiB, or all that waits. Otherwise the write fails with
    /// [`io::ErrorKind::TimedOut`], and the connection is over. `None` waits forever.
    pub fn set_write_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.outgoing.set_write_timeout(timeout.into());
    }

    /// Waits for the next event, for about `timeout` at most; with zero it takes what has arrived.
    /// What was queued is written first, which `timeout` does not bound.
    ///
    /// Each event ends the wait, so a program that wants to do something every second must look at
    /// the clock itself: under traffic [`Next::TimedOut`] never comes.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`next_event`](Self::next_event) returns it.
    #[doc(alias = "set_read_timeout")]
    pub fn next_event_timeout(&mut self, timeout: Duration) -> Result<Next<Event<'_>>, Error> {
        let step = self.wait(Instant::now().checked_add(timeout))?;
        Ok(step.lend(self.input.event()))
    }

    /// [`exchange`](Self::exchange) that waits as [`next_event_timeout`](Self::next_event_timeout)
    /// does.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`next_event`](Self::next_event) returns it.
    pub fn exchange_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Next<(Event<'_>, &mut Outgoing<S>)>, Error> {
        let step = self.wait(Instant::now().checked_add(timeout))?;
        Ok(step.lend(self.input.event().map(|event| (event, &mut self.outgoing))))
    }
}

impl WebSocket<Stream> {
    /// Ends the connection at once, without a Close frame: the peer sees 1006, and what was queued
    /// is lost.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn abort(self) -> io::Result<()> {
        let (stream, ..) = self.into_halves();
        stream.abort()
    }
}
