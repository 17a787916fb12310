//! One connection of a server, from its first byte to its last.

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use sansock::CloseCode;
use sansock::handshake::Rejection;
use sansock::net::{HandlerResult, ServerError};
use tokio::net::TcpStream;

use super::incoming::Incoming;
use super::options::Options;
use super::registry::Guard;
use super::slot::{Remains, Slot};
use crate::clock::now;
use crate::tls::accept_tls;
use crate::{Error, Stream};

/// Serves one connection, in its own task. What is only needed at its begin and at its end is
/// boxed, so that the task keeps no memory for it.
pub(super) async fn serve<F, H>(
    tcp: TcpStream,
    peer: SocketAddr,
    slot: Arc<Slot<Stream>>,
    guard: Guard,
    options: Arc<Options>,
    handler: Arc<F>,
) where
    F: Fn(Incoming) -> H + Send + Sync + 'static,
    H: Future<Output = HandlerResult> + Send + 'static,
{
    let mut displaced = Displaced { options: Some(&options), peer };
    let opened = Box::pin(open(tcp, peer, &slot, &options)).await;
    displaced.options = None;
    drop(displaced);
    let incoming = match opened {
        Ok(incoming) => incoming,
        Err(error) => return options.report(&ServerError::Opening(error), Some(peer)),
    };
    if !guard.opened() {
        let _ = Box::pin(incoming.reject(&Rejection::new(503))).await;
        let error = io::Error::new(io::ErrorKind::ConnectionAborted, "the server shuts down");
        return options.report(&ServerError::Opening(error.into()), Some(peer));
    }
    let failure = match run(handler(incoming)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(ServerError::Handler(error)),
        Err(panic) => Some(ServerError::Panic(text_of(&*panic))),
    };
    Box::pin(end(peer, &slot, &options, failure)).await;
    drop(guard);
}

async fn open(
    tcp: TcpStream,
    peer: SocketAddr,
    slot: &Arc<Slot<Stream>>,
    options: &Arc<Options>,
) -> Result<Incoming, Error> {
    tcp.set_nodelay(true)?;
    let deadline = options.config().timeouts.opening(now());
    let stream = match &options.tls {
        None => Stream::from(tcp),
        Some(acceptor) => accept_tls(acceptor.clone(), tcp, &deadline).await?,
    };
    Incoming::open(stream, Some(peer), options, Some(Arc::clone(slot)), deadline).await
}

/// Runs the handler; the error is the panic.
async fn run<H: Future<Output = HandlerResult>>(
    handler: H,
) -> Result<HandlerResult, Box<dyn Any + Send>> {
    let mut handler = pin!(handler);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// Closes a connection that the program has let go of before its end, after the queued messages.
async fn end(
    peer: SocketAddr,
    slot: &Slot<Stream>,
    options: &Options,
    failure: Option<ServerError>,
) {
    if let Some(failure) = &failure {
        options.report(failure, Some(peer));
    }
    let remains = poll_fn(|cx| slot.poll_free(cx)).await;
    let code = match failure {
        None => slot.must_close().unwrap_or(CloseCode::NORMAL),
        Some(_) => CloseCode::INTERNAL_ERROR,
    };
    match remains {
        None => {}
        Some(Remains::Request(incoming)) => {
            if failure.is_none() {
                options.report(&ServerError::Unanswered, Some(peer));
            }
            // 500 is a valid rejection, and an error of the transport concerns only this client.
            let _ = incoming.reject(&Rejection::new(500)).await;
        }
        // How it ends concerns only this client.
        Some(Remains::Connection(mut socket)) => drop(socket.close(code, "").await),
        Some(Remains::Split(mut reader)) => drop(reader.close(code, "").await),
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
