//! How a server that shuts down reaches its connections.
//!
//! A blocking read cannot be interrupted. But a connection that waits has nothing left to send, so
//! another thread may write the Close frame for it; the peer's answer then ends the wait. A
//! connection that does not wait learns of the shutdown when it flushes or waits the next time, and
//! closes by itself, behind everything it has accepted for sending.

use std::fmt;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Stream;
use crate::buffer::SendBuffer;
use crate::close::CloseCode;
use crate::config::Config;
use crate::sender::Sender;

/// The client's request has not arrived yet.
const OPENING: u8 = 0;
/// The connection's thread is busy.
const RUNNING: u8 = 1;
/// It waits for the peer, and nothing is queued.
const PARKED: u8 = 2;
/// The server shuts down, and the connection's thread must say so to the peer.
const LEAVING: u8 = 3;
/// The server's thread writes the Close frame.
const WRITING: u8 = 4;
/// The Close frame was written, or the connection's thread does it.
const LEFT: u8 = 5;

/// How to close a connection that was split.
type Leave = Box<dyn Fn() + Send>;

/// One connection's place in its server.
pub(super) struct Slot {
    state: AtomicU8,
    stream: Stream,
    leave: Mutex<Option<Leave>>,
    settled: AtomicBool,
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
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            state: AtomicU8::new(OPENING),
            stream,
            leave: Mutex::new(None),
            settled: AtomicBool::new(false),
        }
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The client's request has arrived; `false` if the server shuts down.
    pub(super) fn open(&self) -> bool {
        self.change(OPENING, RUNNING)
    }

    /// Whether the connection must close now; asked while its thread is busy, and told once.
    #[inline]
    pub(super) fn must_leave(&self) -> bool {
        self.state.load(Ordering::Relaxed) == LEAVING && self.change(LEAVING, LEFT)
    }

    /// Before a wait, with nothing queued.
    #[inline]
    pub(super) fn park(&self) -> Notice {
        if !self.change(RUNNING, PARKED) && self.must_leave() {
            Notice::Leave
        } else {
            Notice::Stay
        }
    }

    /// After a wait.
    #[inline]
    pub(super) fn unpark(&self) -> Notice {
        if self.change(PARKED, RUNNING) { Notice::Stay } else { self.unpark_late() }
    }

    #[cold]
    fn unpark_late(&self) -> Notice {
        // The other thread writes four bytes and does not wait.
        while self.state.load(Ordering::Acquire) == WRITING {
            thread::yield_now();
        }
        if self.must_leave() { Notice::Leave } else { Notice::Left }
    }

    /// The connection is split: `leave` is how to close it from now on.
    pub(super) fn set_leave(&self, leave: impl Fn() + Send + 'static) {
        let mut place = self.lock_leave();
        if self.must_leave() {
            leave();
        }
        *place = Some(Box::new(leave));
    }

    /// The server shuts down. Does not wait for the peer.
    pub(super) fn go_away(&self) {
        // Held to the end: the connection must not be split between the look and the notice.
        let leave = self.lock_leave();
        if let Some(leave) = &*leave {
            return leave();
        }
        loop {
            match self.state.load(Ordering::Acquire) {
                OPENING if self.change(OPENING, LEAVING) => {
                    // Ends the wait for the request.
                    let _ = self.stream.get_ref().shutdown(Shutdown::Read);
                    return;
                }
                RUNNING if self.change(RUNNING, LEAVING) => return,
                PARKED if self.change(PARKED, WRITING) => {
                    let left = self.write_close();
                    // A peer that reads so little is told when its next bytes end the wait.
                    let state = if left { LEFT } else { LEAVING };
                    return self.state.store(state, Ordering::Release);
                }
                // The connection goes back and forth meanwhile.
                OPENING | RUNNING | PARKED => {}
                _ => return,
            }
        }
    }

    /// Writes a Close frame if the network takes it at once.
    fn write_close(&self) -> bool {
        let (mut sender, mut frame) = (Sender::server(&Config::new()), SendBuffer::new());
        sender.last_words(CloseCode::GOING_AWAY, &mut frame);
        self.stream.write_now(frame.as_slice()).is_ok()
    }

    /// The connection has come to its end on the wire: nobody needs to wait for the peer any more.
    pub(super) fn settle(&self) {
        self.settled.store(true, Ordering::Release);
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    fn lock_leave(&self) -> MutexGuard<'_, Option<Leave>> {
        self.leave.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("state", &self.state).finish_non_exhaustive()
    }
}
