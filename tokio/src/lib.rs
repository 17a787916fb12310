//! WebSocket (RFC 6455) on tokio, over the sans-IO core of [`sansock`].
//!
//! The protocol is that of the core: strict, bounded in memory and time, with permessage-deflate
//! (feature `deflate`). This crate adds tokio's transports, clock and tasks, and TLS (feature
//! `rustls`).
//!
//! # A client
//!
//! ```no_run
//! # async fn example() -> Result<(), sansock_tokio::Error> {
//! use sansock_tokio::{CloseCode, Event};
//!
//! let mut socket = sansock_tokio::connect("ws://127.0.0.1:9001/").await?;
//! socket.send("Hello").await?;
//! while let Some(event) = socket.recv().await? {
//!     if let Event::Message(message) = event {
//!         println!("{message}");
//!         break;
//!     }
//! }
//! let outcome = socket.close(CloseCode::NORMAL, "bye").await?;
//! println!("{outcome}");
//! # Ok(()) }
//! ```
//!
//! [`recv`](WebSocket::recv) lends the message from the buffer, without a copy.
//! [`next_message`](WebSocket::next_message) hands over one that owns its memory. [`Client`] has the
//! options: subprotocols, headers, Origin, limits, timeouts, TLS.
//!
//! # A server
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use sansock_tokio::{Event, Server};
//!
//! let server = Server::bind("127.0.0.1:9001").await?;
//! let handle = server.handle();
//! tokio::spawn(async move {
//!     // Ctrl-C, or whatever ends the service.
//!     handle.shutdown();
//! });
//! server
//!     .run(|incoming| async move {
//!         let mut socket = incoming.accept().await?;
//!         while let Some((event, mut outgoing)) = socket.exchange().await? {
//!             if let Event::Message(message) = event {
//!                 outgoing.queue(message)?;
//!             }
//!         }
//!         Ok(())
//!     })
//!     .await
//! # }
//! ```
//!
//! [`exchange`](WebSocket::exchange) lends an event together with the sending half. `queue` appends;
//! what was queued is written before the connection waits, so all messages of one read are answered
//! with one write. A [`Server`] refuses pages of other sites, sends keepalive Pings, limits
//! connections and handshakes, closes with 1000 after `Ok` and 1011 after an error or a panic, and
//! its [`shutdown`](ServerHandle::shutdown) closes each connection with 1001: `run` returns when all
//! have ended.
//!
//! # Two tasks
//!
//! ```no_run
//! # async fn example(socket: sansock_tokio::WebSocket) -> Result<(), sansock_tokio::Error> {
//! let (mut reader, writer) = socket.split();
//! let ticks = writer.clone();
//! tokio::spawn(async move {
//!     while ticks.send("tick").await.is_ok() {
//!         tokio::time::sleep(std::time::Duration::from_secs(1)).await;
//!     }
//! });
//! while let Some(message) = reader.next_message().await? {
//!     writer.queue(message)?;
//! }
//! # Ok(()) }
//! ```
//!
//! Keep the [`Reader`] polled: it receives Pings and Close frames, and writes what the [`Writer`]s
//! have queued. No task is spawned for it, and no lock is held while a task waits.
//!
//! # `Stream` and `Sink`
//!
//! [`WebSocket`], [`Reader`] and [`Writer`] implement them over [`Message`], which shares its memory
//! (`Bytes`, and [`ByteString`] for text). The combinators of futures-rs work: `forward`, `next`,
//! `send_all`.
//!
//! # hyper and axum
//!
//! The feature `hyper` takes over streams of hyper, of HTTP/1.1 and of HTTP/2 (RFC 8441), in both
//! roles; see `hyper`. The package `sansock-axum` is an extractor for axum on top of it.
//! [`Connections`] closes at a shutdown what another server has accepted.
//!
//! # Getting there
//!
//! A [`Client`] tries the addresses of a host one after the other, each 250 ms after the last or at
//! once when that has failed (RFC 8305), and takes the one that answers first.
//! [`Client::resolver`] takes another lookup, and [`Client::handshake`] a transport that is already
//! connected. `Client::tcp_socket` sets options of a socket before it connects, and
//! `Client::connect_unix` connects to Unix sockets. With the feature `proxy`, `Client::proxy` goes
//! through HTTP and SOCKS proxies.
//!
//! With the feature `redirects`, `Client::redirects` follows the server to where it says, and
//! credentials stay with the origin that they are for.
//!
//! With the feature `reconnect`, `Client::reconnecting` makes one connection after the other, as
//! python's `async for` does: with random delays that grow, a hook to authenticate and to subscribe
//! again, and the messages that the last connection has not written.
//!
//! # One message to many connections
//!
//! With the feature `hub`, `Writer::subscriber` makes the inbox of a connection, which subscribes to
//! the topics of a `hub::Hub`: publishing writes on the spot, without a task for each connection, and
//! a client that reads slowly delays no other.
//!
//! # What is lost, and when
//!
//! - Every future of this crate can be dropped at every await: `select!` and `timeout` lose no
//!   message, neither one that arrives nor one that was accepted for sending.
//! - A connection that is dropped is cut off: what was queued is written as far as the transport
//!   takes it at once. `close().await` loses nothing. In a [`Server`]'s handler the server writes
//!   all and closes.
//! - [`buffered_amount`](WebSocket::buffered_amount) says what was not written.
//!
//! # Time
//!
//! All [`Timeouts`] run by tokio's clock, so tests can use `tokio::time::pause`. The runtime needs
//! `enable_time`, unless all timeouts are off. A peer that does not read is given up after the write
//! timeout: 30 seconds for [`Client`] and [`Server`], none for a [`WebSocket`] made of parts.
//!
//! The timers are checked when they may have passed, and not with every message, which would cost
//! more than the message. So the first keepalive Ping comes after once to twice
//! [`Keepalive::interval`] of silence, and an idle connection is closed after once to twice
//! `Timeouts::idle`.
//!
//! # Memory
//!
//! An idle connection gives its buffers back to a pool of its thread, unless it has a
//! [`Config::read_size`] of its own. What remains is 1.2 KB for each client of a [`Server`], if the
//! handler is small: a task has room for all that its future ever holds at a time, as long as it lives.
//! `Box::pin` a future that is needed only once, such as one that looks into the request and accepts.
//!
//! # Features
//!
//! - `rustls`: TLS; see `tls`. `webpki-roots`: Mozilla's roots, for programs that ask for them.
//! - `hub`: topics, and inboxes with budgets; see `hub`.
//! - `reconnect`: `Client::reconnecting`, which connects again after the end of a connection.
//! - `redirects`: `Client::redirects`, which follows redirects of the handshake.
//! - `tower`: `Client::connect_with`, for connectors of the kind that hyper-util's clients have.
//! - `hyper`: WebSocket on hyper's HTTP/1.1 and HTTP/2; see `hyper`.
//! - `proxy-protocol`: the PROXY header of a proxy in front of a [`Server`].
//! - `proxy`: `Client::proxy`, the way through a proxy that the program sets. `proxy-env`:
//!   `dial::Proxies::from_env`, which one the environment names.
//! - `deflate`: permessage-deflate (RFC 7692), where the program asks for it.

mod client;
mod clock;
mod dialler;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "hyper")]
pub mod hyper;
mod link;
mod message;
mod opening;
mod outgoing;
mod pool;
#[cfg(not(feature = "proxy"))]
#[path = "no_proxy.rs"]
mod proxy;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(not(feature = "proxy-protocol"))]
#[path = "no_proxy_header.rs"]
mod proxy_header;
#[cfg(feature = "proxy-protocol")]
mod proxy_header;
#[cfg(feature = "reconnect")]
mod reconnect;
#[cfg(feature = "redirects")]
mod redirects;
mod route;
mod server;
mod split;
mod stream;
#[cfg(not(feature = "rustls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "rustls")]
pub mod tls;
#[cfg(feature = "tower")]
mod tower;
mod transport;
#[cfg(unix)]
mod unix;
mod websocket;
mod write;

pub use bytestring::ByteString;
pub use client::{Client, connect};
pub use message::Message;
pub use outgoing::Outgoing;
#[cfg(feature = "reconnect")]
pub use reconnect::{Connected, Reconnecting};
pub use sansock::counts;
#[cfg(feature = "deflate")]
pub use sansock::deflate;
#[cfg(feature = "reconnect")]
pub use sansock::net::Retry;
pub use sansock::net::{Error, HandlerResult, ServerError};
#[cfg(feature = "proxy-protocol")]
pub use sansock::proxy_protocol;
pub use sansock::{
    AsMessage, CloseCode, Config, Delivery, EncodedMessage, Event, Keepalive, Limits, Outcome,
    ReceiveBuffer, Timeouts, dial, drain, handshake, uri,
};
pub use server::{Connections, Incoming, Server, ServerHandle};
pub use split::{Reader, Writer};
#[cfg(feature = "tower")]
pub use tower::ConnectorIo;
pub use transport::Stream;
#[cfg(unix)]
pub use unix::connect_unix;
pub use websocket::WebSocket;
