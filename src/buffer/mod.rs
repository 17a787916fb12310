//! The buffers: received bytes and bytes to send. They do all growing, compacting and lending.

mod copy;
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
