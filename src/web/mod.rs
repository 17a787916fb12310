//! The WebSocket object of browsers, for Rust programs.
//!
//! [`WebSocket`] is what the [WHATWG WebSockets standard](https://websockets.spec.whatwg.org/) gives to
//! pages: four events, [`send`](WebSocket::send), [`close`](WebSocket::close),
//! [`ready_state`](WebSocket::ready_state), [`buffered_amount`](WebSocket::buffered_amount). It
//! connects, reads and writes in the background.
//!
//! ```no_run
//! use sansock::web::WebSocket;
//!
//! let socket = WebSocket::new("ws://127.0.0.1:9001/")?;
//! socket.on_open(|socket, _| {
//!     let _ = socket.send("Hello");
//! });
//! socket.on_message(|socket, event| {
//!     println!("{:?}", event.data);
//!     socket.close();
//! });
//! socket.on_error(|_, event| eprintln!("{}", event.message));
//! socket.on_close(|_, event| println!("closed: {} {}", event.code, event.reason));
//! socket.wait();
//! # Ok::<(), sansock::web::Error>(())
//! ```
//!
//! # Events
//!
//! In this order: `open`; each `message`; if the connection failed `error`; exactly one `close`. Those
//! who prefer to pull take them from [`WebSocket::events`], an iterator that waits.
//!
//! Handlers run on one thread of the socket's own, one after the other: a slow one keeps later events
//! waiting, but not the connection: Pings and Close frames are answered meanwhile. When
//! [`Builder::backlog`] bytes of messages wait, reading pauses until some are taken.
//!
//! **Nothing is lost before you listen.** An event that comes while no handler for its type was ever
//! set, and nobody pulls, is kept for the first one, however late it is set; messages up to
//! [`Builder::backlog`] bytes, above which all that nobody listened for are discarded. Handlers that
//! are set within 5 milliseconds of each other, all four types, or [`WebSocket::events`], get their
//! events in the order above; a handler that is set later gets what it missed at once.
//!
//! A handler may send and close on its own socket, set and remove handlers, and even drop the socket. A
//! handler that panics is removed and closes its socket with 1011; nothing else is affected. After
//! `close` all handlers are dropped, so a handler may hold what holds the socket.
//!
//! # Threads
//!
//! A thread connects and reads; one writes and keeps the timers, as after
//! [`split`](crate::net::WebSocket::split); the first handler brings the one that runs handlers. All end
//! with the connection. To drop the [`WebSocket`] closes the connection and waits for them, in bounded
//! time; what is in the middle of a handler ends with it, and a look-up or a connection attempt that
//! the operating system does not let go of ends by itself.
//!
//! # Differences from the standard
//!
//! - Handlers get the socket as an argument (a page has `event.target`), and an error event has a
//!   message that tells why; pages are not told.
//! - Events reach handlers that are set late, see above; a page's are lost. A handler that panics closes
//!   its socket; in a page an exception has no consequence.
//! - A blocked port is a [`Security`](Error::Security) error of the constructor, as the standard had it
//!   before it left the matter to Fetch, where the connection fails later;
//!   [`PortPolicy::Any`] switches it off. Port 0 never works.
//! - A URL whose host, user name or password cannot be written in RFC 6455's grammar is a `SyntaxError`
//!   too, such as the host `a&b`. There is no base URL, so it must be absolute.
//! - Every close that is not clean comes after an `error`, also one for which the server did not
//!   answer the Close frame in time, or for which a handler panicked.
//! - No `binaryType`: a binary message is bytes. No `origin` of a message event: it is the socket's
//!   URL's. No Origin header unless [`Builder::origin`] sets one; no cookies, cache, proxy, mixed-content
//!   or CSP checks.
//! - No extension is offered unless the program asks for it ([`Builder::client`]).
//! - [`Limits`](crate::Limits) hold: a message above the limit fails the connection. Close codes and the
//!   reason are checked as in pages; [`net`](crate::net) allows the other codes.
//! - An object that is dropped closes without a code, as one that is garbage-collected, but drops its
//!   handlers at once.

mod builder;
mod dispatch;
mod error;
mod event;
mod events;
mod ledger;
mod listeners;
mod network;
mod ports;
mod pulls;
mod ready_state;
mod shared;
mod socket;
mod state;
mod steps;
mod url;

pub use builder::Builder;
pub use error::{Error, SyntaxError};
pub use event::{CloseEvent, Data, ErrorEvent, Event, EventKind, MessageEvent, OpenEvent};
pub use events::Events;
pub use listeners::ListenerId;
pub use ports::PortPolicy;
pub use ready_state::ReadyState;
pub use socket::WebSocket;
