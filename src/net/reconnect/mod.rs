//! Connecting again after the end of a connection.

mod cause;
mod connected;
mod iterator;
mod outbox;
mod retry;

pub use connected::Connected;
pub use iterator::Reconnecting;
pub use retry::Retry;
