//! Connections whose clients another server accepts, and that are closed together.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use sansock::CloseCode;
use sansock::counts::{CountedClient, Refusal, ServerCounts};
use sansock::drain::{Drain, DrainReport};
use sansock::handshake::Rejection;
use sansock::net::{HandlerResult, ServerError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::registry::{Guard, Registry};
use super::serve::{failure, run};
use crate::{Error, WebSocket};

/// Connections that are closed together, for a server that has an accept loop of its own, such as
/// one of hyper or axum: their graceful shutdown knows nothing of a WebSocket. Clones are the same
/// connections.
///
/// ```
/// use std::io;
/// use std::time::Duration;
///
/// use sansock_tokio::{CloseCode, Config, Connections, Incoming};
/// use tokio::net::TcpListener;
///
/// async fn accept(listener: TcpListener, connections: &Connections) -> io::Result<()> {
///     loop {
///         let (tcp, _) = listener.accept().await?;
///         let opening =
///             async { Incoming::read(tcp, &Config::public_server()).await?.accept().await };
///         connections.spawn(opening, |opened| async move {
///             let mut socket = opened?;
///             while let Some(message) = socket.next_message().await? {
///                 socket.send(message).await?;
///             }
///             Ok(())
///         });
///     }
/// }
///
/// /// `server` ends when it has answered its last request.
/// async fn shut_down(connections: &Connections, server: impl Future<Output = ()>) {
///     connections.shutdown(CloseCode::GOING_AWAY);
///     connections.drain(Duration::from_secs(11), server).await;
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Connections {
    registry: Arc<Registry>,
}

impl Connections {
    /// Creates a set without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Spawns a task that waits for a connection and calls `handler` with it, or with the error of
    /// its opening. The task returns the handler's error or panic.
    ///
    /// When the handler has returned and the connection is dropped, wherever it was moved to, the
    /// task writes the queued messages, and then a Close frame with 1000 after `Ok`, or with 1011
    /// after `Err` or a panic. This takes [`Timeouts::closing`](sansock::Timeouts::closing) at most.
    ///
    /// A connection that begins after the [`shutdown`](Self::shutdown) is closed too, at its first
    /// wait.
    pub fn spawn<S, O, F, H>(&self, opening: O, handler: F) -> JoinHandle<Result<(), ServerError>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        O: Future<Output = Result<WebSocket<S>, Error>> + Send + 'static,
        F: FnOnce(Result<WebSocket<S>, Error>) -> H + Send + 'static,
        H: Future<Output = HandlerResult> + Send + 'static,
    {
        let guard = self.registry.register();
        let slot = Arc::clone(&guard.0);
        let task = tokio::spawn(serve(guard, opening, handler));
        self.registry.set_task(&*slot, task.abort_handle());
        task
    }

    /// Closes each connection with this code after its accepted messages. Returns at once.
    ///
    /// A connection that waits for its client is closed at once; another one at its next wait or
    /// flush.
    pub fn shutdown(&self, code: CloseCode) {
        self.registry.shutdown(Some(code));
    }

    /// Starts to close the connections gradually, as [`Drain`] says, in a task of the runtime.
    /// Returns at once.
    ///
    /// The server refuses new clients with [`refusal`](Self::refusal), and answers health checks by
    /// [`is_draining`](Self::is_draining). It goes on until
    /// [`shutdown_started`](Self::shutdown_started), which is at the end of the drain, or after
    /// [`Drain::grace`] without [`Drain::keep_listening`]. A drain that has begun keeps its
    /// settings; [`shutdown`](Self::shutdown) ends it early.
    ///
    /// ```no_run
    /// # async fn example(connections: &sansock_tokio::Connections) {
    /// use std::time::Duration;
    ///
    /// use sansock_tokio::drain::Drain;
    ///
    /// let seconds = Duration::from_secs;
    /// connections.start_drain(Drain::new().grace(seconds(10)).spread(seconds(30)));
    /// connections.shutdown_started().await;
    /// // Now the server ends, and then:
    /// connections.closed().await;
    /// println!("{}", connections.drain_report().unwrap_or_default());
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start_drain(&self, drain: Drain) {
        self.registry.start_drain(drain);
    }

    /// Whether a drain or a shutdown has begun: a health check should fail.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.registry.is_draining()
    }

    /// Returns the response to a new request for WebSocket, if a drain or a shutdown refuses those
    /// now, and counts it in the [report](Self::drain_report).
    #[must_use]
    pub fn refusal(&self) -> Option<Rejection> {
        let refusal = self.registry.refusal(true)?;
        CountedClient::new(&self.registry.counters).refuse(Refusal::Draining);
        Some(refusal)
    }

    /// Returns how the connections have ended since the start of the drain or the shutdown; `None`
    /// before.
    #[must_use]
    pub fn drain_report(&self) -> Option<DrainReport> {
        self.registry.drain_report()
    }

    /// Returns how many connections there are, those that are being opened included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.registry.count()
    }

    /// Returns what the connections have done so far, for metrics ([`ServerCounts`]). Messages of open
    /// connections are included. It takes no longer with many connections.
    ///
    /// Clients that the server has refused before [`spawn`](Self::spawn) are not counted, but for
    /// those with a [`refusal`](Self::refusal).
    #[must_use]
    pub fn counts(&self) -> ServerCounts {
        self.registry.counters.counts()
    }

    /// Waits until [`shutdown`](Self::shutdown) is called, or a [drain](Self::start_drain) has come
    /// so far that the server ends too.
    pub async fn shutdown_started(&self) {
        self.registry.shutdown_started().await;
    }

    /// Waits until there is no connection.
    pub async fn closed(&self) {
        self.registry.closed().await;
    }

    /// Waits for `server`, the end of the server that opens the connections, and then until all
    /// connections have ended. From the [`shutdown`](Self::shutdown) on, connections that take
    /// longer than `limit` are cut off, so a server may wait for its connections too.
    ///
    /// Before the shutdown nothing is cut off, and it may come while this waits. A
    /// [drain](Self::start_drain) cuts off by its own deadline.
    pub async fn drain<T>(&self, limit: Duration, server: impl Future<Output = T>) -> T {
        let mut cutting = pin!(async {
            self.shutdown_started().await;
            self.registry.told().await;
            loop {
                self.registry.close_all(limit).await;
                self.registry.opened().await;
            }
        });
        let output = beside(cutting.as_mut(), server).await;
        beside(cutting, self.closed()).await;
        output
    }
}

/// Awaits `future`, and polls `background` meanwhile.
async fn beside<T>(
    mut background: Pin<&mut impl Future<Output = ()>>,
    future: impl Future<Output = T>,
) -> T {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            // It has no end.
            let _ = background.as_mut().poll(cx);
        }
        polled
    })
    .await
}

/// Serves one connection, in a task of its own.
async fn serve<S, O, F, H>(guard: Guard<S>, opening: O, handler: F) -> Result<(), ServerError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    O: Future<Output = Result<WebSocket<S>, Error>>,
    F: FnOnce(Result<WebSocket<S>, Error>) -> H,
    H: Future<Output = HandlerResult>,
{
    let opened = opening.await.map(|mut socket| {
        guard.client().accept();
        socket.state.link.slot = Some(Arc::clone(&guard.0));
        socket
    });
    let is_open = opened.is_ok();
    if let Err(error) = &opened {
        guard.client().refuse(error.refusal());
    }
    let failure = failure(run(pin!(handler(opened))).await, guard.counters());
    if is_open {
        // Boxed, so that the task keeps no memory for it.
        let end = async { guard.close_rest(guard.free().await, failure.is_some()).await };
        Box::pin(end).await;
    }
    drop(guard);
    failure.map_or(Ok(()), Err)
}
