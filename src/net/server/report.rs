//! Error reports of a server.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::{fmt, io};

use crate::net::Error;

/// The result of a [`Server`](super::Server)'s handler. `?` works for every error type, of the
/// program and of this crate.
pub type HandlerResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// An error of a [`Server`](super::Server) or of one of its clients, for
/// [`Server::on_error`](super::Server::on_error).
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// `accept` failed, for example because there are no descriptors. Clients wait meanwhile; the
    /// server tries again every 20 ms.
    Accept(io::Error),
    /// The client failed before the handler: its handshake was wrong, took too long or was cut off,
    /// the server shuts down ([`io::ErrorKind::ConnectionAborted`]), or the operating system had no
    /// thread for it. The client has been sent an error response, if that was possible.
    Opening(Error),
    /// The client's handshake had taken more than a second, and another client needed its place
    /// ([`Server::max_handshakes`](super::Server::max_handshakes)).
    Displaced,
    /// The handler returned without an answer to the request. The client was sent 500.
    Unanswered,
    /// The handler returned an error. The connection was closed with 1011, unless it had already
    /// ended.
    ///
    /// A client that vanished is one of these if the handler passes the error of its socket on with
    /// `?`. `error.downcast_ref::<net::Error>()` tells them apart: [`Error::Abnormal`],
    /// [`Error::Io`] and [`Error::Timeout`] are the network's, [`Error::Protocol`] is the client's.
    Handler(Box<dyn std::error::Error + Send + Sync>),
    /// The handler panicked, with this message. The connection was closed with 1011, unless it had
    /// already ended.
    Panic(String),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(error) => write!(f, "cannot accept a connection: {error}"),
            Self::Opening(error) => error.fmt(f),
            Self::Displaced => f.write_str(
                "the handshake was slow, and another client needed its place \
                 (Server::max_handshakes, Server::max_connections)",
            ),
            Self::Unanswered => {
                f.write_str("the handler neither accepted nor rejected the request")
            }
            Self::Handler(error) => error.fmt(f),
            Self::Panic(text) => write!(f, "the handler panicked: {text}"),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` includes the cause, so `source` returns the cause's own source.
        match self {
            Self::Accept(error) => error.source(),
            Self::Opening(error) => error.source(),
            Self::Handler(error) => error.source(),
            Self::Displaced | Self::Unanswered | Self::Panic(_) => None,
        }
    }
}

impl ServerError {
    /// Extracts the message of a panic.
    pub(super) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => "something else than text".to_owned(),
        };
        Self::Panic(text)
    }
}

/// The function that gets the reports.
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
            // If the function panics, the server must not end; the panic hook shows the panic.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| function(error, peer)));
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "none" })
    }
}
