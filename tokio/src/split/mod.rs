//! One connection for two tasks and more.

mod core;
mod in_place;
#[cfg(feature = "hub")]
mod mailbox;
#[cfg(not(feature = "hub"))]
#[path = "no_mailbox.rs"]
mod mailbox;
mod reader;
mod shared;
mod sync;
mod wakers;
mod writer;

use std::sync::Arc;

use sansock::buffer::Buffers;
use tokio::io::{AsyncRead, AsyncWrite};

pub use reader::Reader;
pub use writer::Writer;

use self::shared::{Shared, lock};
use self::sync::Ordering;
use crate::server::Remains;
use crate::{WebSocket, pool};

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Splits the connection into a half that receives and one that sends, for two and more tasks.
    /// No task is spawned: whichever half is polled writes what waits, the answers to Pings and
    /// Close frames included, and checks the timers.
    ///
    /// If the last half is dropped before the end of the connection, what was queued is written as
    /// far as the transport takes it at once, and the rest is lost; a
    /// [`Server`](crate::Server) writes all, and closes.
    ///
    /// # Panics
    ///
    /// Never: only what consumes a connection takes its transport out.
    #[must_use]
    pub fn split(mut self) -> (Reader<S>, Writer<S>) {
        let Buffers { input, output } = *self.state.buffers.take().unwrap_or_else(pool::take);
        let slot = self.state.link.slot.take();
        let pace = self.state.link.pace;
        #[expect(clippy::expect_used, reason = "only what consumes a connection takes it out")]
        let (stream, connection) =
            self.state.link.take().expect("the connection has its transport");
        let (receiver, sender) = connection.split();
        let shared = Arc::new(Shared::new(stream, sender, output, pace, slot));
        let buffers = Box::new(Buffers { input, ..Buffers::default() });
        let reader = Reader::new(Arc::clone(&shared), receiver, Some(buffers));
        (reader, Writer { shared })
    }
}

/// Lets go of one half. If it was the last one, the server gets the connection, or what waits is
/// written once.
fn let_go<S: AsyncRead + AsyncWrite + Unpin>(shared: &Arc<Shared<S>>) {
    if shared.halves.fetch_sub(1, Ordering::AcqRel) > 1 {
        return;
    }
    let parked = lock(&shared.parked).take();
    let slot = lock(&shared.slot).take();
    match (slot, parked) {
        (Some(slot), Some((receiver, buffers))) => {
            shared.halves.store(1, Ordering::Relaxed);
            let rest = Reader::new(Arc::clone(shared), receiver, buffers);
            slot.let_go(Some(Remains::Split(Box::new(rest))));
        }
        (Some(slot), None) => slot.let_go(None),
        (None, _) => {
            let ticket = shared.lock().queue.ticket();
            let _ = shared.poll_write(ticket);
        }
    }
}
