//! One client of a server: its request and the answer.

use std::io;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use super::super::linger::{linger, linger_until};
use super::super::opening::read_head;
use super::super::slot::Slot;
use super::super::{Error, Socket, Stream, WebSocket};
use super::Options;
use super::registry::Guard;
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::handshake::{Answer, HandshakeError, Incomplete, Rejection, Request, ServerHandshake};

/// A client whose request has arrived and is right: accept it or reject it.
///
/// If neither is done, it is rejected with 500.
#[derive(Debug)]
pub struct Incoming {
    stream: Option<Stream>,
    pub(in super::super) slot: Arc<Slot>,
    peer: SocketAddr,
    handshake: ServerHandshake,
    input: ReceiveBuffer,
    output: SendBuffer,
    options: Options,
}

impl Incoming {
    /// The address of the client, or of the proxy before it.
    #[must_use]
    pub const fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// What the client asks for: target, headers, subprotocols, Origin. `None` only after it was
    /// answered.
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        if self.stream.is_some() { self.handshake.request() } else { None }
    }

    /// Accepts the client, without a subprotocol.
    ///
    /// # Errors
    ///
    /// As [`accept_with`](Self::accept_with).
    pub fn accept(&mut self) -> Result<WebSocket, Error> {
        self.accept_with(&Answer::new())
    }

    /// Accepts the client.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the request does not ask for WebSocket, its Origin is refused, or the
    /// answer is not valid: then the client has got an error. [`Error::Io`].
    pub fn accept_with(&mut self, answer: &Answer) -> Result<WebSocket, Error> {
        let answer = answer.clone().or_deflate_of(&self.options.answer);
        let established = match self.request().map(|request| {
            self.options.origins.check(&request)?;
            let mut output = SendBuffer::new();
            Ok((request.accept(&answer, &mut output)?, output))
        }) {
            None => return Err(answered()),
            Some(Err(error)) => return self.refuse(error),
            Some(Ok((established, output))) => {
                self.output = output;
                established
            }
        };
        let mut stream = self.stream.take().ok_or_else(answered)?;
        self.output.write_to(&mut stream)?;
        let input = std::mem::take(&mut self.input);
        let connection = established.connection(&self.options.config);
        let output = std::mem::take(&mut self.output);
        let mut socket = WebSocket::new(stream, connection, input, output)?;
        socket.set_negotiated(&established);
        socket.set_slot(Arc::clone(&self.slot));
        Ok(socket)
    }

    /// Answers with something else than a connection: an error, or a page.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the answer is not valid: then the client has got 500. [`Error::Io`].
    pub fn reject(&mut self, rejection: &Rejection) -> Result<(), Error> {
        let result = match self.handshake.request().filter(|_| self.stream.is_some()) {
            None => return Err(answered()),
            Some(request) => request.reject(rejection, &mut self.output),
        };
        match result {
            Ok(()) => self.say_goodbye(),
            Err(error) => self.refuse(error.into()),
        }
    }

    /// Tells the client what is wrong.
    fn refuse<T>(&mut self, error: HandshakeError) -> Result<T, Error> {
        error.respond(&mut self.output);
        self.say_goodbye()?;
        Err(error.into())
    }

    /// Writes the answer and ends our side; [`serve_one`] waits for the client's end.
    fn say_goodbye(&mut self) -> Result<(), Error> {
        let Some(mut stream) = self.stream.take() else { return Ok(()) };
        self.output.write_to(&mut stream)?;
        Ok(stream.shutdown_write()?)
    }
}

fn answered() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::NotConnected, "the request was answered already"))
}

/// One connection from its first byte to its last.
pub(super) fn serve_one<F>(guard: &Guard, peer: SocketAddr, options: Options, serve: &F)
where
    F: Fn(&mut Incoming) -> Result<(), Error>,
{
    let mut incoming = Incoming {
        stream: Some(guard.slot.stream().clone()),
        slot: Arc::clone(&guard.slot),
        peer,
        handshake: ServerHandshake::new(options.head_limits),
        input: ReceiveBuffer::new(),
        output: SendBuffer::new(),
        options,
    };
    let _ = panic::catch_unwind(AssertUnwindSafe(|| match incoming.open() {
        // Whoever wants to know about its errors looks at them in `serve`; of a panic the panic hook
        // tells.
        Ok(()) => drop(serve(&mut incoming)),
        Err(error) => incoming.options.on_error.report(&error, Some(peer)),
    }));
    if incoming.stream.is_some() {
        let _ = incoming.reject(&Rejection::new(500));
    }
    // The client has an answer or a Close frame that it may not have read yet, or the program has
    // dropped its socket.
    if !guard.slot.is_settled() && guard.slot.stream().clone().shutdown_write().is_ok() {
        let until = linger_until(incoming.options.config.timeouts.closing);
        linger(&mut guard.slot.stream().clone(), until);
    }
}

impl Incoming {
    fn open(&mut self) -> Result<(), Error> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        stream.get_ref().set_nodelay(true)?;
        stream.get_ref().set_write_timeout(self.options.write_timeout)?;
        let timeouts = &self.options.config.timeouts;
        let deadline = timeouts.opening(Instant::now());
        if let Err(error) = stream.open(&deadline) {
            if matches!(error, Error::Tls(_)) {
                stream.hang_up(linger_until(timeouts.closing));
            }
            self.slot.settle();
            self.stream = None;
            return Err(error);
        }
        match read_head(stream, &mut self.input, &mut self.handshake, &deadline) {
            Err(Error::Handshake(
                error @ HandshakeError::Incomplete(Incomplete::UnexpectedEof),
            )) => {
                // Nobody is there to be told.
                self.stream = None;
                Err(error.into())
            }
            Err(Error::Handshake(error)) => self.refuse(error),
            Ok(()) if !self.slot.open() => {
                self.reject(&Rejection::new(503))?;
                let kind = io::ErrorKind::ConnectionAborted;
                Err(io::Error::new(kind, "the server shuts down").into())
            }
            result => result,
        }
    }
}
