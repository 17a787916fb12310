//! The program's services, with the server's connections among each request's extensions.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use sansock_tokio::Connections;
use tower_service::Service;

/// Makes the services of the HTTP connections.
pub(super) struct Make<M> {
    pub(super) inner: M,
    pub(super) connections: Connections,
}

impl<'a, L, M> Service<IncomingStream<'a, L>> for Make<M>
where
    L: Listener,
    M: Service<IncomingStream<'a, L>, Error = Infallible>,
{
    type Response = Tracked<M::Response>;
    type Error = Infallible;
    type Future = Making<M::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, stream: IncomingStream<'a, L>) -> Self::Future {
        let connections = Some(self.connections.clone());
        Making { inner: Box::pin(self.inner.call(stream)), connections }
    }
}

/// The future of a service.
pub(super) struct Making<F> {
    inner: Pin<Box<F>>,
    /// `None` once it is made.
    connections: Option<Connections>,
}

impl<F, S> Future for Making<F>
where
    F: Future<Output = Result<S, Infallible>>,
{
    type Output = Result<Tracked<S>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx).map_ok(|inner| {
            let connections = self.connections.take().unwrap_or_default();
            Tracked { inner, connections }
        })
    }
}

/// The service of one HTTP connection.
#[derive(Clone)]
pub(super) struct Tracked<S> {
    inner: S,
    connections: Connections,
}

impl<S> Service<Request> for Tracked<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        request.extensions_mut().insert(self.connections.clone());
        self.inner.call(request)
    }
}
