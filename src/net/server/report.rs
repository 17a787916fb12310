//! What a server reports of clients that go wrong.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::{fmt, io};

use crate::net::Error;

/// What a [`Server`](super::Server)'s handler returns. The error can be any: the program's own and
/// those of this crate pass through `?`.
pub type HandlerResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What went wrong with a client of a [`Server`](super::Server), for
/// [`Server::on_error`](super::Server::on_error).
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// `accept` failed, such as for want of descriptors: clients wait meanwhile, and it is tried
    /// again every 20 ms.
    Accept(io::Error),
    /// The client never came to the handler: its handshake was wrong, took too long or was cut off,
    /// the server shuts down ([`io::ErrorKind::ConnectionAborted`]), or the operating system had no
    /// thread for it. The client has been sent an error response, if it could be.
    Opening(Error),
    /// The handler returned an error. The connection was closed with 1011, if it was not over.
    Handler(Box<dyn std::error::Error + Send + Sync>),
    /// The handler panicked, with this text. The connection was closed with 1011, if it was not
    /// over.
    Panic(String),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(error) => write!(f, "cannot accept a connection: {error}"),
            Self::Opening(error) => error.fmt(f),
            Self::Handler(error) => error.fmt(f),
            Self::Panic(text) => write!(f, "the handler panicked: {text}"),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` shows the cause itself, so its own cause comes next.
        match self {
            Self::Accept(error) => error.source(),
            Self::Opening(error) => error.source(),
            Self::Handler(error) => error.source(),
            Self::Panic(_) => None,
        }
    }
}

impl ServerError {
    /// What a panic was about.
    pub(super) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => "something else than text".to_owned(),
        };
        Self::Panic(text)
    }
}

/// Where to report.
#[derive(Clone, Default)]
pub(super) struct Report(Option<Arc<Function>>);

type Function = dyn Fn(&ServerError, Option<SocketAddr>) + Send + Sync;

impl Report {
    pub(super) fn to(
        function: impl Fn(&ServerError, Option<SocketAddr>) + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(function)))
    }

    pub(super) fn report(&self, error: &ServerError, peer: Option<SocketAddr>) {
        if let Some(function) = &self.0 {
            // A panic of it must not end the server; the panic hook shows it.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| function(error, peer)));
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "none" })
    }
}
