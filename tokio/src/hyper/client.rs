//! A client's side: the request, and the check of the response that hyper has parsed.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Instant;

use bytes::Buf as _;
use hyper::body::Body;
use hyper::ext::Protocol;
use sansock::handshake::http::HttpClientHandshake;
use sansock::handshake::{Carrier, HandshakeError, HeadLimits, Offer, UsageError, random_nonce};
use sansock::{Config, Deadline};

use super::io::{Upgraded, take_over};
use crate::clock::now;
use crate::opening::in_time;
use crate::{Error, WebSocket};

/// A client's request that hyper sends, and the check of the response.
///
/// ```no_run
/// use hyper_util::rt::TokioIo;
/// use sansock_tokio::handshake::{Carrier, Offer};
/// use sansock_tokio::hyper::ClientHandshake;
/// use sansock_tokio::{Config, Error};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = tokio::net::TcpStream::connect("127.0.0.1:9001").await?;
/// let (mut http, connection) =
///     hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
/// // An upgrade needs `with_upgrades`.
/// tokio::spawn(connection.with_upgrades());
///
/// let offer = Offer::new("ws://127.0.0.1:9001/chat".parse()?);
/// let (handshake, request) = ClientHandshake::start(&offer, Carrier::Upgrade)?;
/// let response = http.send_request(request.map(|()| String::new())).await?;
/// let mut socket = handshake.finish(response, &Config::new()).await?;
/// socket.send("Hello").await?;
/// # Ok(()) }
/// ```
///
/// With HTTP/2 one connection carries many of these. [`http2`](super::http2) makes it; each is then
/// started with [`Carrier::ExtendedConnect`].
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    handshake: HttpClientHandshake,
    carrier: Carrier,
    started: Instant,
}

impl ClientHandshake {
    /// Makes the request. Send it over a connection of HTTP/1.1 for [`Carrier::Upgrade`], and over
    /// one of HTTP/2 for [`Carrier::ExtendedConnect`].
    ///
    /// # Errors
    ///
    /// [`HttpClientHandshake::start`] says which offers are not valid.
    pub fn start(offer: &Offer, carrier: Carrier) -> Result<(Self, http::Request<()>), UsageError> {
        let (handshake, mut request) = HttpClientHandshake::start(offer, random_nonce(), carrier)?;
        if carrier == Carrier::ExtendedConnect {
            request.extensions_mut().insert(Protocol::from_static("websocket"));
        }
        Ok((Self { handshake, carrier, started: now() }, request))
    }

    /// Checks the response, takes the stream from hyper, and makes the connection.
    ///
    /// [`Timeouts::handshake`](sansock::Timeouts::handshake) counts from [`start`](Self::start). It
    /// does not end the wait for the response, which is the program's: use [`tokio::time::timeout`].
    ///
    /// # Errors
    ///
    /// - [`Error::Handshake`] if the server refuses or its response is wrong. A refusal is in the
    ///   error's [`response`](HandshakeError::response), with the first 4 KiB of its body as far as
    ///   they arrive in time.
    /// - [`Error::Io`] if hyper hands over no stream: the HTTP connection has ended; over HTTP/1.1
    ///   it was not run with `with_upgrades`; over HTTP/2 the status is 2xx, but not 200, which is
    ///   the only one that hyper knows.
    pub async fn finish<B: Body>(
        self,
        response: http::Response<B>,
        config: &Config,
    ) -> Result<WebSocket<Upgraded>, Error> {
        let deadline = config.timeouts.opening(self.started);
        let mut response = response;
        match self.handshake.verify(&response) {
            Ok(established) => {
                let upgrade = hyper::upgrade::on(&mut response);
                take_over(upgrade, self.carrier, established, config, &deadline).await
            }
            Err(error) if error.response().is_some() => {
                Err(refused(error, response.into_body(), &deadline).await.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Adds as much of a refusal's body as arrives in time.
async fn refused(error: HandshakeError, body: impl Body, deadline: &Deadline) -> HandshakeError {
    let (limit, mut kept) = (HeadLimits::new().body, Vec::new());
    let mut body = pin!(body);
    let read = async {
        while kept.len() < limit {
            // The end, and an error: there is no more.
            let Some(Ok(frame)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await else { break };
            let Ok(data) = frame.into_data() else { continue };
            let mut data = data.take(limit.saturating_sub(kept.len()));
            while data.has_remaining() {
                let chunk = data.chunk();
                let n = chunk.len();
                kept.extend_from_slice(chunk);
                data.advance(n);
            }
        }
    };
    // What has arrived by then says enough.
    let _ = in_time(deadline, read).await;
    error.with_body(kept)
}
