//! WebSocket (RFC 6455) from scratch: a sans-IO core, and a thin blocking client and server on top.
//!
//! # In ten lines
//!
//! A client, with the feature `net`, which is on by default:
//!
//! ```no_run
//! # #[cfg(feature = "net")] fn example() -> Result<(), sansock::net::Error> {
//! use sansock::CloseCode;
//!
//! let mut socket = sansock::net::client::connect("ws://127.0.0.1:9001/")?;
//! socket.send("Hello")?;
//! if let Some(message) = socket.next_message()? {
//!     println!("{message}");
//! }
//! let outcome = socket.close(CloseCode::NORMAL, "bye")?;
//! println!("{outcome}");
//! # Ok(()) }
//! ```
//!
//! A server, a thread for each connection:
//!
//! ```no_run
//! # #[cfg(feature = "net")] fn example() -> std::io::Result<()> {
//! use sansock::Event;
//! use sansock::net::Server;
//!
//! Server::bind("127.0.0.1:9001")?.run(|incoming| {
//!     let mut socket = incoming.accept()?;
//!     while let Some((event, outgoing)) = socket.exchange()? {
//!         if let Event::Message(message) = event {
//!             outgoing.queue(message)?;
//!         }
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! See `net` for options, timeouts, two threads on one connection and a shutdown that tells every
//! client.
//!
//! # The core, and the loop around it
//!
//! The core does no I/O, reads no clock, starts no thread and knows no socket. The program owns two
//! buffers: it puts what arrives into a [`ReceiveBuffer`] and writes what waits in a
//! [`SendBuffer`]. A [`ServerHandshake`] or a [`ClientHandshake`] ends in [`Established`], which
//! gives a [`Connection`]. Blocking, `poll`, `async`, a fuzzer or a simulation: all drive the same
//! core, in the same loop. This is the complete loop of a server that echoes:
//!
//! ```
//! use std::error::Error;
//! use std::io::{Read, Write};
//! use std::time::Instant;
//! use sansock::{Config, Connection, Event, ReceiveBuffer, SendBuffer, Teardown};
//! use sansock::handshake::{Answer, HeadLimits, ServerHandshake};
//! # #[cfg(feature = "rand")]
//! # use sansock::Outcome;
//!
//! # #[cfg(feature = "rand")]
//! fn serve(transport: &mut (impl Read + Write)) -> Result<Outcome, Box<dyn Error>> {
//!     let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
//!
//!     // The opening handshake: exactly one HTTP request is read.
//!     let mut handshake = ServerHandshake::new(HeadLimits::new());
//!     while !handshake.advance(&mut input).inspect_err(|error| {
//!         // Queues the response that belongs to the error: 400, 405, 414, 426 or 431. Then end the
//!         // transport as in `Teardown::HalfClose`, by the deadline `Timeouts::ending`.
//!         handshake.respond(error, &mut output);
//!         let _ = output.write_to(transport);
//!     })? {
//!         if input.read_from(transport)? == 0 {
//!             handshake.receive_eof()?;
//!         }
//!     }
//!     // The program looks at target, headers, subprotocols and Origin, and accepts or rejects.
//!     let request = handshake.request().ok_or("no request")?;
//!     let mut connection = request.accept(&Answer::new(), &mut output)?.connection(&Config::new());
//!     echo(&mut connection, &mut input, &mut output, transport)?;
//!     connection.outcome().cloned().ok_or_else(|| "not over".into())
//! }
//!
//! fn echo(
//!     connection: &mut Connection,
//!     input: &mut ReceiveBuffer,
//!     output: &mut SendBuffer,
//!     transport: &mut (impl Read + Write),
//! ) -> Result<(), Box<dyn Error>> {
//!     loop {
//!         // 1. Process all that has arrived. An event borrows `input`, not the connection, so the
//!         //    payload can be sent without a copy. An error means that the peer broke the
//!         //    protocol; the Close frame that says so is in `output`.
//!         while let Ok(Some(event)) = connection.next_event(input, output) {
//!             match event {
//!                 Event::Message(message) => connection.send(message, output)?,
//!                 // The Pong is queued. Write it, or the next Ping's Pong replaces it.
//!                 Event::Ping(_) => output.write_to(transport)?,
//!                 _ => {}
//!             }
//!         }
//!         // 2. Check the timers. A timeout shows in `teardown` and `outcome`.
//!         let _ = connection.handle_timeout(Instant::now(), output);
//!         // 3. Write before waiting: one write for all the messages that one read brought.
//!         output.write_to(transport)?;
//!         // 4. Go on until the transport is to be dropped.
//!         match connection.teardown() {
//!             Teardown::NotYet | Teardown::AwaitPeer => {}
//!             Teardown::HalfClose => { /* end our side of the transport, once */ }
//!             Teardown::Drop { .. } => return Ok(()),
//!         }
//!         // 5. Read. A real program waits until `connection.poll_timeout()` at most.
//!         if input.read_from(transport)? == 0 {
//!             connection.receive_eof();
//!         }
//!     }
//! }
//! #
//! # #[cfg(feature = "rand")]
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # struct Wire(&'static [u8], Vec<u8>);
//! # impl Read for Wire {
//! #     fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> { self.0.read(bytes) }
//! # }
//! # impl Write for Wire {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> { self.1.write(bytes) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # let mut wire = Wire(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
//! #     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
//! #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
//! #     \x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x82\0\0\0\0\x03\xe8", Vec::new());
//! # let outcome = serve(&mut wire)?;
//! # assert_eq!(outcome.code(), 1000);
//! # assert!(wire.1.ends_with(b"\r\n\r\n\x81\x05Hello\x88\x02\x03\xe8"));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "rand"))]
//! # fn main() {}
//! ```
//!
//! A client differs in the handshake only ([`ClientHandshake`]). A function that must return the
//! event that it has found calls [`Connection::advance`], which needs the buffer mutably, and then
//! [`ReceiveBuffer::event`], which only borrows it. The table at [`Connection`] lists every state
//! and what to do in it; the document `docs/EMBEDDING.md` shows the loop for event loops,
//! completion I/O and async.
//!
//! # Guarantees
//!
//! - Strict: every "MUST" of the RFC is enforced, on the bytes that have arrived. A bad byte in the
//!   first piece of a long text fails at once, and the peer gets the right close code.
//! - Bounded: [`Limits`], [`HeadLimits`] and [`Timeouts`] have defaults, and errors name them.
//!   Memory grows with what has arrived, never with what a header announces.
//! - Lean: an event borrows from the buffer, nothing is allocated per message in steady state, and
//!   an idle connection needs no buffers at all ([`ReceiveBuffer::is_idle`]).
//! - Blame is in the type: [`ProtocolError`] is the peer's fault, [`SendError`] the program's, and
//!   [`HandshakeError`] knows its HTTP status. A normal close is an [`Event`], never an error.
//!
//! # Features
//!
//! - `net` (default): the blocking client and server. Brings `rand`.
//! - `rustls`: TLS for them, so that `connect("wss://...")` works; see `net::tls`. Brings `net`.
//! - `webpki-roots`: Mozilla's root certificates, for programs that ask for them. Brings `rustls`.
//! - `web`: `web::WebSocket`, the `WebSocket` object of browsers. Brings `net` and the crate `url`.
//! - `deflate`: permessage-deflate (RFC 7692), for connections whose `Offer` or `Answer` asks for
//!   it with a `DeflateConfig`. Without it no message is compressed, and a compressed message of
//!   the peer is a protocol error. Brings the crate `flate2` with zlib-rs.
//! - `hub` (default): `hub`, one message to many connections, with topics and budgets. Brings `socket2` and
//!   `libc`, for writes that do not wait.
//! - `reconnect`: `dial::reconnect`, when to connect again after the end of a connection, and
//!   `Client::reconnecting`. Brings the crate `httpdate`.
//! - `redirects`: `dial::redirect`, and `Client::redirects`, which follows redirects of the
//!   handshake. Brings the crate `url`.
//! - `socket2`: `net::Client::tcp_socket`, options of a socket before it connects. Brings the crate
//!   of that name.
//! - `http`: `handshake::http`, the opening handshake with the types of the crate `http`, for
//!   requests that hyper, axum and others have parsed, of HTTP/2 too (RFC 8441).
//! - `proxy`: the way through HTTP and SOCKS proxies that the program sets; see `dial::Proxy`. Brings
//!   no dependency.
//! - `proxy-env`: which proxy the environment names; see `dial::Proxies::from_env`. Brings `proxy`,
//!   and for the rules of `NO_PROXY` the crate `hyper-util` with hyper and tokio (no runtime).
//! - `proxy-protocol`: `proxy_protocol`, the PROXY header of a proxy in front of a `net::Server`.
//! - `rand`: `mask::RandomMasks` and `handshake::random_nonce`, from a CSPRNG. Without it a client
//!   must implement [`MaskSource`].
//!
//! Without default features only the core is built.
//!
//! [`ClientHandshake`]: handshake::ClientHandshake
//! [`ServerHandshake`]: handshake::ServerHandshake
//! [`Established`]: handshake::Established
//! [`HandshakeError`]: handshake::HandshakeError
//! [`HeadLimits`]: handshake::HeadLimits
//! [`MaskSource`]: mask::MaskSource

// The bytes of a peer cannot cause a panic. Each exception names the invariant that it relies on.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod buffer;
mod close;
mod closing;
mod config;
mod connection;
#[cfg(target_has_atomic = "64")]
pub mod counts;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "deflate/stub.rs"]
mod deflate;
pub mod dial;
pub mod drain;
mod error;
mod event;
pub mod frame;
pub mod handshake;
#[cfg(feature = "hub")]
pub mod hub;
pub mod mask;
mod message;
#[cfg(feature = "net")]
pub mod net;
mod pace;
#[cfg(feature = "proxy-protocol")]
pub mod proxy_protocol;
mod receiver;
mod sender;
pub mod split;
mod timeouts;
mod timer;
pub mod uri;
mod utf8;
#[cfg(feature = "web")]
pub mod web;

pub use buffer::{ReceiveBuffer, SendBuffer};
pub use close::{Close, CloseCode, InvalidCloseCode};
pub use closing::{Outcome, State, Teardown};
pub use config::{Config, Delivery, Limits, Role};
pub use connection::Connection;
pub use error::{ProtocolError, SendError};
pub use event::Event;
pub use message::{AsMessage, Compression, Message, MessageKind, OutgoingMessage, OwnedMessage};
pub use pace::WritePace;
pub use sender::EncodedMessage;
pub use timeouts::{Deadline, Keepalive, Timeout, Timeouts};

// The examples of the documents compile: `cargo test --doc --all-features`.
#[cfg(all(doctest, feature = "rustls", feature = "web"))]
#[doc = include_str!("../README.md")]
struct Readme;
#[cfg(all(doctest, feature = "rustls", feature = "web"))]
#[doc = include_str!("../docs/DEPLOY.md")]
struct Deploy;
#[cfg(all(doctest, feature = "rustls", feature = "web", feature = "http"))]
#[doc = include_str!("../docs/EMBEDDING.md")]
struct Embedding;
#[cfg(all(doctest, feature = "rustls", feature = "web"))]
#[doc = include_str!("../docs/TESTING.md")]
struct Testing;
