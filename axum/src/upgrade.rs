//! The extractor.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse as _, Response};
use http::Version;
use http::header::{HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use sansock_tokio::handshake::{Answer, HandshakeError, HostPolicy, OriginPolicy, RequestError};
use sansock_tokio::hyper::{ServerHandshake, Upgrade};
use sansock_tokio::{Config, Connections, Error, Timeouts};

use crate::WebSocket;
use crate::rejection::{
    ConnectionNotUpgradable, Draining, HandshakeRejection, WebSocketUpgradeRejection,
};

/// What connections belong to that no [`serve`](crate::serve) closes.
static OF_NO_SERVER: LazyLock<Connections> = LazyLock::new(Connections::new);

/// Extractor for a request for WebSocket: by Upgrade of HTTP/1.1 or by extended CONNECT of HTTP/2.
///
/// Use it with [`any`](axum::routing::any), because the method is `GET` for HTTP/1.1 and `CONNECT`
/// for HTTP/2. The [crate's page](crate) has examples.
///
/// Other requests are rejected ([`WebSocketUpgradeRejection`]). `Option<WebSocketUpgrade>` is
/// `None` for them, and rejects only requests for WebSocket that are wrong.
#[must_use = "the request is not accepted until `on_upgrade` is called"]
pub struct WebSocketUpgrade<F = DefaultOnFailedUpgrade> {
    /// Boxed, since builder methods move it.
    state: Box<State>,
    on_failed_upgrade: F,
}

struct State {
    handshake: ServerHandshake,
    config: Config,
    /// The limit of [`WebSocketUpgrade::max_frame_size`].
    max_frame_size: Option<u64>,
    answer: Answer,
    origins: OriginPolicy,
    hosts: HostPolicy,
    requested: Vec<HeaderValue>,
    selected: Option<HeaderValue>,
    /// `None` if the request did not come through [`serve`](crate::serve).
    connections: Option<Connections>,
    version: Version,
}

impl<F> WebSocketUpgrade<F> {
    /// Sets limits, delivery and timeouts of the connection. The default is
    /// [`Config::public_server`].
    pub fn config(mut self, config: Config) -> Self {
        self.state.config = config;
        self
    }

    /// Sets the timeouts of the connection.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.state.config.timeouts = timeouts;
        self
    }

    /// Sets the largest size of a message that is received, in bytes; default 1 MiB. A larger one
    /// ends the connection with 1009. The limit of a frame becomes the same, unless
    /// [`max_frame_size`](Self::max_frame_size) has set it.
    pub fn max_message_size(mut self, max: usize) -> Self {
        let max = u64::try_from(max).unwrap_or(u64::MAX);
        let frame = self.state.max_frame_size.unwrap_or(max);
        self.state.config.limits = self.state.config.limits.message(max).frame(frame);
        self
    }

    /// Sets the largest payload of a frame that is received, in bytes; default 1 MiB. A larger one
    /// ends the connection with 1009.
    pub fn max_frame_size(mut self, max: usize) -> Self {
        let max = u64::try_from(max).unwrap_or(u64::MAX);
        self.state.max_frame_size = Some(max);
        self.state.config.limits = self.state.config.limits.frame(max);
        self
    }

    /// Sets how many bytes may wait for a client that reads slowly; default 4 MiB. More of them are
    /// an error of the program's call.
    pub fn max_write_buffer_size(mut self, max: usize) -> Self {
        self.state.config.limits = self.state.config.limits.buffered(max);
        self
    }

    /// Sets the largest number of bytes that one read asks for; default 32 KiB.
    pub fn read_buffer_size(mut self, size: usize) -> Self {
        self.state.config.read_size = size;
        self
    }

    /// Accepts permessage-deflate (RFC 7692) from clients that offer it. Default: no compression.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, config: sansock_tokio::deflate::DeflateConfig) -> Self {
        self.state.answer = self.state.answer.deflate(config);
        self
    }

    /// Sets which pages may connect from a browser (RFC 6455, 10.2). A request that the policy
    /// refuses gets a response with 403. The default, [`OriginPolicy::SameHost`], accepts pages of
    /// the server's own host, and clients without an Origin header, which are not browsers.
    pub fn origins(mut self, policy: OriginPolicy) -> Self {
        self.state.origins = policy;
        self
    }

    /// Sets which hosts the server answers to. A request for another gets a response with 421
    /// ([`HostPolicy`]). Default: [`HostPolicy::Any`].
    pub fn hosts(mut self, policy: HostPolicy) -> Self {
        self.state.hosts = policy;
        self
    }

    /// Adds a header to the response that accepts the request, such as Set-Cookie.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.state.answer = self.state.answer.header(name, value);
        self
    }

    /// Sets the subprotocols that the server supports, in the order of its preference. The first
    /// one that the client offers is [selected](Self::selected_protocol).
    ///
    /// ```
    /// use axum::response::Response;
    /// use sansock_axum::WebSocketUpgrade;
    ///
    /// async fn handler(ws: WebSocketUpgrade) -> Response {
    ///     ws.protocols(["graphql-transport-ws", "graphql-ws"]).on_upgrade(|socket| async move {
    ///         println!("{:?}", socket.subprotocol());
    ///     })
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/ws", axum::routing::any(handler));
    /// ```
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        let requested = &self.state.requested;
        self.state.selected = protocols.into_iter().find_map(|name| {
            let name = name.into();
            requested.iter().find(|it| it.as_bytes() == name.as_bytes()).cloned()
        });
        self
    }

    /// Iterates over the subprotocols that the client offers, in the order of its preference.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &HeaderValue> {
        self.state.requested.iter()
    }

    /// Selects a subprotocol, instead of [`protocols`](Self::protocols). One that the client does
    /// not offer makes [`on_upgrade`](Self::on_upgrade) return a response with 500.
    pub fn set_selected_protocol(&mut self, protocol: HeaderValue) {
        self.state.selected = Some(protocol);
    }

    /// Returns the selected subprotocol.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&HeaderValue> {
        self.state.selected.as_ref()
    }

    /// Sets what to call if the connection cannot be taken over after the request was accepted, for
    /// example because the client has gone. Such errors are ignored by default.
    ///
    /// ```
    /// use axum::response::Response;
    /// use sansock_axum::WebSocketUpgrade;
    ///
    /// async fn handler(ws: WebSocketUpgrade) -> Response {
    ///     ws.on_failed_upgrade(|error| eprintln!("{error}")).on_upgrade(|_socket| async {})
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/ws", axum::routing::any(handler));
    /// ```
    pub fn on_failed_upgrade<C: OnFailedUpgrade>(self, callback: C) -> WebSocketUpgrade<C> {
        WebSocketUpgrade { state: self.state, on_failed_upgrade: callback }
    }

    /// Returns the response that accepts the request, and spawns a task that calls `callback` with
    /// the connection. If the request is refused, because of its Origin or host or because the
    /// selected subprotocol is not one that the client offers, it returns the response that says
    /// so.
    ///
    /// When the callback has returned and the connection is dropped, wherever it was moved to, the
    /// task writes the queued messages, and then a Close frame with 1000, or with 1011 if the
    /// callback has panicked.
    #[must_use = "the client gets this response, so the handler must return it"]
    pub fn on_upgrade<C, Fut>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
        F: OnFailedUpgrade,
    {
        let Self { mut state, on_failed_upgrade } = self;
        let connections = state.connections.take();
        let version = state.version;
        let (response, upgrade) = match state.accept() {
            Ok(accepted) => accepted,
            Err(error) => return HandshakeRejection::new(error, version).into_response(),
        };
        let connections = connections.as_ref().unwrap_or_else(|| &OF_NO_SERVER);
        connections.spawn(upgrade, |opened| async {
            match opened {
                Ok(socket) => callback(socket).await,
                Err(error) => on_failed_upgrade.call(error),
            }
            Ok(())
        });
        response.map(|()| Body::empty())
    }
}

impl State {
    /// Checks the request against the policies, and makes the response.
    fn accept(self) -> Result<(http::Response<()>, Upgrade), HandshakeError> {
        let request = self.handshake.request();
        self.hosts.check(&request)?;
        self.origins.check(&request)?;
        let mut answer = self.answer;
        if let Some(name) = self.selected {
            answer = answer.subprotocol(String::from_utf8_lossy(name.as_bytes()));
        }
        self.handshake.accept(&answer, &self.config)
    }
}

impl WebSocketUpgrade {
    fn extract(parts: &mut Parts) -> Result<Self, WebSocketUpgradeRejection> {
        let is_upgradable = parts.extensions.get::<OnUpgrade>().is_some();
        let version = parts.version;
        let refused =
            |error| WebSocketUpgradeRejection::Handshake(HandshakeRejection::new(error, version));
        let handshake = ServerHandshake::from_parts(parts).map_err(refused)?;
        let request = handshake.request();
        if !request.is_websocket() {
            return Err(refused(RequestError::UpgradeRequired.into()));
        }
        if !is_upgradable {
            return Err(ConnectionNotUpgradable.into());
        }
        let connections: Option<Connections> = parts.extensions.get().cloned();
        if let Some(rejection) = connections.as_ref().and_then(Connections::refusal) {
            let draining = Draining::new(&handshake, &rejection);
            return Err(WebSocketUpgradeRejection::Draining(draining));
        }
        let requested = request.subprotocols().map(HeaderValue::from_str).filter_map(Result::ok);
        let state = State {
            requested: requested.collect(),
            handshake,
            config: Config::public_server(),
            max_frame_size: None,
            answer: Answer::new(),
            origins: OriginPolicy::SameHost,
            hosts: HostPolicy::Any,
            selected: None,
            connections,
            version,
        };
        Ok(Self { state: Box::new(state), on_failed_upgrade: DefaultOnFailedUpgrade })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::extract(parts)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        asks_for_websocket(parts).then(|| Self::extract(parts)).transpose()
    }
}

/// Whether the request has any sign of a WebSocket handshake.
fn asks_for_websocket(parts: &Parts) -> bool {
    let is_websocket = |name: &[u8]| name.trim_ascii().eq_ignore_ascii_case(b"websocket");
    let mut upgrades = parts.headers.get_all(UPGRADE).iter();
    parts.extensions.get::<Protocol>().is_some_and(|it| it.as_str() == "websocket")
        || parts.headers.contains_key(SEC_WEBSOCKET_KEY)
        || parts.headers.contains_key(SEC_WEBSOCKET_VERSION)
        || upgrades.any(|it| it.as_bytes().split(|byte| *byte == b',').any(is_websocket))
}

impl<F> fmt::Debug for WebSocketUpgrade<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("request", &self.state.handshake.request())
            .field("selected_protocol", &self.state.selected)
            .field("config", &self.state.config)
            .finish_non_exhaustive()
    }
}

/// What to do if the connection cannot be taken over
/// ([`WebSocketUpgrade::on_failed_upgrade`]).
pub trait OnFailedUpgrade: Send + 'static {
    /// Is called with the error.
    fn call(self, error: Error);
}

impl<F: FnOnce(Error) + Send + 'static> OnFailedUpgrade for F {
    fn call(self, error: Error) {
        self(error);
    }
}

/// The default of [`WebSocketUpgrade`]: ignores the error.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct DefaultOnFailedUpgrade;

impl OnFailedUpgrade for DefaultOnFailedUpgrade {
    fn call(self, _: Error) {}
}
