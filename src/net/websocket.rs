//! A blocking connection.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::slot::{Notice, Slot};
use super::stream::{Socket, Tcp};
use super::{Error, Outgoing};
use crate::buffer::{ReceiveBuffer, SendBuffer, What};
use crate::close::CloseCode;
use crate::connection::{Connection, Outcome, State, Transport};
use crate::event::{Event, Message};
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
pub struct WebSocket<S = Tcp> {
    input: ReceiveBuffer,
    outgoing: Outgoing<S>,
    /// How to bound the waiting, where the transport can.
    control: Option<Control<S>>,
    /// The read timeout that the transport has now.
    armed: Option<Duration>,
    /// The place in the server that accepted the connection.
    slot: Option<Arc<Slot>>,
    subprotocol: Option<Box<str>>,
    /// Whether everything is over, the transport's end included.
    finished: bool,
}

/// The methods of [`Socket`], for the transports that have them.
#[derive(Debug)]
struct Control<S> {
    set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
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

/// What is read and discarded at most while the peer has not seen our last words.
const LINGER_BYTES: usize = 64 << 20;
/// How long that may take where [`Timeouts::closing`](crate::Timeouts::closing) sets no time.
pub(super) const LINGER_TIME: Duration = Duration::from_secs(10);
/// Buffers above this size are given back when the connection is idle ...
const WORTH_RELEASE: usize = 64 << 10;
/// ... for so long.
const QUIET: Duration = Duration::from_secs(1);

impl<S: Read + Write> WebSocket<S> {
    /// A connection over a transport that may not be able to bound its waiting: timeouts are not
    /// kept, and at the end the transport is read until its end without a half-close before.
    ///
    /// `input` holds what has arrived behind the handshake's head, `output` what of the handshake
    /// still has to be written.
    pub fn over(
        stream: S,
        connection: Connection,
        input: ReceiveBuffer,
        output: SendBuffer,
    ) -> Self {
        let outgoing = Outgoing { stream, connection, buffer: output };
        Self {
            input,
            outgoing,
            control: None,
            armed: None,
            slot: None,
            subprotocol: None,
            finished: false,
        }
    }

    /// Waits for the next event; `None` when the connection is over after a closing handshake.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], [`Error::Timeout`] and [`Error::Abnormal`] end the connection.
    /// [`Error::Io`] with [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`], which come
    /// only if the program has set a timeout on the stream or made it non-blocking, does not: call
    /// again, nothing is lost.
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
    pub fn queue<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.outgoing.queue(message)
    }

    /// [`Outgoing::send`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.outgoing.send(message)
    }

    /// [`Outgoing::send_fragment`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_fragment<'m>(
        &mut self,
        fragment: impl Into<Message<'m>>,
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
    /// discarded. It takes at most about twice [`Timeouts::closing`](crate::Timeouts::closing).
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event), and [`Error::Send`] for a reason that is too long.
    pub fn close(&mut self, code: impl Into<Option<CloseCode>>, reason: &str) -> Result<(), Error> {
        if self.outgoing.connection.state() == State::Open {
            self.outgoing.start_close(code, reason)?;
        }
        while self.next_event()?.is_some() {}
        Ok(())
    }

    /// Bytes that were accepted for sending and not yet handed to the transport.
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
        self.subprotocol.as_deref()
    }

    pub(super) fn set_subprotocol(&mut self, subprotocol: Option<&str>) {
        self.subprotocol = subprotocol.map(Into::into);
    }

    pub(super) fn set_slot(&mut self, slot: Arc<Slot>) {
        self.slot = Some(slot);
    }

    pub(super) fn take_slot(&mut self) -> Option<Arc<Slot>> {
        self.slot.take()
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

    /// Waits for the next event until `until`.
    fn wait(&mut self, until: Option<Instant>) -> Result<Step, Error> {
        loop {
            let Outgoing { connection, buffer, .. } = &mut self.outgoing;
            if connection.transport() != Transport::Open {
                return self.finish().map(|()| Step::Ended);
            }
            match connection.advance(&mut self.input, buffer) {
                Ok(true) => {
                    if !matches!(self.input.what(), Some(What::Message(_) | What::Chunk { .. })) {
                        // Answers do not wait for what the program does next: a newer Pong would
                        // take this one's place.
                        self.outgoing.flush()?;
                    }
                    return Ok(Step::Event);
                }
                Ok(false) => {}
                Err(error) => {
                    self.end();
                    return Err(error.into());
                }
            }
            self.outgoing.flush()?;
            if !self.arm(until)? {
                return Ok(Step::TimedOut);
            }
            let read = match &self.slot {
                None => self.input.read_from(&mut self.outgoing.stream),
                Some(slot) => {
                    if slot.park() == Notice::Leave {
                        self.outgoing.connection.go_away(&mut self.outgoing.buffer);
                        self.outgoing.flush()?;
                    }
                    let read = self.input.read_from(&mut self.outgoing.stream);
                    if slot.unpark() == Notice::Left {
                        self.outgoing.connection.has_left();
                    }
                    read
                }
            };
            match read {
                Ok(0) => self.outgoing.connection.receive_eof(),
                Ok(_) => {}
                Err(error) => self.read_failed(error)?,
            }
        }
    }

    /// Looks at the clock if anything is timed, and bounds the next read by the nearest deadline.
    /// `false` if `until` has passed.
    #[inline]
    fn arm(&mut self, until: Option<Instant>) -> Result<bool, Error> {
        let timed = self.outgoing.connection.poll_timeout();
        let large = self.input.capacity() > WORTH_RELEASE && self.input.is_idle();
        if timed.is_none() && until.is_none() && !large && self.armed.is_none() {
            return Ok(true);
        }
        self.arm_timed(until, large)
    }

    #[cold]
    fn arm_timed(&mut self, until: Option<Instant>, large: bool) -> Result<bool, Error> {
        let Some(control) = &self.control else { return Ok(true) };
        let now = Instant::now();
        let Outgoing { connection, buffer, stream } = &mut self.outgoing;
        let expired = connection.handle_timeout(now, buffer);
        if let Err(timeout) = expired {
            self.end();
            return Err(timeout.into());
        }
        if until.is_some_and(|until| until <= now) {
            return Ok(false);
        }
        buffer.write_to(stream)?;
        let quiet = large.then(|| now + QUIET);
        let deadline = [connection.poll_timeout(), until, quiet].into_iter().flatten().min();
        let wanted =
            deadline.map(|at| at.saturating_duration_since(now).max(Duration::from_millis(1)));
        // A timeout that ends somewhat early costs one more round; to set it costs a system call.
        let keep = match (self.armed, wanted) {
            (None, None) => true,
            (Some(armed), Some(wanted)) => armed <= wanted && wanted <= armed * 2,
            _ => false,
        };
        if !keep {
            (control.set_read_timeout)(stream, wanted)?;
            self.armed = wanted;
        }
        Ok(true)
    }

    fn read_failed(&mut self, error: io::Error) -> Result<(), Error> {
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if self.armed.is_some() => {
                if self.input.is_idle() {
                    self.input.release();
                    self.outgoing.buffer.release();
                }
                Ok(())
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Err(error.into()),
            _ => {
                self.outgoing.connection.receive_eof();
                self.finished = true;
                Err(error.into())
            }
        }
    }

    /// The end, after the closing handshake or without one.
    fn finish(&mut self) -> Result<(), Error> {
        self.end();
        match self.outgoing.connection.outcome() {
            Some(Outcome::Clean(_)) | None => Ok(()),
            Some(Outcome::Abnormal) => Err(Error::Abnormal),
            Some(Outcome::Failed(error)) => Err(error.into()),
            Some(Outcome::TimedOut(timeout)) => Err(timeout.into()),
        }
    }

    /// Writes the last words and reads and discards until the peer has ended its side, for a bounded
    /// time and amount: to drop the transport while bytes of the peer are unread makes TCP send a
    /// reset, and the peer may lose the Close frame. Errors no longer matter.
    fn end(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let Outgoing { connection, buffer, stream } = &mut self.outgoing;
        let until = Instant::now() + connection.closing_time().unwrap_or(LINGER_TIME);
        if buffer.write_to(stream).is_err() {
            return;
        }
        let Some(control) = &self.control else {
            return discard(stream, until, |_, _| Ok(()));
        };
        // "in normal cases the TCP connection MUST be closed first by the server" (7.1.1)
        let first = connection.transport() == Transport::Close;
        if first && (control.shutdown_write)(stream).is_err() {
            return;
        }
        discard(stream, until, control.set_read_timeout);
        if !first {
            // The program may keep this value, and the server waits for our end of the stream.
            let _ = (control.shutdown_write)(stream);
        }
    }
}

/// Reads and discards until the peer has ended its side, for a bounded time and amount.
pub(super) fn linger<S: Socket>(stream: &mut S, until: Instant) {
    discard(stream, until, S::set_read_timeout);
}

fn discard<S: Read>(
    stream: &mut S,
    until: Instant,
    set_read_timeout: impl Fn(&S, Option<Duration>) -> io::Result<()>,
) {
    let mut discarded = 0;
    let mut bytes = [0; 4096];
    while discarded < LINGER_BYTES {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || set_read_timeout(stream, Some(left)).is_err() {
            return;
        }
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(n) => discarded += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
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
            shutdown_write: S::shutdown_write,
        });
        socket.outgoing.stream.set_read_timeout(None)?;
        let Outgoing { connection, buffer, .. } = &mut socket.outgoing;
        connection.handle_timeout(Instant::now(), buffer).map_err(Error::Timeout)?;
        Ok(socket)
    }

    /// Waits for the next event, for `timeout` at most.
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
