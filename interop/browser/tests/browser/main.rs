//! The pages of `examples/chat` and `examples/echo_server`, used as people use them: in Chromium,
//! with keys and clicks. `interop/browser/run` builds the examples and says what is missing.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod chat;
mod cluster;
mod driver;
mod echo;
mod http2;
mod proxy;
mod server;
