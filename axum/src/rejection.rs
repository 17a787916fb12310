//! Why a request is rejected.

use std::fmt;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Version};
use sansock_tokio::handshake::{HandshakeError, Rejection};
use sansock_tokio::hyper::{ServerHandshake, refuse};

/// Why [`WebSocketUpgrade`](crate::WebSocketUpgrade) rejects a request. As a response it has the
/// status and the headers that tell the client what to change.
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use sansock_axum::WebSocketUpgrade;
/// use sansock_axum::handshake::{HandshakeError, RequestError};
/// use sansock_axum::rejection::WebSocketUpgradeRejection;
///
/// async fn handler(ws: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
///     match ws {
///         Ok(ws) => ws.on_upgrade(|_socket| async {}),
///         Err(WebSocketUpgradeRejection::Handshake(rejection))
///             if *rejection.error() == HandshakeError::Request(RequestError::UpgradeRequired) =>
///         {
///             "This is a WebSocket.".into_response()
///         }
///         Err(rejection) => rejection.into_response(),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/ws", axum::routing::any(handler));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum WebSocketUpgradeRejection {
    /// The request does not ask for WebSocket, or its handshake is not valid.
    Handshake(HandshakeRejection),
    /// The server cannot hand over the connection.
    ConnectionNotUpgradable(ConnectionNotUpgradable),
    /// The server drains or shuts down.
    Draining(Draining),
}

impl WebSocketUpgradeRejection {
    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Handshake(rejection) => rejection.status(),
            Self::ConnectionNotUpgradable(rejection) => rejection.status(),
            Self::Draining(rejection) => rejection.status(),
        }
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn body_text(&self) -> String {
        self.to_string()
    }
}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Handshake(rejection) => rejection.into_response(),
            Self::ConnectionNotUpgradable(rejection) => rejection.into_response(),
            Self::Draining(rejection) => rejection.into_response(),
        }
    }
}

impl fmt::Display for WebSocketUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(rejection) => rejection.fmt(f),
            Self::ConnectionNotUpgradable(rejection) => rejection.fmt(f),
            Self::Draining(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for WebSocketUpgradeRejection {}

impl From<ConnectionNotUpgradable> for WebSocketUpgradeRejection {
    fn from(rejection: ConnectionNotUpgradable) -> Self {
        Self::ConnectionNotUpgradable(rejection)
    }
}

/// The server drains or shuts down: 503, with Retry-After if
/// [`Drain`](sansock_tokio::drain::Drain) has it.
#[derive(Debug)]
pub struct Draining {
    /// Boxed, because a rejection is an error that is rarely returned.
    response: Box<http::Response<Vec<u8>>>,
}

impl Draining {
    pub(crate) fn new(handshake: &ServerHandshake, rejection: &Rejection) -> Self {
        let response = handshake.reject(rejection);
        let response = response.unwrap_or_else(|error| refuse(&error.into(), Version::HTTP_11));
        Self { response: Box::new(response) }
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }
}

impl IntoResponse for Draining {
    fn into_response(self) -> Response {
        (*self.response).map(Body::from)
    }
}

impl fmt::Display for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server shuts down")
    }
}

impl std::error::Error for Draining {}

/// The request does not ask for WebSocket, or its handshake is not valid: 400, 405 or 426.
#[derive(Debug)]
pub struct HandshakeRejection {
    error: HandshakeError,
    version: Version,
}

impl HandshakeRejection {
    /// The request was of this version: a response of HTTP/2 has no Upgrade and Connection headers.
    pub(crate) const fn new(error: HandshakeError, version: Version) -> Self {
        Self { error, version }
    }

    /// Returns what is wrong with the request.
    #[must_use]
    pub const fn error(&self) -> &HandshakeError {
        &self.error
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for HandshakeRejection {
    fn into_response(self) -> Response {
        refuse(&self.error, self.version).map(Body::from)
    }
}

impl fmt::Display for HandshakeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for HandshakeRejection {}

/// The server cannot hand over the connection: it does not support upgrades, or a layer has removed
/// hyper's `OnUpgrade` from the request's extensions. The status is 500, since the client can do
/// nothing about it.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionNotUpgradable;

impl ConnectionNotUpgradable {
    /// Returns the status of the response.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

impl IntoResponse for ConnectionNotUpgradable {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}

impl fmt::Display for ConnectionNotUpgradable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server runs HTTP connections without upgrades, which WebSocket needs")
    }
}

impl std::error::Error for ConnectionNotUpgradable {}
