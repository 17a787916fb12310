//! `web::WebSocket` against the steps of the browsers' standard, with servers of our own that
//! behave as each step needs. `interop/web` has servers of another make.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod close;
mod constructor;
mod event_loop;
mod event_loop_turns;
mod feedback;
mod handlers;
mod pull;
#[cfg(feature = "redirects")]
mod redirects;
mod send;
mod server;
mod slow_servers;
mod turns;
