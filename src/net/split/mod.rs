//! One connection on several threads: one reads, others write.
//!
//! Frames are encoded under a lock and written outside it: a thread that waits for the network
//! never keeps another from queueing, and the reader never waits for a write. Otherwise two peers
//! that both send at full speed and ping each other would block: neither reads because each waits
//! to write its Pong. A background thread writes what the reader queued, checks the timers, and
//! ends the transport; otherwise it sleeps.

mod background;
#[cfg(feature = "hub")]
mod deliver;
mod handle;
#[cfg(feature = "hub")]
mod mailbox;
#[cfg(not(feature = "hub"))]
#[path = "no_mailbox.rs"]
mod mailbox;
mod outbox;
#[cfg(feature = "web")]
mod position;
mod reader;
mod shared;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

use std::io::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use self::handle::Handle;
use self::outbox::Outbox;
use self::shared::Shared;
use super::stream::Stream;
use super::{Error, WebSocket};
use crate::WritePace;

impl WebSocket<Stream> {
    /// Splits the connection into two halves, for two threads; [`Writer`] can be cloned for more. A
    /// background thread, which ends with the connection, writes the answers to the Pings and Close
    /// frames that the [`Reader`] reads, and checks the timeouts.
    ///
    /// The reader returns all messages up to the peer's Close frame, even after ours:
    /// [`Config::messages_after_close`](crate::Config::messages_after_close) has no effect here.
    ///
    /// Dropping the last half blocks until queued messages are written, at most for
    /// [`Timeouts::closing`](crate::Timeouts::closing). The peer gets no Close frame, unless one
    /// was sent. In a handler of a [`Server`](super::Server) the server writes the rest, and a
    /// Close frame.
    ///
    /// # Errors
    ///
    /// [`Error`] if queued messages could not be written, or the thread could not be started; the
    /// connection is dropped.
    pub fn split(mut self) -> Result<(Reader, Writer), Error> {
        self.flush()?;
        let pace = WritePace::new(self.write_timeout());
        let (mut stream, (connection, _, slot), input) = self.into_halves();
        stream.flush()?;
        let (receiver, mut sender) = connection.split();
        let mut outbox = {
            let mut nothing = crate::SendBuffer::new();
            let _ = sender.handle_timeout(Instant::now(), &mut nothing);
            Outbox::new(sender, pace)
        };
        outbox.write_wanted = true;
        let shared = Arc::new(Shared::new(stream, slot, outbox)?);
        let background = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("sansock-split".into())
            .spawn(move || background::run(&background))?;
        if let Some(slot) = &shared.slot {
            let shared = Arc::downgrade(&shared);
            slot.set_start_close(move |code| {
                if let Some(shared) = shared.upgrade() {
                    // Refused only if the closing handshake has started.
                    let _ = shared.update(|outbox| outbox.start_close(code, ""));
                }
            });
        }
        let handle = Handle::new(shared, thread);
        let writer = Writer::new(handle.clone());
        Ok((Reader::new(receiver, input, handle), writer))
    }
}
