//! A server's opening handshake over a transport that other code has accepted.

use std::time::Instant;

use super::linger::{OF_REFUSED, discard, until, write_and_end, write_until};
use super::opening::read_head;
use super::{Error, Transport, WebSocket};
use crate::handshake::{
    Answer, Established, HandshakeError, HeadLimits, Incomplete, OriginPolicy, Rejection, Request,
    ServerHandshake,
};
use crate::{Config, ReceiveBuffer, SendBuffer};

/// Does a server's opening handshake over a transport that other code has accepted, such as a Unix
/// socket: reads the client's request, and sends the answer that `choose` makes of it; `None` if that was a
/// rejection. The transport must be blocking. [`Server`](super::Server) does the same for its TCP clients.
///
/// Pages of other sites are refused with 403 before `choose` is called
/// ([`OriginPolicy::SameHost`]). No write timeout is set
/// ([`WebSocket::set_write_timeout`]).
///
/// ```no_run
/// # #[cfg(unix)] fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::os::unix::net::UnixListener;
/// use sansock::handshake::{Answer, Rejection};
/// use sansock::{Config, net};
///
/// for stream in UnixListener::bind("/run/chat.sock")?.incoming() {
///     let stream = stream?;
///     std::thread::spawn(move || -> Result<(), net::Error> {
///         let accepted = net::accept(stream, &Config::new(), |request| match request.path() {
///             "/chat" => Ok(Answer::new()),
///             _ => Err(Rejection::new(404)),
///         })?;
///         let Some(mut socket) = accepted else { return Ok(()) };
///         socket.send("welcome")?;
///         socket.close(None, "")?;
///         Ok(())
///     });
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`Error::Handshake`] if the request is wrong, or takes longer than
/// [`Timeouts::handshake`](crate::Timeouts::handshake), and [`Error::Io`]. A client that is refused
/// was sent the response that says why; unless it was too slow or sent no HTTP, its end was awaited,
/// for [`Timeouts::closing`](crate::Timeouts::closing) at most.
pub fn accept<S: Transport>(
    mut stream: S,
    config: &Config,
    choose: impl FnOnce(&Request<'_>) -> Result<Answer, Rejection>,
) -> Result<Option<WebSocket<S>>, Error> {
    let deadline = config.timeouts.opening(Instant::now());
    let mut input = ReceiveBuffer::with_read_size(config.read_size);
    let mut output = SendBuffer::new();
    let mut handshake = ServerHandshake::new(HeadLimits::new());
    let answered = match read_head(&mut stream, &mut input, &mut handshake, &deadline) {
        Ok(()) => answer(&handshake, choose, &mut output),
        Err(Error::Handshake(error)) => Err(error),
        Err(error) => return Err(error),
    };
    let established = match answered {
        Ok(Some(established)) => established,
        Ok(None) => {
            end(&mut stream, &mut output, config, true);
            return Ok(None);
        }
        Err(error) => {
            handshake.respond(&error, &mut output);
            end(&mut stream, &mut output, config, error.lingers());
            return Err(error.into());
        }
    };
    if !write_until(&mut stream, &mut output, until(&deadline))? {
        return Err(Incomplete::TimedOut.into());
    }
    let connection = established.connection(config);
    let mut socket = WebSocket::new(stream, connection, input, output)?;
    socket.set_established(established);
    Ok(Some(socket))
}

/// Queues the answer to the request; `None` if it is a rejection.
fn answer(
    handshake: &ServerHandshake,
    choose: impl FnOnce(&Request<'_>) -> Result<Answer, Rejection>,
    output: &mut SendBuffer,
) -> Result<Option<Established>, HandshakeError> {
    let Some(request) = handshake.request() else { return Ok(None) };
    OriginPolicy::SameHost.check(&request)?;
    match choose(&request) {
        Ok(answer) => request.accept(&answer, output).map(Some),
        Err(rejection) => {
            request.reject(&rejection, output)?;
            Ok(None)
        }
    }
}

/// Writes the response, ends our side, and perhaps awaits the client's end.
fn end<S: Transport>(stream: &mut S, output: &mut SendBuffer, config: &Config, lingers: bool) {
    let deadline = config.timeouts.ending(Instant::now());
    if write_and_end(stream, output, &deadline) && lingers {
        discard(stream, &deadline, OF_REFUSED);
    }
}
