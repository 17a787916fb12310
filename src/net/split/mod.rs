//! One connection on several threads: one reads, others write.
//!
//! Frames are encoded under a lock and written outside of it: a thread that waits for the network
//! never keeps another from queueing, and in particular the reader never waits for a write. If it
//! did, two peers that both send at full speed and ping each other would come to a halt: neither
//! reads because each waits to write its Pong. A thread of its own, the housekeeper, writes what the
//! reader queued and keeps the timers; it sleeps otherwise.

mod housekeeper;
mod outbox;
mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use self::housekeeper::keep_house;
use self::outbox::{Outbox, Shared};
use super::linger::linger_until;
use super::stream::Stream;
use super::{Error, WebSocket};
use crate::close::CloseCode;

impl WebSocket<Stream> {
    /// The two halves, for two threads; [`Writer`] can be cloned for more. Answers to Pings and Close
    /// frames and the timers are taken care of by a thread that ends with the last half.
    ///
    /// To drop the last half waits until what was queued is written, for
    /// [`Timeouts::closing`](crate::Timeouts::closing) at most.
    ///
    /// # Errors
    ///
    /// What was queued could not be written, or the thread could not be started; the connection is
    /// dropped.
    pub fn split(mut self) -> Result<(Reader, Writer), Error> {
        self.flush()?;
        let slot = self.take_slot();
        let (stream, connection, input, _) = self.into_parts();
        let outcome = connection.outcome();
        let (receiver, sender, timers) = connection.into_halves();
        let outbox = Outbox::new(sender, timers, outcome);
        let shared = Arc::new(Shared::new(stream, slot, outbox)?);
        let housekeeper = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("sansock-split".into())
            .spawn(move || keep_house(&housekeeper))?;
        if let Some(slot) = &shared.slot {
            let shared = Arc::downgrade(&shared);
            slot.set_leave(move || {
                if let Some(shared) = shared.upgrade() {
                    shared.lock().last_words(CloseCode::GOING_AWAY);
                    shared.notify();
                }
            });
        }
        let handle = Handle { shared, thread: Arc::new(Mutex::new(Some(thread))) };
        let writer = Writer::new(handle.clone());
        Ok((Reader::new(receiver, input, handle), writer))
    }
}

/// Counts the halves, so that the housekeeper ends with the last of them.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Deref for Handle {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        let mut outbox = self.lock();
        outbox.handles = outbox.handles.saturating_add(1);
        drop(outbox);
        Self { shared: Arc::clone(&self.shared), thread: Arc::clone(&self.thread) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut outbox = self.lock();
        outbox.handles = outbox.handles.saturating_sub(1);
        if outbox.handles > 0 {
            return;
        }
        outbox.until = Some(linger_until(outbox.timers.timeouts().closing));
        drop(outbox);
        self.notify();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
