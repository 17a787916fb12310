//! The pages of `examples/chat` and `examples/echo_server`, used as people use them: in Chromium,
//! with keys and clicks. `browser/run` builds the examples and says what is missing.

mod chat;
mod driver;
mod echo;
mod proxy;
mod server;
