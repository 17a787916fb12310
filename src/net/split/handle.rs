//! Keeps a split connection alive.

use std::mem;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::outbox::Outbox;
use super::shared::Shared;
use crate::Config;
use crate::WritePace;
use crate::net::lock::lock;
use crate::net::slot::Remains;
use crate::split::Sender;

/// Counts the halves: the connection ends with the last one.
#[derive(Debug)]
pub(super) struct Handle {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>, thread: JoinHandle<()>) -> Self {
        Self { shared, thread: Arc::new(Mutex::new(Some(thread))) }
    }

    #[cfg(feature = "hub")]
    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Hands the unwritten bytes to the server.
    fn leave_remains(&self) {
        let Some(slot) = &self.slot else { return };
        let mut outbox = self.lock();
        if outbox.dropped {
            return;
        }
        let nothing = Outbox::new(Sender::server(&Config::new()), WritePace::new(None));
        let Outbox { mut sender, mut queue, .. } = mem::replace(&mut *outbox, nothing);
        slot.keep_remains(move |code| {
            // Refused only if a Close frame was queued before.
            let _ = sender.start_close(code, "", queue.queued());
            let (outcome, close_sent) = (sender.outcome().cloned(), sender.close_sent());
            Remains { output: queue.into_buffer(), outcome, close_sent }
        });
    }
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
        let handles = self.update(|outbox| {
            outbox.handles = outbox.handles.saturating_sub(1);
            if outbox.handles == 0 {
                outbox.write_wanted = true;
                outbox.mailbox.end();
                if self.slot.is_none() {
                    // No half reads any more. This starts the time in which waiting bytes may be
                    // written.
                    outbox.sender.receive_eof();
                }
            }
            outbox.handles
        });
        if handles > 0 {
            return;
        }
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        self.leave_remains();
    }
}
