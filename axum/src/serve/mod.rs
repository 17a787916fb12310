//! A server whose graceful shutdown includes the WebSocket connections.

mod service;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use sansock_tokio::drain::Drain;
use sansock_tokio::{CloseCode, Connections};
use tower_service::Service;

use self::service::Make;

/// How long the WebSocket connections have for their end:
/// [`Timeouts::closing`](sansock_tokio::Timeouts) and a second.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(11);

/// Serves a router, as [`axum::serve`](fn@axum::serve) does, with which it shares listeners, make
/// services and connect info. [`with_graceful_shutdown`](Serve::with_graceful_shutdown) also ends
/// the WebSocket connections.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use axum::Router;
/// use axum::routing::any;
/// use sansock_axum::WebSocketUpgrade;
///
/// let handler = |ws: WebSocketUpgrade| async {
///     ws.on_upgrade(|mut socket| async move {
///         while let Ok(Some(message)) = socket.next_message().await {
///             println!("{message}");
///         }
///     })
/// };
/// let app = Router::new().route("/ws", any(handler));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// sansock_axum::serve(listener, app)
///     .with_graceful_shutdown(async {
///         // Ctrl-C, or whatever ends the service.
///         tokio::signal::ctrl_c().await.ok();
///     })
///     .await
/// # }
/// ```
pub fn serve<L, M, S>(listener: L, make_service: M) -> Serve<L, M, S>
where
    L: Listener,
    M: for<'a> Service<IncomingStream<'a, L>, Error = Infallible, Response = S>,
{
    let connections = Connections::new();
    let common = Common { listener, make_service, connections };
    Serve { common, service: PhantomData }
}

struct Common<L, M> {
    listener: L,
    make_service: M,
    connections: Connections,
}

impl<L, M> Common<L, M> {
    fn into_axum<S>(self) -> axum::serve::Serve<L, Make<M>, service::Tracked<S>>
    where
        L: Listener,
        M: for<'a> Service<IncomingStream<'a, L>, Error = Infallible, Response = S>,
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let make = Make { inner: self.make_service, connections: self.connections };
        axum::serve(self.listener, make)
    }
}

/// The server that [`serve`] makes. It runs when it is awaited.
#[must_use = "the server runs when it is awaited"]
pub struct Serve<L, M, S> {
    common: Common<L, M>,
    service: PhantomData<fn() -> S>,
}

impl<L: Listener, M, S> Serve<L, M, S> {
    /// Ends the server when `signal` is done: the WebSocket connections are closed with 1001 after
    /// their accepted messages, and HTTP requests in progress are answered. The future returns when
    /// all of them have ended.
    ///
    /// A request for WebSocket after the signal is refused with 503, and one that was accepted
    /// before is closed when it begins. A connection that takes longer than
    /// [`shutdown_timeout`](WithGracefulShutdown::shutdown_timeout) is cut off.
    /// [`drain`](WithGracefulShutdown::drain) closes them gradually.
    ///
    /// HTTP requests have no deadline, as with axum: one whose head never ends holds the server up.
    /// [`http_timeout`](WithGracefulShutdown::http_timeout) sets one.
    pub fn with_graceful_shutdown<F>(self, signal: F) -> WithGracefulShutdown<L, M, S, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        WithGracefulShutdown {
            serve: self,
            signal,
            code: CloseCode::GOING_AWAY,
            timeout: SHUTDOWN_TIMEOUT,
            http_timeout: None,
            drain: None,
        }
    }

    /// Uses this set of connections, so that the program can count them, or close them while the
    /// server goes on.
    pub fn connections(mut self, connections: Connections) -> Self {
        self.common.connections = connections;
        self
    }

    /// Returns the address that the server listens on.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<L::Addr> {
        self.common.listener.local_addr()
    }
}

/// The future of a server.
type Running = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl<L, M, S> IntoFuture for Serve<L, M, S>
where
    L: Listener,
    L::Addr: fmt::Debug,
    M: for<'a> Service<IncomingStream<'a, L>, Error = Infallible, Response = S> + Send + 'static,
    for<'a> <M as Service<IncomingStream<'a, L>>>::Future: Send,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Output = io::Result<()>;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.common.into_axum().into_future())
    }
}

/// The server of [`Serve::with_graceful_shutdown`]. It runs when it is awaited.
#[must_use = "the server runs when it is awaited"]
pub struct WithGracefulShutdown<L, M, S, F> {
    serve: Serve<L, M, S>,
    signal: F,
    code: CloseCode,
    timeout: Duration,
    http_timeout: Option<Duration>,
    drain: Option<Drain>,
}

impl<L: Listener, M, S, F> WithGracefulShutdown<L, M, S, F> {
    /// Sets the code with which the WebSocket connections are closed, such as 1012 for a restart.
    /// Default 1001.
    pub const fn close_code(mut self, code: CloseCode) -> Self {
        self.code = code;
        self
    }

    /// Sets how long after the signal the WebSocket connections are cut off. Default 11 seconds,
    /// which is a second more than their closing handshake takes at most.
    pub const fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Closes the WebSocket connections gradually, as [`Drain`] says, instead of all at the signal:
    /// then [`close_code`](Self::close_code) and [`shutdown_timeout`](Self::shutdown_timeout) do
    /// not count. HTTP requests are answered as before, until the listener closes at the end of the
    /// drain, or after [`Drain::grace`] without [`Drain::keep_listening`].
    ///
    /// ```no_run
    /// # async fn example<F>(ws: axum::routing::MethodRouter, signal: F) -> std::io::Result<()>
    /// # where
    /// #     F: Future<Output = ()> + Send + 'static,
    /// # {
    /// use std::time::Duration;
    ///
    /// use axum::http::StatusCode;
    /// use axum::routing::get;
    /// use axum::{Extension, Router};
    /// use sansock_axum::Connections;
    /// use sansock_axum::drain::Drain;
    ///
    /// /// For the load balancer.
    /// async fn health(Extension(connections): Extension<Connections>) -> StatusCode {
    ///     match connections.is_draining() {
    ///         true => StatusCode::SERVICE_UNAVAILABLE,
    ///         false => StatusCode::OK,
    ///     }
    /// }
    ///
    /// let app = Router::new().route("/healthz", get(health)).route("/ws", ws);
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// let connections = Connections::new();
    /// let seconds = Duration::from_secs;
    /// sansock_axum::serve(listener, app)
    ///     .connections(connections.clone())
    ///     .with_graceful_shutdown(signal)
    ///     .drain(Drain::new().grace(seconds(10)).spread(seconds(30)))
    ///     .await?;
    /// println!("{}", connections.drain_report().unwrap_or_default());
    /// # Ok(()) }
    /// ```
    pub const fn drain(mut self, drain: Drain) -> Self {
        self.drain = Some(drain);
        self
    }

    /// Sets how long after the signal, or after the end of a [drain](Self::drain), the server waits
    /// for HTTP connections. Then it returns, and
    /// the end of the program cuts them off. Default `None`: it waits until the last request is
    /// answered, as axum does.
    pub fn http_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.http_timeout = timeout.into();
        self
    }

    /// Returns the address that the server listens on.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<L::Addr> {
        self.serve.local_addr()
    }
}

impl<L, M, S, F> IntoFuture for WithGracefulShutdown<L, M, S, F>
where
    L: Listener,
    L::Addr: fmt::Debug,
    M: for<'a> Service<IncomingStream<'a, L>, Error = Infallible, Response = S> + Send + 'static,
    for<'a> <M as Service<IncomingStream<'a, L>>>::Future: Send,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    F: Future<Output = ()> + Send + 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        let Self { serve: Serve { common, .. }, signal, code, timeout, http_timeout, drain } = self;
        let (connections, closed) = (common.connections.clone(), common.connections.clone());
        let signal = async move {
            signal.await;
            match drain {
                None => closed.shutdown(code),
                Some(drain) => closed.start_drain(drain),
            }
            closed.shutdown_started().await;
        };
        let http = common.into_axum().with_graceful_shutdown(signal).into_future();
        Box::pin(async move {
            let http = async {
                tokio::select! {
                    ended = http => ended,
                    () = passed(&connections, http_timeout) => Ok(()),
                }
            };
            connections.drain(timeout, http).await
        })
    }
}

/// Is done when this time has passed since the shutdown.
async fn passed(connections: &Connections, time: Option<Duration>) {
    match time {
        None => std::future::pending().await,
        Some(time) => {
            connections.shutdown_started().await;
            tokio::time::sleep(time).await;
        }
    }
}

impl<L, M, S> fmt::Debug for Serve<L, M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("connections", &self.common.connections)
            .finish_non_exhaustive()
    }
}

impl<L, M, S, F> fmt::Debug for WithGracefulShutdown<L, M, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithGracefulShutdown")
            .field("serve", &self.serve)
            .field("close_code", &self.code)
            .field("shutdown_timeout", &self.timeout)
            .field("http_timeout", &self.http_timeout)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}
