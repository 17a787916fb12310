//! A client's connection of HTTP/2, with a server that serves WebSocket on it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Body;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper::rt::bounds::Http2ClientConnExec;
use hyper::rt::{Read, Write};
use sansock::Config;
use sansock::handshake::{HandshakeError, Incomplete, ResponseError};

use crate::Error;
use crate::clock::now;
use crate::opening::in_time;

/// Makes a connection of HTTP/2 whose server serves WebSocket on it: waits for its settings, and
/// looks for `SETTINGS_ENABLE_CONNECT_PROTOCOL`. Spawn the connection, and send requests of
/// [`ClientHandshake`](super::ClientHandshake).
///
/// ```no_run
/// use hyper::client::conn::http2::Builder;
/// use hyper_util::rt::{TokioExecutor, TokioIo};
/// use sansock_tokio::Config;
/// use sansock_tokio::handshake::{Carrier, Offer};
/// use sansock_tokio::hyper::{ClientHandshake, http2};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new();
/// let stream = tokio::net::TcpStream::connect("127.0.0.1:9001").await?;
/// let builder = Builder::new(TokioExecutor::new());
/// let (http, connection) = http2(builder, TokioIo::new(stream), &config).await?;
/// tokio::spawn(connection);
///
/// for path in ["one", "two"] {
///     let offer = Offer::new(format!("ws://127.0.0.1:9001/{path}").parse()?);
///     let (handshake, request) = ClientHandshake::start(&offer, Carrier::ExtendedConnect)?;
///     let response = http.clone().send_request(request.map(|()| String::new())).await?;
///     let mut socket = handshake.finish(response, &config).await?;
///     socket.send("Hello").await?;
/// }
/// # Ok(()) }
/// ```
///
/// hyper's windows are for downloads: each stream may hold as much unread as the whole connection,
/// so that one WebSocket that is not read stops all others. Set `initial_stream_window_size` to what
/// one may hold, and `initial_connection_window_size` to that times their number.
///
/// # Errors
///
/// - [`Error::Handshake`] with [`ResponseError::NoExtendedConnect`] if the server serves no
///   WebSocket over HTTP/2, and [`Incomplete::TimedOut`] if its settings take longer than
///   [`Timeouts::handshake`](sansock::Timeouts::handshake).
/// - [`Error::Io`] if it does not speak HTTP/2, or ends the connection.
pub async fn http2<T, B, Ex>(
    mut builder: Builder<Ex>,
    io: T,
    config: &Config,
) -> Result<(SendRequest<B>, Connection<T, B, Ex>), Error>
where
    T: Read + Write + Unpin + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin + 'static,
    Ex: Http2ClientConnExec<B, T> + Clone + Unpin + 'static,
{
    let deadline = config.timeouts.opening(now());
    // "If a client were to use the provisions of the extended CONNECT method defined in this document
    // without first receiving a SETTINGS_ENABLE_CONNECT_PROTOCOL parameter, a non-supporting peer
    // would detect a malformed request and generate a stream error" (RFC 8441, 3). With no stream
    // allowed before the settings, the number of streams also says whether they have arrived.
    builder.initial_max_send_streams(0);
    let opening = async {
        let (sender, mut connection) = builder.handshake(io).await.map_err(io::Error::other)?;
        // hyper wakes no task for settings.
        let mut pause = Duration::from_millis(1);
        while connection.current_max_send_streams() == 0 {
            let end = poll_fn(|cx| Poll::Ready(Pin::new(&mut connection).poll(cx))).await;
            if let Poll::Ready(end) = end {
                let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
                return Err(end.map_or_else(io::Error::other, |()| ended()).into());
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(Duration::from_millis(50));
        }
        if connection.is_extended_connect_protocol_enabled() {
            Ok((sender, connection))
        } else {
            Err(HandshakeError::from(ResponseError::NoExtendedConnect).into())
        }
    };
    in_time(&deadline, Box::pin(opening)).await.ok_or(Incomplete::TimedOut)?
}
