//! `examples/chat` as a program: its protocol, and what it does to those who do not keep to it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod arguments;
mod crowd;
mod page;
mod program;
mod rules;
mod sign_in;

use program::Chat;
