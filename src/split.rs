//! A connection in two halves, for two threads or tasks
//! ([`Connection::split`](crate::Connection::split)).
//!
//! The thread that reads owns a [`Receiver`] and its [`ReceiveBuffer`](crate::ReceiveBuffer). The
//! [`Sender`] holds the closing handshake and the timers. It is kept behind a lock, together with a
//! [`SendQueue`]; one thread at a time writes from the queue, outside the lock.

pub use crate::buffer::SendQueue;
pub use crate::closing::Progress;
pub use crate::receiver::Receiver;
pub use crate::sender::Sender;
