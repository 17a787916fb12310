//! WebSocket (RFC 6455) for [axum](https://docs.rs/axum), over HTTP/1.1 and HTTP/2 (RFC 8441).
//!
//! An extractor with the names of axum's own, and a [`serve`] whose graceful shutdown includes the
//! WebSocket connections. The connection is that of [`sansock_tokio`]: strict, bounded in memory
//! and time, with keepalive, and with permessage-deflate (feature `deflate`).
//!
//! # An echo server
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use axum::Router;
//! use axum::response::Response;
//! use axum::routing::any;
//! use sansock_axum::{Event, WebSocket, WebSocketUpgrade};
//!
//! async fn handler(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(echo)
//! }
//!
//! async fn echo(mut socket: WebSocket) {
//!     while let Ok(Some((event, mut outgoing))) = socket.exchange().await {
//!         if let Event::Message(message) = event
//!             && outgoing.queue(message).is_err()
//!         {
//!             return;
//!         }
//!     }
//! }
//!
//! let app = Router::new().route("/ws", any(handler));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! sansock_axum::serve(listener, app)
//!     .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
//!     .await
//! # }
//! ```
//!
//! The route is one of [`any`](axum::routing::any), since HTTP/2 asks with `CONNECT`.
//! [`WebSocket`](sansock_tokio::WebSocket) describes `exchange`, which lends a message without a
//! copy, `next_message`, `split` for two tasks, and `Stream` and `Sink` over [`Message`].
//!
//! # State and other extractors
//!
//! ```
//! use axum::Router;
//! use axum::extract::{Path, State};
//! use axum::response::Response;
//! use axum::routing::any;
//! use sansock_axum::WebSocketUpgrade;
//! use tokio::sync::broadcast;
//!
//! /// Everybody in all rooms gets what one of them says.
//! async fn handler(
//!     State(rooms): State<broadcast::Sender<String>>,
//!     Path(room): Path<String>,
//!     ws: WebSocketUpgrade,
//! ) -> Response {
//!     ws.max_message_size(4096).on_upgrade(|mut socket| async move {
//!         let mut said = rooms.subscribe();
//!         loop {
//!             tokio::select! {
//!                 message = socket.next_message() => match message {
//!                     Ok(Some(message)) => drop(rooms.send(format!("{room}: {message}"))),
//!                     _ => return,
//!                 },
//!                 Ok(text) = said.recv() => {
//!                     if socket.send(text).await.is_err() {
//!                         return;
//!                     }
//!                 }
//!                 else => return,
//!             }
//!         }
//!     })
//! }
//!
//! let app: Router = Router::new()
//!     .route("/{room}", any(handler))
//!     .with_state(broadcast::Sender::new(100));
//! ```
//!
//! All futures of the connection can be dropped at every await, so `select!` loses no message.
//! `Option<WebSocketUpgrade>` is for a route that answers plain requests too, and
//! `Result<WebSocketUpgrade, WebSocketUpgradeRejection>` for one with answers of its own
//! ([`rejection`]).
//!
//! With the feature `hub`, connections subscribe to topics, without a channel and a task's wake for
//! each: see `hub`.
//!
//! # Defaults
//!
//! - [`Config::public_server`]: messages of 1 MiB, a Ping after 20 seconds of silence and as much
//!   time for the answer, ten minutes without any message. [`WebSocketUpgrade::config`] sets
//!   others.
//! - Pages of other sites are refused with 403 ([`WebSocketUpgrade::origins`]), because browsers
//!   send them cookies too.
//! - A peer that reads nothing for 30 seconds is given up.
//! - When the callback has returned, the queued messages are written and the connection is closed
//!   with 1000; with 1011 if it has panicked.
//! - The HTTP server is axum's: it limits neither the number of connections nor the time that the
//!   head of a request takes. A proxy in front does, or another server.
//! - One task per connection, which [`on_upgrade`](WebSocketUpgrade::on_upgrade) spawns.
//!
//! # Shutdown
//!
//! The graceful shutdown of [`axum::serve`](fn@axum::serve) returns while WebSocket connections go
//! on, and then the end of the program cuts them off. That of [`serve`] closes each with 1001, or
//! [another code](WithGracefulShutdown::close_code), and returns when all have ended. A callback
//! that waits for its client needs no code for it: its next message is `None`. One that does not
//! look at its connection is cut off after the [timeout](WithGracefulShutdown::shutdown_timeout).
//! HTTP requests in progress are answered.
//!
//! [`drain`](WithGracefulShutdown::drain) closes them gradually: the health check fails first, new
//! requests are refused with 503, and the Close frames are spread over a time.
//!
//! With another server, such as one with TLS, the program has [`Connections`] among the requests'
//! extensions, and ends them itself:
//!
//! ```no_run
//! # async fn example(app: axum::Router, server: impl Future<Output = ()>) {
//! use std::time::Duration;
//!
//! use sansock_axum::{CloseCode, Connections};
//!
//! let connections = Connections::new();
//! let app = app.layer(axum::Extension(connections.clone()));
//! // `server` serves `app`, and ends after its own graceful shutdown. At the signal:
//! connections.shutdown(CloseCode::GOING_AWAY);
//! connections.drain(Duration::from_secs(11), server).await;
//! # }
//! ```
//!
//! # Coming from `axum::extract::ws`
//!
//! The imports change, and these:
//!
//! - `socket.recv().await`, which returned `Option<Result<Message, _>>`, becomes
//!   `socket.next().await` of `StreamExt`, or `next_message().await`, which returns
//!   `Result<Option<Message>, _>`. `recv` lends an [`Event`] here.
//! - [`Message`] is `Text` or `Binary`. Pings and Close frames are answered, and `recv` and
//!   `exchange` lend them.
//! - Instead of sending `Message::Close`, call `close(code, reason)`, which waits for the end, or
//!   `start_close`, which does not. Codes have names: [`CloseCode::GOING_AWAY`].
//! - `Utf8Bytes` is [`ByteString`], and `socket.protocol()` is `socket.subprotocol()`.
//! - `StreamExt::split` works. The connection's own `split` needs no lock, and its [`Writer`] can
//!   be cloned.
//! - There is no `write_buffer_size`: `queue` appends, `send` and `flush` write. There is no
//!   `accept_unmasked_frames`: "The server MUST close the connection upon receiving a frame that is
//!   not masked." (RFC 6455, 5.1)
//! - Messages and frames are limited to 1 MiB, not 64 and 16 MiB.
//!   [`max_message_size`](WebSocketUpgrade::max_message_size) sets both.
//! - Requests are checked more strictly, and a selected subprotocol that the client does not offer
//!   is answered with 500.
//!
//! # Features
//!
//! - `deflate`: permessage-deflate (RFC 7692), where
//!   [`WebSocketUpgrade::deflate`](WebSocketUpgrade) asks for it.
//! - `hub`: one message to many connections; see `hub`.

#[cfg(feature = "hub")]
pub mod hub;
pub mod rejection;
mod serve;
mod upgrade;

#[cfg(feature = "deflate")]
pub use sansock_tokio::deflate;
pub use sansock_tokio::{
    AsMessage, ByteString, CloseCode, Config, Connections, Delivery, EncodedMessage, Error, Event,
    Keepalive, Limits, Message, Outcome, Reader, Timeouts, Writer, counts, drain, handshake,
};

pub use self::serve::{Serve, WithGracefulShutdown, serve};
pub use self::upgrade::{DefaultOnFailedUpgrade, OnFailedUpgrade, WebSocketUpgrade};

/// A connection, over HTTP/1.1 or one stream of HTTP/2.
pub type WebSocket = sansock_tokio::WebSocket<sansock_tokio::hyper::Upgraded>;
