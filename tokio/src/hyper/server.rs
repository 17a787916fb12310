//! A server's side: the answer to a request that hyper has parsed.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Version;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use sansock::Config;
use sansock::handshake::http::HttpServerHandshake;
use sansock::handshake::{
    Answer, Carrier, Established, HandshakeError, OriginPolicy, Rejection, Request, RequestError,
    UsageError,
};

use super::io::{Upgraded, take_over};
use crate::clock::now;
use crate::{Error, WebSocket};

/// Answers a request for WebSocket: returns the response, and a future of the connection, which a
/// task awaits while hyper writes the response. Pages of other sites are refused
/// ([`OriginPolicy::SameHost`]).
///
/// ```
/// use http::{Request, Response};
/// use sansock_tokio::handshake::Answer;
/// use sansock_tokio::{Config, Error};
///
/// async fn service<B>(mut request: Request<B>) -> Response<Vec<u8>> {
///     let config = Config::public_server();
///     let (response, upgrade) =
///         match sansock_tokio::hyper::upgrade(&mut request, &Answer::new(), &config) {
///             Ok(accepted) => accepted,
///             Err(refusal) => return refusal,
///         };
///     tokio::spawn(async move {
///         let mut socket = upgrade.await?;
///         while let Some(message) = socket.next_message().await? {
///             socket.send(message).await?;
///         }
///         Ok::<_, Error>(())
///     });
///     response.map(|()| Vec::new())
/// }
/// ```
///
/// # Errors
///
/// The response that refuses the request: it is not valid, is none for WebSocket, or its Origin is
/// refused.
#[expect(clippy::result_large_err, reason = "the caller returns either response by value")]
pub fn upgrade<B>(
    request: &mut http::Request<B>,
    answer: &Answer,
    config: &Config,
) -> Result<(http::Response<()>, Upgrade), http::Response<Vec<u8>>> {
    let version = request.version();
    let accepted = ServerHandshake::new(request).and_then(|handshake| {
        OriginPolicy::SameHost.check(&handshake.request())?;
        handshake.accept(answer, config)
    });
    accepted.map_err(|error| refuse(&error, version))
}

/// Makes the response to a request of this HTTP version that failed with this error:
/// [`HandshakeError::to_http`].
#[must_use]
pub fn refuse(error: &HandshakeError, version: http::Version) -> http::Response<Vec<u8>> {
    let carrier = match version {
        Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11 => Carrier::Upgrade,
        // Without the headers that HTTP/2 does not have.
        _ => Carrier::ExtendedConnect,
    };
    error.to_http(carrier)
}

/// How the request asks for WebSocket: by `:protocol` of HTTP/2, or by Upgrade of HTTP/1.1.
fn carrier(extensions: &http::Extensions) -> Result<Carrier, RequestError> {
    match extensions.get::<Protocol>() {
        None => Ok(Carrier::Upgrade),
        Some(protocol) if protocol.as_str() == "websocket" => Ok(Carrier::ExtendedConnect),
        Some(_) => Err(RequestError::UnsupportedProtocol),
    }
}

/// A client's request that hyper has parsed: accept it or reject it.
///
/// A plain HTTP request is one too ([`Request::is_websocket`]); only [`accept`](Self::accept)
/// refuses it.
#[derive(Debug)]
pub struct ServerHandshake {
    handshake: HttpServerHandshake,
    /// `None` for a plain request, which keeps it.
    upgrade: Option<OnUpgrade>,
}

impl ServerHandshake {
    /// Checks the request, and takes its [`OnUpgrade`] if it asks for WebSocket.
    ///
    /// # Errors
    ///
    /// The request is not valid. Answer it with [`refuse`].
    pub fn new<B>(request: &mut http::Request<B>) -> Result<Self, HandshakeError> {
        let handshake = HttpServerHandshake::new(request, carrier(request.extensions())?)?;
        let is_websocket = handshake.request().is_websocket();
        let upgrade = is_websocket.then(|| hyper::upgrade::on(request));
        Ok(Self { handshake, upgrade })
    }

    /// Does the same as [`new`](Self::new), without the request's body.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_parts(parts: &mut http::request::Parts) -> Result<Self, HandshakeError> {
        let handshake = HttpServerHandshake::from_parts(parts, carrier(&parts.extensions)?)?;
        let is_websocket = handshake.request().is_websocket();
        let upgrade = is_websocket.then(|| {
            // hyper takes it from a whole request only.
            let mut request = http::Request::new(());
            std::mem::swap(request.extensions_mut(), &mut parts.extensions);
            let upgrade = hyper::upgrade::on(&mut request);
            std::mem::swap(request.extensions_mut(), &mut parts.extensions);
            upgrade
        });
        Ok(Self { handshake, upgrade })
    }

    /// Returns the request, for policies, subprotocols and headers.
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        self.handshake.request()
    }

    /// Makes the response, and a future of the connection. The Origin is not checked here: see
    /// [`OriginPolicy::check`].
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Request`] for a plain HTTP request, and [`HandshakeError::Usage`] if the
    /// answer does not fit the request. Answer it with [`refuse`].
    pub fn accept(
        self,
        answer: &Answer,
        config: &Config,
    ) -> Result<(http::Response<()>, Upgrade), HandshakeError> {
        let (response, established) = self.handshake.accept(answer)?;
        let carrier = self.request().carrier();
        let upgrade = self.upgrade.ok_or(RequestError::UpgradeRequired)?;
        Ok((response, Upgrade::new(upgrade, carrier, established, *config)))
    }

    /// Makes the response that rejects the client, or the answer to a plain HTTP request.
    ///
    /// # Errors
    ///
    /// [`HttpServerHandshake::reject`] says which rejections are not valid.
    pub fn reject(&self, rejection: &Rejection) -> Result<http::Response<Vec<u8>>, UsageError> {
        self.handshake.reject(rejection)
    }
}

/// The connection, as soon as hyper has written the response.
///
/// # Errors
///
/// [`Error::Handshake`] if that takes longer than
/// [`Timeouts::handshake`](sansock::Timeouts::handshake), and [`Error::Io`] if the HTTP connection
/// has ended before, or if its server was not run with upgrades.
#[must_use = "the client waits until the future is awaited"]
pub struct Upgrade(Pin<Box<dyn Future<Output = Result<WebSocket<Upgraded>, Error>> + Send>>);

impl Upgrade {
    fn new(upgrade: OnUpgrade, carrier: Carrier, established: Established, config: Config) -> Self {
        Self(Box::pin(async move {
            let deadline = config.timeouts.opening(now());
            take_over(upgrade, carrier, established, &config, &deadline).await
        }))
    }
}

impl Future for Upgrade {
    type Output = Result<WebSocket<Upgraded>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").finish_non_exhaustive()
    }
}
