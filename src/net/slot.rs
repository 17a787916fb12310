//! How a server that shuts down reaches a connection that waits for its peer.
//!
//! A blocking read cannot be interrupted. But a connection that waits has nothing left to send, so
//! another thread may write the Close frame for it; the peer's answer then ends the wait. A
//! connection that does not wait learns of the shutdown before it does so the next time, and closes
//! by itself, behind everything it has accepted for sending.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, thread};

use super::Tcp;
use crate::buffer::SendBuffer;
use crate::close::CloseCode;
use crate::config::Config;
use crate::sender::Sender;

/// The connection's thread is busy.
const RUNNING: u8 = 0;
/// It waits for the peer, and nothing is queued.
const PARKED: u8 = 1;
/// The server shuts down, and the connection's thread must say so to the peer.
const LEAVING: u8 = 2;
/// The server's thread writes the Close frame.
const WRITING: u8 = 3;
/// The Close frame was written, or the connection's thread does it.
const LEFT: u8 = 4;

/// One connection's place in its server.
pub(super) struct Slot {
    state: AtomicU8,
    stream: Tcp,
    /// Starts the closing handshake, for a connection that was split.
    leave: Mutex<Option<Box<dyn Fn() + Send>>>,
}

/// What a connection has to do about the shutdown of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Nothing.
    Stay,
    /// Close with 1001.
    Leave,
    /// A Close frame was written on its behalf.
    Left,
}

impl Slot {
    pub(super) fn new(stream: Tcp) -> Self {
        Self { state: AtomicU8::new(RUNNING), stream, leave: Mutex::new(None) }
    }

    pub(super) fn stream(&self) -> &Tcp {
        &self.stream
    }

    /// Before a wait, with nothing queued.
    #[inline]
    pub(super) fn park(&self) -> Notice {
        let now = self.swap_if(RUNNING, PARKED);
        if now == LEAVING {
            self.state.store(LEFT, Ordering::Release);
            return Notice::Leave;
        }
        Notice::Stay
    }

    /// After a wait.
    #[inline]
    pub(super) fn unpark(&self) -> Notice {
        if self.swap_if(PARKED, RUNNING) == PARKED { Notice::Stay } else { self.unpark_late() }
    }

    #[cold]
    fn unpark_late(&self) -> Notice {
        // The other thread has four bytes to write.
        while self.state.load(Ordering::Acquire) == WRITING {
            thread::yield_now();
        }
        Notice::Left
    }

    /// The connection is split: `leave` is how to close it from now on.
    pub(super) fn set_leave(&self, leave: impl Fn() + Send + 'static) {
        let mut place = self.leave.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state.load(Ordering::Acquire) == LEAVING {
            leave();
        }
        *place = Some(Box::new(leave));
    }

    /// The server shuts down.
    pub(super) fn go_away(&self) {
        if let Some(leave) = &*self.leave.lock().unwrap_or_else(PoisonError::into_inner) {
            return leave();
        }
        loop {
            // The connection goes back and forth between the two meanwhile.
            if self.swap_if(RUNNING, LEAVING) != PARKED {
                return;
            }
            if self.swap_if(PARKED, WRITING) == PARKED {
                break;
            }
        }
        let (mut sender, mut frame) = (Sender::server(&Config::new()), SendBuffer::new());
        sender.last_words(CloseCode::GOING_AWAY, &mut frame);
        let mut stream = self.stream.clone();
        // Whoever does not take four bytes is not there to be told.
        let _ = stream.get_ref().set_write_timeout(Some(Duration::from_secs(1)));
        let _ = stream.write_all(frame.as_slice());
        self.state.store(LEFT, Ordering::Release);
    }

    /// What the state was; it has changed if that was `from`.
    #[inline]
    fn swap_if(&self, from: u8, to: u8) -> u8 {
        match self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(was) | Err(was) => was,
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("state", &self.state).finish_non_exhaustive()
    }
}
