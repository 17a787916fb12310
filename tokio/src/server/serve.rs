//! One connection of a server, from its first byte to its last.

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use sansock::counts::{Counters, Refusal};
use sansock::net::{HandlerResult, ServerError};
use tokio::net::TcpStream;

use super::incoming::{Incoming, Peer};
use super::options::Options;
use super::registry::Guard;
use super::slot::Remains;
use crate::clock::now;
use crate::proxy_header;
use crate::tls::accept_tls;
use crate::{Error, Stream};

/// One connection, and what it needs to be served.
pub(super) struct Task<F> {
    pub(super) handler: Arc<F>,
    pub(super) peer: SocketAddr,
    pub(super) guard: Guard<Stream>,
    pub(super) options: Arc<Options>,
}

/// Serves one connection, in a task of its own. What is only needed at its begin and at its end is
/// boxed, so that the task keeps no memory for it.
pub(super) async fn serve<F, H>(task: Box<Task<F>>, tcp: Box<TcpStream>)
where
    F: Fn(Incoming) -> H + Send + Sync + 'static,
    H: Future<Output = HandlerResult> + Send + 'static,
{
    let Some(incoming) = Box::pin(begin(&task, tcp)).await else { return };
    let result = run(pin!((task.handler)(incoming))).await;
    Box::pin(task.end(result)).await;
}

/// Reads the client's request; `None` if it is not to be handled.
async fn begin<F>(task: &Task<F>, tcp: Box<TcpStream>) -> Option<Incoming> {
    let client = task.guard.client();
    let mut displaced = Displaced { options: Some(&task.options), peer: task.peer };
    let opened = task.open(*tcp).await;
    displaced.options = None;
    let error = match opened {
        Ok(incoming) => {
            task.guard.opened();
            let is_websocket = incoming.request().is_websocket();
            let Some(rejection) = task.guard.registry().refusal(is_websocket) else {
                return Some(incoming);
            };
            client.refuse(Refusal::Draining);
            let _ = incoming.reject(&rejection).await;
            io::Error::new(io::ErrorKind::ConnectionAborted, "the server shuts down").into()
        }
        Err(error) => {
            client.refuse(error.refusal());
            error
        }
    };
    task.options.report(&ServerError::Opening(error), Some(task.peer));
    None
}

impl<F> Task<F> {
    async fn open(&self, mut tcp: TcpStream) -> Result<Incoming, Error> {
        tcp.set_nodelay(true)?;
        let deadline = self.options.config().timeouts.opening(now());
        let settings = self.options.proxy.as_ref();
        let proxied = proxy_header::read(settings, &mut tcp, self.peer, &deadline).await?;
        let mut stream = match &self.options.tls {
            None => Stream::from(tcp),
            Some(acceptor) => accept_tls(acceptor.clone(), tcp, &deadline).await?,
        };
        stream.count(self.guard.counters());
        let slot = Arc::clone(&self.guard.0);
        let peer = Peer { address: Some(self.peer), proxied };
        Incoming::open(stream, peer, &self.options, Some(slot), deadline).await
    }

    /// Reports how the handler ended, and closes what it has left.
    async fn end(&self, result: Result<HandlerResult, Panic>) {
        let report = |error: &ServerError| self.options.report(error, Some(self.peer));
        let failure = failure(result, self.guard.counters());
        failure.iter().for_each(report);
        let remains = self.guard.free().await;
        if let Some(Remains::Request(_)) = remains {
            self.guard.client().refuse(Refusal::Unanswered);
            if failure.is_none() {
                report(&ServerError::Unanswered);
            }
        }
        self.guard.close_rest(remains, failure.is_some()).await;
    }
}

/// What a handler panics with.
pub(super) type Panic = Box<dyn Any + Send>;

/// Runs the handler; the error is the panic. An async function would be 24 bytes larger, in each task.
pub(super) fn run<H: Future<Output = HandlerResult>>(
    mut handler: Pin<&mut H>,
) -> impl Future<Output = Result<HandlerResult, Panic>> {
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
}

/// Why the handler has failed, which is counted; `None` if it has not.
pub(super) fn failure(
    result: Result<HandlerResult, Panic>,
    counters: &Counters,
) -> Option<ServerError> {
    match result {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            counters.handler_failed();
            Some(ServerError::Handler(error))
        }
        Err(panic) => {
            counters.handler_panicked();
            Some(ServerError::Panic(text_of(&*panic)))
        }
    }
}

/// Reports a handshake whose task was ended because another client needed its place.
struct Displaced<'a> {
    options: Option<&'a Options>,
    peer: SocketAddr,
}

impl Drop for Displaced<'_> {
    fn drop(&mut self) {
        if let Some(options) = self.options {
            options.report(&ServerError::Displaced, Some(self.peer));
        }
    }
}

/// The message of a panic.
fn text_of(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "something else than text".to_owned(),
    }
}
