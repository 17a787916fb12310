//! A blocking connection.

mod end;
mod timed;
mod wait;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use super::slot::Slot;
use super::stream::Stream;
use super::{Error, Outgoing};
use crate::handshake::Established;
use crate::{
    AsMessage, CloseCode, Connection, EncodedMessage, Event, Outcome, OwnedMessage, ReceiveBuffer,
    SendBuffer, State,
};

/// A blocking connection over anything that reads and writes.
///
/// [`next_event`](Self::next_event) answers Pings and Close frames, and writes queued messages
/// before it waits. After the end of the connection it returns `None`:
///
/// ```no_run
/// use sansock::net::client;
/// use sansock::{CloseCode, Event};
///
/// let mut socket = client::connect("ws://127.0.0.1:9001/")?;
/// socket.send("Hello")?;
/// while let Some(event) = socket.next_event()? {
///     if let Event::Message(message) = event {
///         println!("{message}");
///         socket.start_close(CloseCode::NORMAL, "bye")?;
///     }
/// }
/// println!("{:?}", socket.outcome());
/// # Ok::<(), sansock::net::Error>(())
/// ```
///
/// To answer while the message is held, use [`exchange`](Self::exchange).
///
/// # Dropping it
///
/// A connection that is dropped before its end is cut off: the peer gets no Close frame (1006), and
/// queued messages are lost. [`close`](Self::close) ends it in order. A handler of a
/// [`Server`](super::Server) may just return: the server then writes the queued messages and a
/// Close frame with 1000, or with 1011 after an error or a panic.
#[derive(Debug)]
pub struct WebSocket<S = Stream> {
    input: ReceiveBuffer,
    outgoing: Outgoing<S>,
    /// The timeout functions of the transport, if it has them.
    control: Option<Control<S>>,
    /// The read timeout that the transport has now.
    read_timeout: Option<Duration>,
    /// When the timers were last checked, while a read timeout is set and has not passed since.
    last_check: Option<Instant>,
    /// The error of a failed write. Bytes that the peer sent before can still be read.
    broken: Option<io::Error>,
    /// Whether the last answer to a control frame could not be written because the network is full.
    reply_blocked: bool,
    /// The result of the opening handshake.
    established: Option<Established>,
    /// Whether our side of the transport has ended.
    half_closed: bool,
    /// Whether connection and transport have ended.
    finished: bool,
}

/// The methods of [`Transport`](super::Transport), for the transports that have them.
#[derive(Debug)]
struct Control<S> {
    set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    write_until: fn(&mut S, &mut SendBuffer, Instant) -> io::Result<bool>,
    shutdown_write: fn(&mut S) -> io::Result<()>,
}

/// The result of waiting for a limited time.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Next<T> {
    /// Something arrived.
    Event(T),
    /// The connection is over.
    Ended,
    /// Nothing arrived in time; the connection goes on.
    TimedOut,
}

/// As [`Next`], without borrowing.
pub(super) enum Step {
    Event,
    Ended,
    TimedOut,
}

impl Step {
    /// The result with the event that was found.
    pub(super) fn lend<T>(self, event: Option<T>) -> Next<T> {
        match self {
            Self::Event => event.map_or(Next::Ended, Next::Event),
            Self::Ended => Next::Ended,
            Self::TimedOut => Next::TimedOut,
        }
    }
}

/// Buffers above this size are freed when the connection has been idle for [`QUIET`].
pub(super) const WORTH_RELEASE: usize = 64 << 10;
/// How long a connection must be idle before its buffers are freed.
pub(super) const QUIET: Duration = Duration::from_secs(1);

impl<S: Read + Write> WebSocket<S> {
    /// Creates a connection over a transport without timeouts: [`Timeouts`](crate::Timeouts) have
    /// no effect. The sending side cannot be ended alone either. At the end a client waits, without
    /// a time limit, until the server has closed the transport; a server drops it.
    ///
    /// `input` holds bytes that arrived after the handshake's head, and `output` bytes of the
    /// handshake that are not written yet.
    pub fn untimed(
        stream: S,
        connection: Connection,
        input: ReceiveBuffer,
        output: SendBuffer,
    ) -> Self {
        Self {
            input,
            outgoing: Outgoing::new(stream, connection, output),
            control: None,
            read_timeout: None,
            last_check: None,
            broken: None,
            reply_blocked: false,
            established: None,
            half_closed: false,
            finished: false,
        }
    }

    /// Waits for the next event; `None` after a completed closing handshake. Queued messages are
    /// written first.
    ///
    /// After a protocol error of the peer it still reads and discards until the peer has ended its
    /// side, for [`Timeouts::closing`](crate::Timeouts::closing) at most, and only then returns the
    /// error: otherwise the peer might lose the Close frame with the reason.
    ///
    /// The event borrows the connection. To send while you hold it, use
    /// [`exchange`](Self::exchange).
    ///
    /// # Errors
    ///
    /// - [`Error::Protocol`], [`Error::Timeout`] and [`Error::Abnormal`] end the connection, and
    ///   every later call returns them again. `Abnormal` means an end without a Close frame, such
    ///   as a reset.
    /// - [`Error::Io`] with [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`], if the
    ///   program has set a read timeout or made the stream non-blocking. Call again; nothing is
    ///   lost.
    /// - [`Error::Io`] with [`io::ErrorKind::TimedOut`] if the peer does not read
    ///   (`write_timeout`), and with another kind if the transport is broken.
    #[inline]
    #[doc(alias = "recv")]
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(match self.wait(None)? {
            Step::Event => self.input.event(),
            Step::Ended | Step::TimedOut => None,
        })
    }

    /// Waits for the next message and returns it with its memory; `None` after a completed closing
    /// handshake. Skips Pings, Pongs and Close frames. With
    /// [`Delivery::Chunks`](crate::Delivery::Chunks) it returns the next piece of a message.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`next_event`](Self::next_event) returns it.
    pub fn next_message(&mut self) -> Result<Option<OwnedMessage>, Error> {
        while let Step::Event = self.wait(None)? {
            if let Some(message) = self.input.take_message() {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Waits for the next event, and lends it together with the sending half, so that the program
    /// can answer while it holds the payload.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`next_event`](Self::next_event) returns it.
    ///
    /// ```no_run
    /// # use sansock::net::{Error, WebSocket};
    /// # use sansock::Event;
    /// fn echo(mut socket: WebSocket) -> Result<(), Error> {
    ///     while let Some((event, outgoing)) = socket.exchange()? {
    ///         if let Event::Message(message) = event {
    ///             outgoing.queue(message)?;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[inline]
    pub fn exchange(&mut self) -> Result<Option<(Event<'_>, &mut Outgoing<S>)>, Error> {
        Ok(match self.wait(None)? {
            Step::Event => {
                self.outgoing.worth_a_write = self.input.worth_a_write();
                self.input.event().map(|event| (event, &mut self.outgoing))
            }
            Step::Ended | Step::TimedOut => None,
        })
    }

    /// Returns the sending half.
    pub fn outgoing(&mut self) -> &mut Outgoing<S> {
        &mut self.outgoing
    }

    /// Queues a message. It is written with the next flush or before the next wait
    /// ([`Outgoing::queue`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::queue`] returns it.
    #[inline]
    pub fn queue(&mut self, message: impl AsMessage) -> Result<(), Error> {
        self.outgoing.queue(message)
    }

    /// Sends a message after all messages queued before ([`Outgoing::send`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::send`] returns it.
    #[inline]
    pub fn send(&mut self, message: impl AsMessage) -> Result<(), Error> {
        self.outgoing.send(message)
    }

    /// Sends the next fragment of a message ([`Outgoing::send_fragment`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::send_fragment`] returns it.
    pub fn send_fragment(&mut self, fragment: impl AsMessage, fin: bool) -> Result<(), Error> {
        self.outgoing.send_fragment(fragment, fin)
    }

    /// Sends a message that was encoded once for many connections ([`Outgoing::send_encoded`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::send_encoded`] returns it.
    pub fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        self.outgoing.send_encoded(message)
    }

    /// Sends a Ping with a payload of at most 125 bytes ([`Outgoing::ping`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::ping`] returns it.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.outgoing.ping(payload)
    }

    /// Sends a Close frame and returns at once ([`Outgoing::start_close`]). [`close`](Self::close)
    /// also waits for the end.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::start_close`] returns it.
    pub fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.outgoing.start_close(code, reason)
    }

    /// Writes everything that was queued ([`Outgoing::flush`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::flush`] returns it.
    #[inline]
    pub fn flush(&mut self) -> Result<(), Error> {
        self.outgoing.flush()
    }

    /// Sends a Close frame unless one was sent, waits for the end, and returns how the connection
    /// ended. Messages that still arrive are discarded. It takes at most
    /// [`Timeouts::closing`](crate::Timeouts::closing), even if the peer does not answer or does
    /// not read.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the reason is too long, and [`Error`] as [`next_event`](Self::next_event)
    /// returns it.
    pub fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<Outcome, Error> {
        let Core { connection, buffer, .. } = &mut self.outgoing.core;
        if connection.state() == State::Open {
            connection.start_close(code, reason, buffer)?;
        }
        while let Step::Event = self.wait(None)? {}
        self.outcome().cloned().ok_or(Error::Abnormal)
    }

    /// Returns whether nothing more can be sent: a Close frame was sent, or the connection is over.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.outgoing.is_closing()
    }

    /// Returns how many bytes were accepted for sending and are not yet passed to the transport.
    /// After the end of the connection, even a clean one, these are lost.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.outgoing.buffered_amount()
    }

    /// Returns the connection's protocol state.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.outgoing.core.connection
    }

    /// Returns how the connection ended, once it has: whether it was clean, the code and the
    /// reason.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outgoing.core.connection.outcome()
    }

    /// Returns the negotiated subprotocol.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.established.as_ref()?.subprotocol()
    }

    /// Returns the result of the opening handshake, if this adapter did it.
    #[must_use]
    pub const fn established(&self) -> Option<&Established> {
        self.established.as_ref()
    }

    /// Returns the negotiated parameters of permessage-deflate (RFC 7692); `None` if messages are
    /// not compressed.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(&self) -> Option<&crate::deflate::NegotiatedDeflate> {
        self.established.as_ref()?.deflate()
    }

    /// The bytes that wait.
    #[cfg(feature = "reconnect")]
    pub(super) fn output(&self) -> &SendBuffer {
        &self.outgoing.core.buffer
    }

    pub(super) fn set_established(&mut self, established: Established) {
        self.established = Some(established);
    }

    pub(super) fn set_slot(&mut self, slot: Arc<Slot>) {
        self.outgoing.core.slot = Some(slot);
    }

    /// Returns the transport.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.outgoing.stream
    }

    /// Returns the transport, mutably. Reading or writing it breaks the connection's framing.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.outgoing.stream
    }

    /// Splits it into its parts, to continue without this adapter: the transport, the connection,
    /// received bytes and bytes to send. The transport keeps the timeouts that this adapter has set:
    /// 100 milliseconds for a write, and for a read the time to the next deadline.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, ReceiveBuffer, SendBuffer) {
        let (stream, (connection, buffer, _), input) = self.into_halves();
        (stream, connection, input, buffer)
    }

    pub(super) fn write_timeout(&self) -> Option<Duration> {
        self.outgoing.pace.and_then(|pace| pace.timeout())
    }

    /// The transport, the connection with its send buffer and its place in a server, and the
    /// receive buffer.
    pub(super) fn into_halves(
        self,
    ) -> (S, (Connection, SendBuffer, Option<Arc<Slot>>), ReceiveBuffer) {
        (self.outgoing.stream, self.outgoing.core.into_parts(), self.input)
    }
}
