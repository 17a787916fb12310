//! An async connection.

use std::future::poll_fn;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sansock::buffer::Buffers;
use sansock::handshake::Established;
use sansock::{
    AsMessage, CloseCode, Config, Connection, EncodedMessage, Event, Outcome, ReceiveBuffer, Role,
    SendBuffer, WritePace,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop;

use crate::link::Link;
use crate::message::Message;
use crate::server::Remains;
use crate::{Error, Outgoing, Stream, pool};

/// An async connection over anything that reads and writes.
///
/// [`recv`](Self::recv) answers Pings and Close frames, writes what was queued before it waits, and
/// lends the next event. After the end of the connection it returns `None`:
///
/// ```no_run
/// # async fn example() -> Result<(), sansock_tokio::Error> {
/// use sansock_tokio::{CloseCode, Event};
///
/// let mut socket = sansock_tokio::connect("ws://127.0.0.1:9001/").await?;
/// socket.send("Hello").await?;
/// while let Some(event) = socket.recv().await? {
///     if let Event::Message(message) = event {
///         println!("{message}");
///         socket.start_close(CloseCode::NORMAL, "bye").await?;
///     }
/// }
/// println!("{:?}", socket.outcome());
/// # Ok(()) }
/// ```
///
/// To answer while the message is held, use [`exchange`](Self::exchange); to keep messages, use
/// [`next_message`](Self::next_message) or the `Stream`.
///
/// # Cancellation
///
/// Every method can be dropped at every await, as `select!` and `timeout` do: received bytes and
/// events that were not returned are still there for the next call, and a message that was accepted
/// is written by whatever writes next. A `send` that is dropped has accepted its whole message or
/// nothing: nothing only while it waits for room ([`Limits::buffered`](sansock::Limits::buffered)).
///
/// # Dropping it
///
/// A connection that is dropped before its end is cut off: what was queued is written as far as the
/// transport takes it at once, the rest is lost, and the peer gets no Close frame (1006).
/// [`close`](Self::close) loses nothing.
#[derive(Debug)]
pub struct WebSocket<S = Stream>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Boxed, because a future holds every variable that is moved as often as it is moved.
    pub(crate) state: Box<State<S>>,
}

#[derive(Debug)]
pub(crate) struct State<S: AsyncRead + AsyncWrite + Unpin> {
    pub(crate) link: Link<S>,
    /// `None` while the connection is idle.
    pub(crate) buffers: Option<Box<Buffers>>,
    established: Option<Arc<Established>>,
}

/// All connections of servers that have negotiated nothing share one.
fn shared(established: Established) -> Arc<Established> {
    static PLAIN: LazyLock<Arc<Established>> =
        LazyLock::new(|| Arc::new(Established::after_handshake(Role::Server, None)));
    if established == **PLAIN { Arc::clone(&PLAIN) } else { Arc::new(established) }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Continues with the result of an opening handshake that was done elsewhere, such as by an
    /// HTTP server. `input` holds what has arrived behind the handshake.
    #[must_use]
    pub fn from_established(
        io: S,
        established: Established,
        config: &Config,
        input: ReceiveBuffer,
    ) -> Self {
        let buffers = Box::new(Buffers { input, output: SendBuffer::new() });
        Self::after_handshake(io, established, config, buffers)
    }

    /// [`from_established`](Self::from_established) with the buffers of the handshake.
    pub(crate) fn after_handshake(
        io: S,
        established: Established,
        config: &Config,
        buffers: Box<Buffers>,
    ) -> Self {
        let mut socket = Self::assemble(io, established.connection(config), buffers);
        socket.state.established = Some(shared(established));
        socket
    }

    /// Makes a connection of its parts. `input` holds what has arrived behind the handshake's head,
    /// `output` what of the handshake still has to be written. There is no write timeout
    /// ([`set_write_timeout`](Self::set_write_timeout)).
    #[must_use]
    pub fn new(io: S, connection: Connection, input: ReceiveBuffer, output: SendBuffer) -> Self {
        Self::assemble(io, connection, Box::new(Buffers { input, output }))
    }

    fn assemble(io: S, connection: Connection, mut buffers: Box<Buffers>) -> Self {
        let link = Link::new(io, connection, &mut buffers.output);
        let state = State { link, buffers: pool::put_back(buffers), established: None };
        Self { state: Box::new(state) }
    }

    /// Waits for the next event and lends it; `None` after a completed closing handshake. What was
    /// queued is written first.
    ///
    /// # Errors
    ///
    /// - [`Error::Protocol`], [`Error::Timeout`] and [`Error::Abnormal`] end the connection, and
    ///   every later call returns them again. A protocol error is returned when the peer has ended
    ///   its side, after [`Timeouts::closing`](sansock::Timeouts::closing) at most: otherwise it
    ///   might lose the Close frame with the reason.
    /// - [`Error::Io`] with [`TimedOut`](std::io::ErrorKind::TimedOut) if the peer does not read
    ///   ([`set_write_timeout`](Self::set_write_timeout)), and with another kind if the transport
    ///   is broken.
    #[doc(alias = "next_event")]
    pub async fn recv(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(if poll_fn(|cx| self.poll_advance(cx)).await? { self.event() } else { None })
    }

    /// Waits for the next event, and lends it together with the sending half, so that the program
    /// can answer while it holds the payload.
    ///
    /// ```no_run
    /// # use sansock_tokio::{Error, Event, WebSocket};
    /// async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    ///     while let Some((event, mut outgoing)) = socket.exchange().await? {
    ///         if let Event::Message(message) = event {
    ///             outgoing.queue(message)?;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error`], as [`recv`](Self::recv) returns it.
    pub async fn exchange(&mut self) -> Result<Option<(Event<'_>, Outgoing<'_, S>)>, Error> {
        if !poll_fn(|cx| self.poll_advance(cx)).await? {
            return Ok(None);
        }
        let Some(Buffers { input, output }) = self.state.buffers.as_deref_mut() else {
            return Ok(None);
        };
        let outgoing = Outgoing::new(&mut self.state.link, output).answering(input);
        Ok(input.event().map(|event| (event, outgoing)))
    }

    /// Waits for the next message and returns it with its memory; `None` after a completed closing
    /// handshake. Skips Pings, Pongs and Close frames. With
    /// [`Delivery::Chunks`](sansock::Delivery::Chunks) it returns the next piece of a message.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`recv`](Self::recv) returns it.
    pub async fn next_message(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_next_message(cx)).await.transpose()
    }

    /// Polls for the next event: ready with `true` if [`event`](Self::event) lends it, and with
    /// `false` after a completed closing handshake. [`recv`](Self::recv) for hand-written
    /// futures.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`recv`](Self::recv) returns it.
    pub fn poll_advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        // Events that lie in the buffer need no I/O, so they must count themselves: otherwise a
        // busy connection would keep all other tasks of its thread waiting.
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            let Buffers { input, output } =
                &mut **self.state.buffers.get_or_insert_with(pool::take);
            // A protocol error is the outcome, and is returned when the transport has ended.
            if let Ok(true) = self.state.link.connection.advance(input, output) {
                budget.made_progress();
                match input.event() {
                    Some(event @ (Event::Message(_) | Event::Chunk { .. })) => {
                        self.state.link.count_received(&event);
                    }
                    // A newer Pong would replace one that waits. An error shows at the next wait.
                    _ => drop(self.state.link.poll_write_or_break(cx, output)),
                }
                return Poll::Ready(Ok(true));
            }
            if self.state.link.is_finished() {
                return Poll::Ready(self.state.link.result().map(|()| false));
            }
            match self.state.link.poll_wait(cx, input, output) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.state.buffers = self.state.buffers.take().and_then(pool::put_back);
                    let returned = u32::from(self.state.buffers.is_none());
                    let link = &mut self.state.link;
                    link.returned = link.returned.wrapping_add(returned);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Returns the event that [`poll_advance`](Self::poll_advance) has found, until the next call.
    #[must_use]
    pub fn event(&self) -> Option<Event<'_>> {
        self.state.buffers.as_deref()?.input.event()
    }

    pub(crate) fn poll_next_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        loop {
            match ready!(self.poll_advance(cx)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            let input = self.state.buffers.as_deref_mut().map(|buffers| &mut buffers.input);
            if let Some(message) = input.and_then(Message::take) {
                return Poll::Ready(Some(Ok(message)));
            }
        }
    }

    /// Returns the sending half.
    pub fn outgoing(&mut self) -> Outgoing<'_, S> {
        let buffers = self.state.buffers.get_or_insert_with(pool::take);
        Outgoing::new(&mut self.state.link, &mut buffers.output)
    }

    /// Queues a message ([`Outgoing::queue`]). It is written before the next wait, or with the next
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::queue`] returns it.
    pub fn queue(&mut self, message: impl AsMessage) -> Result<(), Error> {
        self.outgoing().queue(message)
    }

    /// Sends a message after all that was queued before ([`Outgoing::send`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::send`] returns it.
    pub async fn send(&mut self, message: impl AsMessage) -> Result<(), Error> {
        self.outgoing().send(message).await
    }

    /// Sends the next fragment of a message ([`Outgoing::send_fragment`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::send`] returns it.
    pub async fn send_fragment(
        &mut self,
        fragment: impl AsMessage,
        fin: bool,
    ) -> Result<(), Error> {
        self.outgoing().send_fragment(fragment, fin).await
    }

    /// Sends a message that was encoded once for many connections ([`Outgoing::send_encoded`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::send`] returns it.
    pub async fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), Error> {
        self.outgoing().send_encoded(message).await
    }

    /// Sends a Ping with a payload of at most 125 bytes ([`Outgoing::ping`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::send`] returns it.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.outgoing().ping(payload).await
    }

    /// Sends a Close frame and does not wait for the answer ([`Outgoing::start_close`]).
    /// [`close`](Self::close) also waits for the end.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::send`] returns it.
    pub async fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.outgoing().start_close(code, reason).await
    }

    /// Writes all that was queued ([`Outgoing::flush`]).
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::flush`] returns it.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.outgoing().flush().await
    }

    /// [`flush`](Self::flush) for hand-written futures.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`Outgoing::flush`] returns it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.outgoing().poll_flush(cx)
    }

    /// Sends a Close frame unless one was sent, waits for the end, and returns how the connection
    /// ended. What was queued is written first, and messages that still arrive are discarded. It
    /// takes at most [`Timeouts::closing`](sansock::Timeouts::closing), even if the peer does not
    /// answer or does not read.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the reason is too long, and [`Error`] as [`recv`](Self::recv) returns it.
    pub async fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<Outcome, Error> {
        self.queue_close(code.into(), reason)?;
        while poll_fn(|cx| self.poll_advance(cx)).await? {}
        self.outcome().cloned().ok_or(Error::Abnormal)
    }

    pub(crate) fn queue_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        let buffers = self.state.buffers.get_or_insert_with(pool::take);
        if self.state.link.connection.state() == sansock::State::Open {
            self.state.link.connection.start_close(code, reason, &mut buffers.output)?;
        }
        Ok(())
    }

    /// Sets how long a peer may read next to nothing of what is sent to it: in each such time it
    /// must take 16 KiB, or all that waits ([`WritePace`]). Otherwise the write fails with
    /// [`TimedOut`](std::io::ErrorKind::TimedOut), and the connection is over. `None` waits forever.
    pub fn set_write_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.state.link.pace = WritePace::new(timeout);
    }

    /// Returns whether nothing more can be sent: a Close frame was sent, or the connection is over.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.state.link.connection.state() != sansock::State::Open
    }

    /// Returns how many bytes were accepted for sending and are not yet passed to the transport.
    /// After the end of the connection, even a clean one, these are lost.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.state.buffers.as_deref().map_or(0, |buffers| buffers.output.buffered_amount())
    }

    /// Returns the connection's protocol state.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.state.link.connection
    }

    /// Returns how the connection ended, once it has: whether it was clean, the code and the
    /// reason.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.state.link.connection.outcome()
    }

    /// Returns the negotiated subprotocol.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.state.established.as_ref()?.subprotocol()
    }

    /// Returns the negotiated parameters of permessage-deflate (RFC 7692); `None` if messages are
    /// not compressed.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(&self) -> Option<&sansock::deflate::NegotiatedDeflate> {
        self.state.established.as_ref()?.deflate()
    }

    /// Returns the result of the opening handshake, unless the connection was made of parts.
    #[must_use]
    pub fn established(&self) -> Option<&Established> {
        self.state.established.as_deref()
    }

    /// Returns the transport.
    ///
    /// # Panics
    ///
    /// Never: only what consumes a connection takes its transport out.
    #[expect(clippy::expect_used, reason = "only what consumes a connection takes it out")]
    #[must_use]
    pub fn get_ref(&self) -> &S {
        self.state.link.stream.as_ref().expect("the connection has its transport")
    }

    /// Splits it into its parts, to continue without this adapter: the transport, the connection,
    /// received bytes and bytes to send.
    /// A [`Server`](crate::Server) no longer reaches it.
    ///
    /// # Panics
    ///
    /// Never: only what consumes a connection takes its transport out.
    #[expect(clippy::expect_used, reason = "only what consumes a connection takes it out")]
    #[must_use]
    pub fn into_parts(mut self) -> (S, Connection, ReceiveBuffer, SendBuffer) {
        let taken = self.state.link.take();
        let (stream, connection) = taken.expect("the connection has its transport");
        let Buffers { input, output } = *self.state.buffers.take().unwrap_or_default();
        (stream, connection, input, output)
    }

    /// The bytes that wait, if any do, and a number that changes with the buffer.
    #[cfg(feature = "reconnect")]
    pub(crate) fn output(&self) -> (u32, Option<&SendBuffer>) {
        (self.state.link.returned, self.state.buffers.as_deref().map(|buffers| &buffers.output))
    }

    /// What a connection that is dropped leaves to the server: itself, unless it has ended.
    fn take_rest(&mut self) -> Option<Self> {
        if self.state.link.is_finished() {
            return None;
        }
        let pace = self.state.link.pace;
        let (stream, connection) = self.state.link.take()?;
        let Buffers { input, output } = *self.state.buffers.take().unwrap_or_default();
        let mut rest = Self::new(stream, connection, input, output);
        rest.state.link.pace = pace;
        Some(rest)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for WebSocket<S> {
    fn drop(&mut self) {
        if let Some(slot) = self.state.link.slot.take() {
            // The server writes what waits, and closes the connection.
            return slot.let_go(self.take_rest().map(|rest| Remains::Connection(Box::new(rest))));
        }
        let Some(mut buffers) = self.state.buffers.take() else { return };
        if !self.state.link.is_finished() && !buffers.output.is_empty() {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let _ = self.state.link.poll_write_out(&mut cx, &mut buffers.output);
        }
        pool::put_back(buffers);
    }
}
