//! The WebSocket object of browsers, for Rust programs.
//!
//! [`WebSocket`] is the object that the [WHATWG WebSockets
//! standard](https://websockets.spec.whatwg.org/) defines for pages: four events,
//! [`send`](WebSocket::send), [`close`](WebSocket::close), [`ready_state`](WebSocket::ready_state),
//! [`buffered_amount`](WebSocket::buffered_amount). It connects, reads and writes in the
//! background.
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
//! Events come in this order: `open`; each `message`; `error` if the connection failed; exactly one
//! `close`. [`WebSocket::events`] gives the same events as an iterator that waits.
//!
//! All handlers of a socket run on one thread, one after the other. A slow handler delays later
//! events but not the connection: Pings and Close frames are answered meanwhile. When
//! [`Builder::backlog`] bytes of messages wait, reading pauses until some of them are taken.
//!
//! **Nothing is lost before you listen.** An event of a type for which no handler was ever set,
//! while there is no [`Events`] either, is kept for the first handler of its type, however late it
//! is set. Messages are kept up to [`Builder::backlog`] bytes; above that all messages that nothing
//! has listened for are discarded. If you set the handlers of all four types within 5 milliseconds
//! of each other, or call [`WebSocket::events`], events arrive in the order above. A handler that
//! is set later gets the events it missed at once.
//!
//! A handler may send and close on its own socket, set and remove handlers, and even drop the
//! socket. A handler that panics is removed, and its socket is closed with 1011; nothing else is
//! affected. After `close` all handlers are dropped, so a handler may own something that owns the
//! socket.
//!
//! # Event loops
//!
//! By default the state changes when something happens on the network, whatever the program does at
//! that moment. In a page it changes between two turns of the event loop, when the event is
//! delivered. A program with an event loop of its own, such as one that runs JavaScript, gets
//! exactly that with [`Builder::event_loop`]: taking an event runs its task. Until then nothing
//! changes, and a script that runs sees the same `ready_state` and `buffered_amount` from its
//! beginning to its end. Handlers run on the thread that takes the event, and one that is set late
//! misses what was taken, as in a page. An `error` is directly followed by its `close`: in a page
//! both are one task. Some tasks fire no event, such as the one that makes the state CLOSING; taking
//! the next event runs them too.
//!
//! ```no_run
//! use std::sync::mpsc;
//! use sansock::web::{Event, WebSocket};
//!
//! let (wake, woken) = mpsc::channel();
//! let socket = WebSocket::builder("ws://127.0.0.1:9001/")?
//!     .event_loop(move || {
//!         let _ = wake.send(());
//!     })
//!     .open()?;
//! let events = socket.events();
//! // One item for each task; a real loop waits for timers and other sockets too.
//! for () in woken {
//!     // The state changes here, and `buffered_amount` falls.
//!     match events.try_recv() {
//!         Some(Event::Close(_)) => break,
//!         Some(event) => println!("{event:?}, {:?}", socket.ready_state()),
//!         None => {}
//!     }
//! }
//! # Ok::<(), sansock::web::Error>(())
//! ```
//!
//! # Threads
//!
//! One thread connects and reads. Another one writes and keeps the timers, as after
//! [`split`](crate::net::WebSocket::split). The first handler starts the thread that runs handlers.
//! All of them end with the connection. Dropping the [`WebSocket`] closes the connection and blocks
//! until they have ended, for a bounded time. It does not wait for a handler that is running, nor
//! for a DNS lookup or a connection attempt that the operating system cannot cancel: those threads
//! end by themselves.
//!
//! # Differences from the standard
//!
//! - Without [`Builder::event_loop`] the state, the subprotocol, the extensions and the buffered amount
//!   change when something happens, not when its event is delivered; a socket whose buffer is full is
//!   CLOSING at once.
//! - There is no `open` after [`close`](WebSocket::close).
//! - The events are not those of `EventTarget`: no `once`, `signal`, `capture` or `dispatchEvent`; a
//!   handler that is added twice is called twice; `on_*` cannot be read; events have no `target` or
//!   `timeStamp`. All handlers are dropped after `close`.
//! - [`send`](WebSocket::send) takes text or bytes, no `Blob`. A reason to close needs a code.
//! - Reading pauses when [`Builder::backlog`] bytes wait, and [`Timeouts`](crate::Timeouts) fail a
//!   connection too.
//! - Nothing closes with 1001 when a document goes away: there is none.
//! - Handlers receive the socket as an argument (a page uses `event.target`), and an error event
//!   has a message with the reason, which a page does not get.
//! - Events reach handlers that are set late, see above; a page would miss them. A handler that
//!   panics closes its socket; an exception in a page has no consequence.
//! - A blocked port is a [`Security`](Error::Security) error of the constructor, as in earlier
//!   versions of the standard; today the connection fails later, in Fetch, as with
//!   [`PortPolicy::Fail`]. [`PortPolicy::Any`] switches the check off. Port 0 never works.
//! - A URL whose host, user name or password cannot be written in RFC 6455's grammar is a
//!   `SyntaxError` too, such as the host `a&b`. The URL must be absolute, unless
//!   [`WebSocket::builder_with_base`] gives a base URL.
//! - One connection at a time is CONNECTING to a host and port ([`Builder::connect_in_turn`]). A host
//!   is told by its name, so two names of one address may connect at once.
//! - Every close that is not clean comes after an `error`, also if the server did not answer the
//!   Close frame in time, or if a handler panicked.
//! - There is no `binaryType`: a binary message is bytes. A message event has no `origin`: it is
//!   that of the socket's URL. No Origin header is sent unless [`Builder::origin`] sets one. There
//!   are no cookies, no cache, no proxy, and no mixed-content or CSP checks.
//! - No extension is offered unless the program asks for it (`Builder::deflate`).
//! - [`Limits`](crate::Limits) apply: a message above the limit fails the connection. Close codes
//!   and the reason are checked as in pages; [`net`](crate::net) allows the other codes.
//! - Dropping the object closes the connection without a code, as garbage collection does in a
//!   page, but drops the handlers at once.

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
mod turns;
mod url;
mod wake;

pub use builder::Builder;
pub use error::{Error, SyntaxError};
pub use event::{CloseEvent, Data, ErrorEvent, Event, EventKind, MessageEvent, OpenEvent};
pub use events::Events;
pub use listeners::ListenerId;
pub use ports::PortPolicy;
pub use ready_state::ReadyState;
pub use socket::WebSocket;
