//! `examples/chat` as a program: its protocol, and what happens to visitors that break it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod arguments;
mod crowd;
mod history;
mod metrics;
mod page;
mod program;
mod resume;
mod rooms;
mod rules;
mod sign_in;

use program::Chat;
