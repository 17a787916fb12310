//! The bytes that have arrived and the bytes that wait to leave: all growth, compaction and lending.

mod queue;
mod receive;
mod send;

pub use receive::ReceiveBuffer;
pub use send::SendBuffer;

pub(crate) use receive::{InflateError, What};
