//! One client of a server: its request and the response.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::options::Options;
use super::registry::Guard;
use crate::counts::{CountedClient, Refusal};
use crate::handshake::{Answer, HandshakeError, Incomplete, Rejection, Request, ServerHandshake};
use crate::net::linger::write_and_end;
use crate::net::lock::lock;
use crate::net::opening::read_head;
use crate::net::proxy_header::{self, Proxied};
use crate::net::slot::Slot;
use crate::net::{Error, Stream, WebSocket};
use crate::{Config, ReceiveBuffer, SendBuffer};

/// A client whose request has arrived and is valid HTTP: accept it or reject it.
///
/// If the program does neither, the client gets a response with 500, and
/// [`Server::on_error`](super::Server::on_error) hears of it.
#[derive(Debug)]
pub struct Incoming {
    pub(in crate::net) slot: Arc<Slot>,
    peer: SocketAddr,
    pub(in crate::net) proxied: Proxied,
    handshake: ServerHandshake,
    pending: Mutex<Pending>,
    options: Arc<Options>,
}

/// The parts that the response consumes.
#[derive(Debug)]
struct Pending {
    /// Bytes that arrived after the request.
    input: ReceiveBuffer,
    config: Config,
    answer: Option<Answered>,
}

/// How the request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Accepted,
    Rejected,
}

impl Incoming {
    /// Reads the client's request. A wrong request gets an error response, and is returned as an
    /// error.
    pub(super) fn open(
        guard: &Guard,
        peer: SocketAddr,
        options: &Arc<Options>,
    ) -> Result<Self, Error> {
        let slot = Arc::clone(&guard.slot);
        let mut handshake = ServerHandshake::new(options.head_limits);
        let mut input = ReceiveBuffer::with_read_size(options.config().read_size);
        let mut stream = slot.stream().clone();
        stream.get_ref().set_nodelay(true)?;
        let timeouts = options.config().timeouts;
        let deadline = timeouts.opening(Instant::now());
        let proxied =
            match proxy_header::read(options.proxy.as_ref(), stream.get_ref(), peer, &deadline) {
                Ok(proxied) => proxied,
                Err(error) => {
                    // No response is possible: TLS would come before it.
                    slot.settle();
                    return Err(error);
                }
            };
        if let Err(error) = stream.open(&deadline) {
            // Before the client's end is awaited.
            slot.client().refuse(error.refusal());
            if matches!(error, Error::Tls(_)) {
                stream.linger_without_tls(&timeouts.ending(Instant::now()));
            }
            slot.settle();
            return Err(error);
        }
        let read = read_head(&mut stream, &mut input, &mut handshake, &deadline);
        let incoming = Self {
            slot,
            peer,
            proxied,
            handshake,
            pending: Mutex::new(Pending { input, config: options.config(), answer: None }),
            options: Arc::clone(options),
        };
        match read {
            Err(Error::Handshake(
                error @ HandshakeError::Incomplete(Incomplete::UnexpectedEof),
            )) => {
                // The peer is gone: no response is possible.
                incoming.slot.settle();
                return Err(error.into());
            }
            Err(Error::Handshake(error)) => {
                if !error.lingers() {
                    incoming.slot.settle();
                }
                incoming.refuse::<()>(error)?;
            }
            Err(error) => return Err(error),
            Ok(()) => {
                let goes_on = incoming.slot.open();
                let is_websocket = incoming.request().is_websocket();
                if let Some(rejection) = guard.refusal(goes_on, is_websocket) {
                    incoming.slot.client().refuse(Refusal::Draining);
                    incoming.reject(&rejection)?;
                    let kind = io::ErrorKind::ConnectionAborted;
                    return Err(io::Error::new(kind, "the server shuts down").into());
                }
                if let Err(error) = options.hosts.check(&incoming.request()) {
                    return incoming.refuse(error.into());
                }
            }
        }
        Ok(incoming)
    }

    /// Returns the address of the client: the one that a trusted proxy has sent in a PROXY header
    /// (`Server::proxy_protocol`, feature `proxy-protocol`), or that of the
    /// [TCP peer](Self::peer_addr).
    #[must_use]
    pub fn client_addr(&self) -> SocketAddr {
        self.proxied.source().unwrap_or(self.peer)
    }

    /// Returns the address of the TCP peer: the client, or a proxy in front of the server.
    #[must_use]
    pub const fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Returns the client's request: target, headers, subprotocols, Origin.
    ///
    /// # Panics
    ///
    /// Never: an `Incoming` exists only once its request has arrived.
    #[must_use]
    #[expect(clippy::expect_used, reason = "`open` makes an `Incoming` only of a whole request")]
    pub fn request(&self) -> Request<'_> {
        self.handshake.request().expect("the request has arrived")
    }

    /// Sets limits, delivery and timeouts of this connection, for a server whose endpoints need
    /// different settings. Default: those of the server. A config without keepalive gets that of
    /// the server ([`Server::keepalive`](super::Server::keepalive)).
    pub fn set_config(&self, config: Config) {
        lock(&self.pending).config = self.options.with_keepalive(config);
    }

    /// Accepts the client, without a subprotocol.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`accept_with`](Self::accept_with) returns it.
    pub fn accept(&self) -> Result<WebSocket, Error> {
        self.accept_with(&Answer::new())
    }

    /// Accepts the client.
    ///
    /// # Errors
    ///
    /// - [`Error::Handshake`] if the request does not ask for WebSocket, its Origin is refused, or
    ///   the answer is not valid: the client has then been sent an error response.
    /// - [`Error::Io`] if the transport is broken, or the request was answered before.
    pub fn accept_with(&self, answer: &Answer) -> Result<WebSocket, Error> {
        self.check_unanswered()?;
        let answer = answer.clone().or_deflate_of(&self.options.answer);
        let mut output = SendBuffer::new();
        let request = self.request();
        let checked = self.options.origins.check(&request).map_err(HandshakeError::from);
        let established = match checked.and_then(|()| request.accept(&answer, &mut output)) {
            Ok(established) => established,
            Err(error) => return self.refuse(error),
        };
        self.claim(Answered::Accepted)?;
        self.slot.client().accept();
        let (config, input) = self.take_parts();
        let connection = established.connection(&config);
        let mut socket = WebSocket::new(self.stream(), connection, input, output)?;
        socket.set_write_timeout(self.options.write_timeout);
        socket.set_established(established);
        socket.set_slot(Arc::clone(&self.slot));
        socket.flush()?;
        Ok(socket)
    }

    /// Rejects the request: responds with an error, or with a page, instead of a connection.
    ///
    /// # Errors
    ///
    /// - [`Error::Handshake`] if the answer is not valid: the client has then been sent 500.
    /// - [`Error::Io`] if the transport is broken, or the request was answered before.
    pub fn reject(&self, rejection: &Rejection) -> Result<(), Error> {
        self.check_unanswered()?;
        let mut output = SendBuffer::new();
        match self.request().reject(rejection, &mut output) {
            Ok(()) => {
                let is_websocket = self.request().is_websocket();
                self.end(output, |client| client.answer(is_websocket))
            }
            Err(error) => self.refuse(error.into()),
        }
    }

    pub(super) fn answer(&self) -> Option<Answered> {
        lock(&self.pending).answer
    }

    /// Returns the parts for a connection.
    fn take_parts(&self) -> (Config, ReceiveBuffer) {
        let mut pending = lock(&self.pending);
        (pending.config, std::mem::take(&mut pending.input))
    }

    fn check_unanswered(&self) -> Result<(), Error> {
        self.answer().map_or(Ok(()), |_| Err(already_answered()))
    }

    /// Records the answer, before a byte of it is written: of several threads that answer, one does.
    fn claim(&self, answer: Answered) -> Result<(), Error> {
        let mut pending = lock(&self.pending);
        if pending.answer.is_some() {
            return Err(already_answered());
        }
        pending.answer = Some(answer);
        Ok(())
    }

    /// Sends the client an error response.
    fn refuse<T>(&self, error: HandshakeError) -> Result<T, Error> {
        let mut output = SendBuffer::new();
        self.handshake.respond(&error, &mut output);
        self.end(output, |client| client.refuse(&error))?;
        Err(error.into())
    }

    /// Writes the response and ends our side. After the handler has returned, the server waits
    /// until the client ends its side.
    fn end(&self, mut output: SendBuffer, count: impl FnOnce(&CountedClient)) -> Result<(), Error> {
        self.claim(Answered::Rejected)?;
        count(self.slot.client());
        write_and_end(&mut self.stream(), &mut output, &self.options.ending());
        Ok(())
    }

    fn stream(&self) -> Stream {
        self.slot.stream().clone()
    }
}

fn already_answered() -> Error {
    let text = "the request was answered already";
    io::Error::new(io::ErrorKind::NotConnected, text).into()
}
