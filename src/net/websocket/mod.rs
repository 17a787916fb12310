//! A blocking connection.

mod end;
mod wait;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::slot::Slot;
use super::stream::{Socket, Stream};
use super::{Error, Outgoing};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::close::CloseCode;
use crate::connection::{Connection, Outcome, State};
use crate::event::{Event, OutgoingMessage};
use crate::handshake::Established;
use crate::sender::EncodedMessage;

/// A blocking connection over anything that reads and writes.
///
/// [`next_event`](Self::next_event) waits, answers Pings and Close frames, and writes what was queued
/// before it waits. After the end it returns `None`:
///
/// ```no_run
/// use sansock::net::client;
/// use sansock::{CloseCode, Event};
///
/// let mut socket = client::connect("ws://127.0.0.1:9001/")?;
/// socket.send("Hello")?;
/// while let Some(event) = socket.next_event()? {
///     if let Event::Message(message) = event {
///         println!("{message:?}");
///         socket.start_close(CloseCode::NORMAL, "bye")?;
///     }
/// }
/// # Ok::<(), sansock::net::Error>(())
/// ```
#[derive(Debug)]
pub struct WebSocket<S = Stream> {
    input: ReceiveBuffer,
    outgoing: Outgoing<S>,
    /// How to bound the waiting, where the transport can.
    control: Option<Control<S>>,
    /// The read timeout that the transport has now.
    armed: Option<Duration>,
    /// When the clock was looked at last; of use only while a read timeout is set.
    looked: Option<Instant>,
    /// The write that failed. What the peer has sent before can still be read.
    broken: Option<io::Error>,
    /// Whether the last answer to a control frame could not be written: the network is full.
    stuck: bool,
    /// The handshake, where the program did not do it.
    established: Option<Established>,
    /// Whether everything is over, the transport's end included.
    finished: bool,
}

/// The methods of [`Socket`], for the transports that have them.
#[derive(Debug)]
struct Control<S> {
    set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    set_write_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    shutdown_write: fn(&mut S) -> io::Result<()>,
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Next<'b> {
    /// Something arrived.
    Event(Event<'b>),
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

/// By how much the operating system may cut a timeout short.
const EARLY: Duration = Duration::from_millis(20);
/// Buffers above this size are given back when the connection is idle ...
pub(super) const WORTH_RELEASE: usize = 64 << 10;
/// ... for so long.
pub(super) const QUIET: Duration = Duration::from_secs(1);

impl<S: Read + Write> WebSocket<S> {
    /// A connection over a transport that may not be able to bound its waiting: timeouts are not
    /// kept. Nor can its sending side be ended alone, so at the end only a client waits, without a
    /// bound, until the server has closed the transport; a server is to drop it.
    ///
    /// `input` holds what has arrived behind the handshake's head, `output` what of the handshake
    /// still has to be written.
    pub fn over(
        stream: S,
        connection: Connection,
        input: ReceiveBuffer,
        output: SendBuffer,
    ) -> Self {
        Self {
            input,
            outgoing: Outgoing::new(stream, connection, output),
            control: None,
            armed: None,
            looked: None,
            broken: None,
            stuck: false,
            established: None,
            finished: false,
        }
    }

    /// Waits for the next event; `None` when the connection is over after a closing handshake.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], [`Error::Timeout`] and [`Error::Abnormal`] end the connection. So that
    /// the peer learns why it failed, [`Error::Protocol`] comes only when the peer has closed its
    /// side too, or after [`Timeouts::closing`](crate::Timeouts::closing).
    ///
    /// [`Error::Io`] with [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`] does not end
    /// it: call again, nothing is lost. It comes only if a write timeout is set and the peer does
    /// not read, or if the program has set a read timeout or made the stream non-blocking. With
    /// another kind the transport is broken.
    #[inline]
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(match self.wait(None)? {
            Step::Event => self.input.event(),
            Step::Ended | Step::TimedOut => None,
        })
    }

    /// [`next_event`](Self::next_event), and with it the sending half, to answer while the payload is
    /// still held.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
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

    /// The sending half.
    pub fn outgoing(&mut self) -> &mut Outgoing<S> {
        &mut self.outgoing
    }

    /// [`Outgoing::queue`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn queue<'m>(&mut self, message: impl Into<OutgoingMessage<'m>>) -> Result<(), Error> {
        self.outgoing.queue(message)
    }

    /// [`Outgoing::send`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<OutgoingMessage<'m>>) -> Result<(), Error> {
        self.outgoing.send(message)
    }

    /// [`Outgoing::send_fragment`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_fragment<'m>(
        &mut self,
        fragment: impl Into<OutgoingMessage<'m>>,
        fin: bool,
    ) -> Result<(), Error> {
        self.outgoing.send_fragment(fragment, fin)
    }

    /// [`Outgoing::send_encoded`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        self.outgoing.send_encoded(message)
    }

    /// [`Outgoing::ping`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.outgoing.ping(payload)
    }

    /// [`Outgoing::start_close`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.outgoing.start_close(code, reason)
    }

    /// [`Outgoing::flush`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn flush(&mut self) -> Result<(), Error> {
        self.outgoing.flush()
    }

    /// Sends a Close frame unless one was sent, and waits for the end: messages that still arrive are
    /// discarded. A peer that does not answer, or does not even read, is waited for no longer than
    /// [`Timeouts::closing`](crate::Timeouts::closing); one that has answered has as much time again
    /// to end its side of the transport.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event), and [`Error::Send`] for a reason that is too long.
    pub fn close(&mut self, code: impl Into<Option<CloseCode>>, reason: &str) -> Result<(), Error> {
        let Outgoing { connection, buffer, .. } = &mut self.outgoing;
        if connection.state() == State::Open {
            connection.close(code, reason, buffer)?;
        }
        self.write_close()?;
        while self.next_event()?.is_some() {}
        Ok(())
    }

    /// Bytes that were accepted for sending and not yet handed to the transport. After the end,
    /// also one after a closing handshake: those that never will be.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.outgoing.buffered_amount()
    }

    /// The state of the protocol.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.outgoing.connection
    }

    /// How the connection ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outgoing.connection.outcome()
    }

    /// The subprotocol that was negotiated.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.established.as_ref()?.subprotocol()
    }

    /// What was negotiated of permessage-deflate (RFC 7692); `None` if messages are not compressed.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(&self) -> Option<&crate::NegotiatedDeflate> {
        self.established.as_ref()?.deflate()
    }

    pub(super) fn set_negotiated(&mut self, established: &Established) {
        self.established = Some(established.clone());
    }

    pub(super) fn set_slot(&mut self, slot: Arc<Slot>) {
        self.outgoing.slot = Some(slot);
    }

    pub(super) fn take_slot(&mut self) -> Option<Arc<Slot>> {
        self.outgoing.slot.take()
    }

    /// The transport.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.outgoing.stream
    }

    /// The transport. To read or write it breaks the connection's framing.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.outgoing.stream
    }

    /// Everything apart, for those who want to go on without this adapter.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, ReceiveBuffer, SendBuffer) {
        (self.outgoing.stream, self.outgoing.connection, self.input, self.outgoing.buffer)
    }
}

impl<S: Socket> WebSocket<S> {
    /// A connection over a transport that can bound its waiting and end its sending side.
    ///
    /// # Errors
    ///
    /// The transport's, when its timeout is set.
    pub fn new(
        stream: S,
        connection: Connection,
        input: ReceiveBuffer,
        output: SendBuffer,
    ) -> Result<Self, Error> {
        let mut socket = Self::over(stream, connection, input, output);
        socket.control = Some(Control {
            set_read_timeout: S::set_read_timeout,
            set_write_timeout: S::set_write_timeout,
            shutdown_write: S::shutdown_write,
        });
        socket.outgoing.stream.set_read_timeout(None)?;
        let Outgoing { connection, buffer, .. } = &mut socket.outgoing;
        connection.handle_timeout(Instant::now(), buffer).map_err(Error::Timeout)?;
        Ok(socket)
    }

    /// Waits for the next event, for about `timeout` at most; with zero it takes what has arrived.
    /// What was queued is written first, which `timeout` does not bound.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub fn next_event_timeout(&mut self, timeout: Duration) -> Result<Next<'_>, Error> {
        let until = Instant::now().checked_add(timeout);
        Ok(match self.wait(until)? {
            Step::Event => self.input.event().map_or(Next::Ended, Next::Event),
            Step::Ended => Next::Ended,
            Step::TimedOut => Next::TimedOut,
        })
    }
}
