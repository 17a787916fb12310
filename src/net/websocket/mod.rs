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
/// [`next_event`](Self::next_event) waits, answers Pings and Close frames, and writes what was
/// queued before it waits. After the end it returns `None`:
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
/// A connection that is dropped before its end is cut off: the peer sees no Close frame (1006), and
/// what was queued is lost. [`close`](Self::close) ends it in order. A handler of a
/// [`Server`](super::Server) may just return: the server then writes what was queued and a Close
/// frame with 1000, or with 1011 after an error or a panic.
#[derive(Debug)]
pub struct WebSocket<S = Stream> {
    input: ReceiveBuffer,
    outgoing: Outgoing<S>,
    /// How to bound the waiting, if the transport can.
    control: Option<Control<S>>,
    /// The read timeout that the transport has now.
    read_timeout: Option<Duration>,
    /// When the clock was looked at last; of use only while a read timeout is set.
    looked: Option<Instant>,
    /// The write that failed. What the peer has sent before can still be read.
    broken: Option<io::Error>,
    /// Whether the last answer to a control frame could not be written: the network is full.
    reply_blocked: bool,
    /// What was negotiated.
    established: Option<Established>,
    /// Whether our side of the transport has ended.
    half_closed: bool,
    /// Whether everything is over, the transport's end included.
    finished: bool,
}

/// The methods of [`Transport`](super::Transport), for the transports that have them.
#[derive(Debug)]
struct Control<S> {
    set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    write_until: fn(&mut S, &mut SendBuffer, Instant) -> io::Result<bool>,
    shutdown_write: fn(&mut S) -> io::Result<()>,
}

/// What came of waiting for a limited time.
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

/// [`Next`] without the loan.
enum Step {
    Event,
    Ended,
    TimedOut,
}

/// Buffers above this size are given back when the connection is idle ...
pub(super) const WORTH_RELEASE: usize = 64 << 10;
/// ... for this long.
pub(super) const QUIET: Duration = Duration::from_secs(1);

impl<S: Read + Write> WebSocket<S> {
    /// Makes a connection over a transport that may not be able to bound its waiting: timeouts are
    /// not kept. Nor can its sending side be ended alone, so at the end only a client waits,
    /// without a bound, until the server has closed the transport; a server then drops it.
    ///
    /// `input` holds what has arrived behind the handshake's head, `output` what of the handshake
    /// still has to be written.
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
            looked: None,
            broken: None,
            reply_blocked: false,
            established: None,
            half_closed: false,
            finished: false,
        }
    }

    /// Waits for the next event; `None` when the connection is over after a closing handshake. What
    /// was queued is written first.
    ///
    /// After a violation of the protocol it goes on to read and discard what arrives until the peer
    /// has ended its side, for [`Timeouts::closing`](crate::Timeouts::closing) at most, and only
    /// then returns the error: otherwise the peer might not learn why the connection failed.
    ///
    /// The event borrows the connection; to send while it is held, use
    /// [`exchange`](Self::exchange).
    ///
    /// # Errors
    ///
    /// - [`Error::Protocol`], [`Error::Timeout`] and [`Error::Abnormal`] end the connection, and
    ///   come again with every later call. `Abnormal` is every end without a Close frame, a reset
    ///   included.
    /// - [`Error::Io`] with [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`], if the
    ///   program has set a read timeout or made the stream non-blocking: call again, nothing is
    ///   lost.
    /// - [`Error::Io`] with [`io::ErrorKind::TimedOut`] if the peer does not read what is sent to
    ///   it (`write_timeout`), and with another kind if the transport is broken.
    #[inline]
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(match self.wait(None)? {
            Step::Event => self.input.event(),
            Step::Ended | Step::TimedOut => None,
        })
    }

    /// Waits for the next message, and hands it over with its memory; `None` when the connection is
    /// over after a closing handshake. Pings, Pongs and Close frames are passed over. With
    /// [`Delivery::Chunks`](crate::Delivery::Chunks) it is the next piece of a message.
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

    /// Waits for the next event, and lends it together with the sending half, to answer while the
    /// payload is still held.
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
            Step::Event => self.input.event().map(|event| (event, &mut self.outgoing)),
            Step::Ended | Step::TimedOut => None,
        })
    }

    /// Returns the sending half.
    pub fn outgoing(&mut self) -> &mut Outgoing<S> {
        &mut self.outgoing
    }

    /// Queues a message: it is written with the next flush or before the next wait
    /// ([`Outgoing::queue`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::queue`] returns it.
    #[inline]
    pub fn queue(&mut self, message: impl AsMessage) -> Result<(), Error> {
        self.outgoing.queue(message)
    }

    /// Sends a message and all that was queued before ([`Outgoing::send`]).
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

    /// Sends a Close frame and returns ([`Outgoing::start_close`]); [`close`](Self::close) waits
    /// for the end.
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

    /// Writes what was queued ([`Outgoing::flush`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::flush`] returns it.
    #[inline]
    pub fn flush(&mut self) -> Result<(), Error> {
        self.outgoing.flush()
    }

    /// Sends a Close frame unless one was sent, waits for the end, and returns how the connection
    /// ended. Messages that still arrive are discarded. It takes
    /// [`Timeouts::closing`](crate::Timeouts::closing) at most, also if the peer does not answer or
    /// does not read.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a reason that is too long, and [`Error`] as
    /// [`next_event`](Self::next_event) returns it.
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

    /// Returns how many bytes were accepted for sending and not yet handed to the transport. After
    /// the end, also one after a closing handshake, these are lost.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.outgoing.buffered_amount()
    }

    /// Returns the state of the protocol.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.outgoing.core.connection
    }

    /// Returns how the connection ended, once it has: whether that was clean, the code and the
    /// reason.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outgoing.core.connection.outcome()
    }

    /// Returns the subprotocol that was negotiated.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.established.as_ref()?.subprotocol()
    }

    /// Returns what the opening handshake has negotiated, if this adapter did it.
    #[must_use]
    pub const fn established(&self) -> Option<&Established> {
        self.established.as_ref()
    }

    /// Returns what was negotiated of permessage-deflate (RFC 7692); `None` if messages are not
    /// compressed.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(&self) -> Option<&crate::deflate::NegotiatedDeflate> {
        self.established.as_ref()?.deflate()
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

    /// Returns the transport. Reading or writing it breaks the connection's framing.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.outgoing.stream
    }

    /// Takes everything apart, to go on without this adapter.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, ReceiveBuffer, SendBuffer) {
        let (stream, (connection, buffer, _), input) = self.into_halves();
        (stream, connection, input, buffer)
    }

    pub(super) fn write_timeout(&self) -> Option<Duration> {
        self.outgoing.pace.and_then(|pace| pace.timeout())
    }

    /// The transport, the connection with what waits and its place in a server, and what has
    /// arrived.
    pub(super) fn into_halves(
        self,
    ) -> (S, (Connection, SendBuffer, Option<Arc<Slot>>), ReceiveBuffer) {
        (self.outgoing.stream, self.outgoing.core.into_parts(), self.input)
    }
}
