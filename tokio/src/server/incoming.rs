//! One client of a server: its request and the response.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use sansock::buffer::Buffers;
use sansock::counts::{CountedClient, Refusal};
use sansock::handshake::{
    Answer, HandshakeError, Incomplete, OriginPolicy, Rejection, Request, ServerHandshake,
};
use sansock::{Config, Deadline, SendBuffer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::options::Options;
use super::slot::{Remains, Slot};
use crate::clock::now;
use crate::opening::{read_head, refuse, write_until};
use crate::proxy_header::Proxied;
use crate::{Error, Stream, WebSocket, pool};

/// A client whose request has arrived and is valid HTTP: accept it or reject it.
///
/// A [`Server`](crate::Server) passes one to its handler. [`read`](Self::read) makes one of any
/// transport that other code has accepted.
///
/// If the program drops it without an answer, a `Server` sends the client 500 and reports
/// [`ServerError::Unanswered`](sansock::net::ServerError::Unanswered).
pub struct Incoming<S = Stream>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// `None` once it is answered.
    inner: Option<Box<Inner<S>>>,
}

/// Who is at the other end of the transport.
#[derive(Default)]
pub(super) struct Peer {
    /// `None` for a transport that other code has accepted.
    pub(super) address: Option<SocketAddr>,
    pub(super) proxied: Proxied,
}

struct Inner<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    io: S,
    peer: Peer,
    handshake: ServerHandshake,
    /// What has arrived behind the request, and what answers it.
    buffers: Box<Buffers>,
    config: Config,
    deadline: Deadline,
    options: Arc<Options>,
    slot: Option<Guard<S>>,
}

/// Tells the server that the client was not accepted.
struct Guard<S: AsyncRead + AsyncWrite + Unpin>(Option<Arc<Slot<S>>>);

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Guard<S> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.let_go(None);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Reads a client's request. Pages of other sites are refused, as a
    /// [`Server`](crate::Server) does by default.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the request is wrong or takes longer than
    /// [`Timeouts::handshake`](sansock::Timeouts::handshake); the client was sent the response
    /// that says so. [`Error::Io`].
    pub async fn read(io: S, config: &Config) -> Result<Self, Error> {
        let mut options = Options::new();
        (options.config, options.keepalive) = (*config, None);
        let deadline = config.timeouts.opening(now());
        Box::pin(Self::open(io, Peer::default(), &Arc::new(options), None, deadline)).await
    }

    pub(super) async fn open(
        io: S,
        peer: Peer,
        options: &Arc<Options>,
        slot: Option<Arc<Slot<S>>>,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let config = options.config();
        let mut inner = Box::new(Inner {
            io,
            peer,
            handshake: ServerHandshake::new(options.head_limits),
            buffers: pool::take_with(config.read_size),
            config,
            deadline,
            options: Arc::clone(options),
            slot: slot.map(|slot| Guard(Some(slot))),
        });
        let Inner { io, buffers, handshake, deadline, .. } = &mut *inner;
        let incoming = match read_head(io, &mut buffers.input, handshake, deadline).await {
            Ok(()) => Self { inner: Some(inner) },
            Err(Error::Handshake(error)) => return Err(inner.refuse(error).await),
            Err(error) => return Err(error),
        };
        match incoming.inner().options.hosts.check(&incoming.request()) {
            Ok(()) => Ok(incoming),
            Err(error) => Err(incoming.into_inner().refuse(error.into()).await),
        }
    }

    /// Sets which pages may connect from a browser. The default is that of the server, or
    /// [`OriginPolicy::SameHost`].
    #[must_use]
    pub fn origins(mut self, policy: OriginPolicy) -> Self {
        Arc::make_mut(&mut self.inner_mut().options).origins = policy;
        self
    }

    /// Sets limits, delivery and timeouts of this connection, instead of the server's.
    pub fn set_config(&mut self, config: Config) {
        let inner = self.inner_mut();
        inner.config = inner.options.with_keepalive(config);
    }

    /// Returns the address of the TCP peer: the client, or a proxy in front of the server. `None`
    /// for a transport that other code has accepted.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.inner().peer.address
    }

    /// Returns the address of the client: the one that a trusted proxy has sent in a PROXY header
    /// (`Server::proxy_protocol`, feature `proxy-protocol`), or that of the
    /// [TCP peer](Self::peer_addr).
    #[must_use]
    pub fn client_addr(&self) -> Option<SocketAddr> {
        self.inner().peer.proxied.source().or(self.inner().peer.address)
    }

    #[cfg(feature = "proxy-protocol")]
    pub(crate) fn proxied(&self) -> &Proxied {
        &self.inner().peer.proxied
    }

    /// Returns the transport.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner().io
    }

    /// Returns the client's request: target, headers, subprotocols, Origin.
    ///
    /// # Panics
    ///
    /// Never: an `Incoming` exists only once its request has arrived.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        #[expect(clippy::expect_used, reason = "`open` returns only with a request")]
        self.inner().handshake.request().expect("a request has arrived")
    }

    /// Accepts the client, without a subprotocol.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`accept_with`](Self::accept_with) returns it.
    pub async fn accept(self) -> Result<WebSocket<S>, Error> {
        // Boxed, as all that is needed only once.
        Box::pin(async { self.accept_boxed(&Answer::new()).await }).await
    }

    /// Accepts the client with this answer.
    ///
    /// # Errors
    ///
    /// - [`Error::Handshake`] if the request is none for a WebSocket, if its Origin is refused, or
    ///   if the answer does not fit it. The client was sent the response that says so.
    /// - [`Error::Io`] if the response cannot be written in time.
    pub async fn accept_with(self, answer: &Answer) -> Result<WebSocket<S>, Error> {
        Box::pin(self.accept_boxed(answer)).await
    }

    /// Rejects the client: sends the response, and waits until the client has ended its side, at
    /// most for [`Timeouts::closing`](sansock::Timeouts::closing).
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the rejection is not valid; the client was sent 500.
    pub async fn reject(self, rejection: &Rejection) -> Result<(), Error> {
        let mut output = SendBuffer::new();
        let queued = self.request().reject(rejection, &mut output);
        let is_websocket = self.request().is_websocket();
        let inner = self.into_inner();
        match queued {
            Ok(()) => {
                inner.count(|client| client.answer(is_websocket));
                inner.end(output, true).await;
                Ok(())
            }
            Err(error) => Err(inner.refuse(error.into()).await),
        }
    }

    async fn accept_boxed(mut self, answer: &Answer) -> Result<WebSocket<S>, Error> {
        let mut output = std::mem::take(&mut self.inner_mut().buffers.output);
        let accepted = {
            let request = self.request();
            let answer = answer.clone().or_deflate_of(&self.inner().options.answer);
            let checked =
                self.inner().options.origins.check(&request).map_err(HandshakeError::from);
            checked.and_then(|()| request.accept(&answer, &mut output))
        };
        let established = match accepted {
            Ok(established) => established,
            Err(error) => return Err(self.into_inner().refuse(error).await),
        };
        let mut inner = self.into_inner();
        let deadline = inner.deadline;
        if !write_until(&mut inner.io, &mut output, &deadline).await? {
            inner.count(|client| client.refuse(Refusal::Timeout));
            return Err(Incomplete::TimedOut.into());
        }
        inner.buffers.output = output;
        let Inner { io, buffers, config, options, slot, .. } = *inner;
        let mut socket = WebSocket::after_handshake(io, established, &config, buffers);
        socket.set_write_timeout(options.write_timeout);
        socket.state.link.slot = slot.and_then(|mut guard| guard.0.take());
        socket.state.link.slot.iter().for_each(|slot| slot.client().accept());
        Ok(socket)
    }

    #[expect(clippy::expect_used, reason = "only what consumes it takes it out")]
    fn inner(&self) -> &Inner<S> {
        self.inner.as_deref().expect("it is not answered")
    }

    #[expect(clippy::expect_used, reason = "only what consumes it takes it out")]
    fn inner_mut(&mut self) -> &mut Inner<S> {
        self.inner.as_deref_mut().expect("it is not answered")
    }

    #[expect(clippy::expect_used, reason = "only what consumes it takes it out")]
    fn into_inner(mut self) -> Box<Inner<S>> {
        self.inner.take().expect("it is not answered")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Incoming<S> {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take() else { return };
        let slot = inner.slot.as_mut().and_then(|guard| guard.0.take());
        if let Some(slot) = slot {
            slot.let_go(Some(Remains::Request(Self { inner: Some(inner) })));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inner<S> {
    /// Sends the client an error response.
    async fn refuse(self: Box<Self>, error: HandshakeError) -> Error {
        let mut output = SendBuffer::new();
        self.count(|client| client.refuse(&error));
        if !matches!(error, HandshakeError::Incomplete(Incomplete::UnexpectedEof)) {
            self.handshake.respond(&error, &mut output);
            self.end(output, error.lingers()).await;
        }
        error.into()
    }

    /// Counts the client, if it is one of a server.
    fn count(&self, count: impl FnOnce(&CountedClient)) {
        if let Some(Guard(Some(slot))) = &self.slot {
            count(slot.client());
        }
    }

    async fn end(mut self: Box<Self>, mut output: SendBuffer, lingers: bool) {
        let deadline = self.config.timeouts.ending(now());
        Box::pin(refuse(&mut self.io, &mut output, &deadline, lingers)).await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for Incoming<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("peer", &self.peer_addr())
            .field("request", &self.request())
            .finish_non_exhaustive()
    }
}
