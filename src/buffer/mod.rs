//! The bytes that have arrived and the bytes that wait to leave: all growth, compaction and
//! lending.

mod pool;
mod queue;
mod receive;
mod send;
mod send_queue;

pub use pool::{BufferPool, Buffers};
pub use receive::ReceiveBuffer;
pub use send::{SendBuffer, Unwritten};
pub use send_queue::SendQueue;

pub(crate) use receive::{InflateError, What};
