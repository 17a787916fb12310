//! Lets a server reach its connections when it shuts down, or when their handlers have returned.
//!
//! A blocking read cannot be interrupted. But a connection that waits has nothing left to send, so
//! another thread may write the Close frame for it; the peer's answer then ends the wait. A
//! connection that does not wait learns of the shutdown at its next flush or wait, and closes
//! itself after all accepted messages.

use std::fmt;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Instant;

use super::Stream;
use super::lock::{lock, wait};
use crate::counts::{CountedClient, Counters, Ended, Refusal};
use crate::split::Sender;
use crate::{CloseCode, Config, Outcome, SendBuffer};

/// What the connection's thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// It is waiting for the client's request.
    Opening,
    /// It is busy.
    Running,
    /// It is waiting for the peer, and nothing is queued.
    Parked,
    /// The connection must close, and its thread must send the Close frame.
    CloseWanted,
    /// The server's thread is writing the Close frame.
    Writing,
    /// The Close frame was written, or the connection's thread writes it.
    Closed,
}

/// What a connection must do because its server closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Nothing.
    Stay,
    /// Close.
    Close(CloseNotice),
    /// Nothing: the server's thread has written a Close frame.
    Closed,
}

/// The details of a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CloseNotice {
    pub(super) code: CloseCode,
    /// Number of bytes of the Close frame that the network has already taken.
    pub(super) written: usize,
}

/// Starts the closing handshake of a split connection.
type StartClose = Box<dyn Fn(CloseCode) + Send>;
/// Queues a Close frame after the messages of a dropped connection, and returns what is left.
type TakeRemains = Box<dyn FnOnce(CloseCode) -> Remains + Send>;

/// What is left of a connection that was dropped before its end.
pub(super) struct Remains {
    /// The bytes that wait.
    pub(super) output: SendBuffer,
    pub(super) outcome: Option<Outcome>,
    pub(super) close_sent: Option<u16>,
}

/// One connection's place in its server.
pub(super) struct Slot {
    phase: AtomicU8,
    close_code: AtomicU16,
    /// Number of bytes of the Close frame that the server's thread has written.
    close_written: AtomicUsize,
    /// The code of the Close frame that the server's thread has written; 0 if it has not.
    close_sent: AtomicU16,
    client: CountedClient,
    /// Whether the server has told the connection to close before its end.
    told: AtomicBool,
    /// Whether the server has cut it off.
    cut_off: AtomicBool,
    stream: Stream,
    start_close: Mutex<Option<StartClose>>,
    end: Mutex<End>,
    /// Notified when `end` changes.
    ended: Condvar,
}

/// The state in which the connection's thread left it.
#[derive(Default)]
struct End {
    /// Whether the connection has ended on the wire.
    settled: bool,
    /// Whether that was by a completed closing handshake.
    clean: bool,
    ended: Ended,
    /// `Some` if the connection was dropped before its end.
    remains: Option<TakeRemains>,
}

impl Slot {
    pub(super) fn new(stream: Stream, client: CountedClient) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Opening as u8),
            close_code: AtomicU16::new(CloseCode::GOING_AWAY.get()),
            close_written: AtomicUsize::new(0),
            close_sent: AtomicU16::new(0),
            client,
            told: AtomicBool::new(false),
            cut_off: AtomicBool::new(false),
            stream,
            start_close: Mutex::new(None),
            end: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The client in the counts of its server.
    pub(super) fn client(&self) -> &CountedClient {
        &self.client
    }

    #[inline]
    pub(super) fn counters(&self) -> &Counters {
        self.client.counters()
    }

    /// Counts how the client has ended, unless it was counted before.
    pub(super) fn count_end(&self) {
        self.client.refuse(Refusal::Transport);
        self.client.end(lock(&self.end).ended);
    }

    /// Ends the connection of a client that has not sent its request, or was refused.
    pub(super) fn displace(&self) {
        self.client.refuse(Refusal::Displaced);
        let _ = self.stream.abort();
        self.settle();
    }

    /// Records that the client's request has arrived; `false` if the server shuts down.
    pub(super) fn open(&self) -> bool {
        self.change(Phase::Opening, Phase::Running)
    }

    /// Whether there is a connection, which was not cut off.
    pub(super) fn is_connection(&self) -> bool {
        self.client.is_accepted() && !self.cut_off.load(Ordering::Acquire)
    }

    /// Whether the server has told the connection to close before its end.
    pub(super) fn was_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// Tells the connection to close: the server drains or shuts down.
    pub(super) fn tell(&self, code: CloseCode) {
        if !self.is_settled() {
            self.told.store(true, Ordering::Release);
        }
        self.close(code);
    }

    /// Ends the transport at once, because the connection has taken too long to close.
    pub(super) fn cut_off(&self) {
        self.cut_off.store(true, Ordering::Release);
        let _ = self.stream.abort();
    }

    /// Whether the connection must close now. Called while its thread is busy; returns a notice
    /// only once.
    #[inline]
    pub(super) fn must_close(&self) -> Option<CloseNotice> {
        let must_close = self.phase.load(Ordering::Relaxed) == Phase::CloseWanted as u8
            && self.change(Phase::CloseWanted, Phase::Closed);
        must_close.then(|| self.close_notice())
    }

    #[cold]
    fn close_notice(&self) -> CloseNotice {
        let code = CloseCode::new(self.close_code.load(Ordering::Relaxed));
        let written = self.close_written.load(Ordering::Relaxed);
        CloseNotice { code: code.unwrap_or(CloseCode::GOING_AWAY), written }
    }

    /// Records that the thread waits; nothing is queued.
    #[inline]
    pub(super) fn park(&self) -> Notice {
        if self.change(Phase::Running, Phase::Parked) {
            return Notice::Stay;
        }
        self.must_close().map_or(Notice::Stay, Notice::Close)
    }

    /// Records that the wait has ended.
    #[inline]
    pub(super) fn unpark(&self) -> Notice {
        if self.change(Phase::Parked, Phase::Running) { Notice::Stay } else { self.unpark_late() }
    }

    #[cold]
    fn unpark_late(&self) -> Notice {
        // The other thread writes four bytes without waiting.
        while self.phase.load(Ordering::Acquire) == Phase::Writing as u8 {
            thread::yield_now();
        }
        self.must_close().map_or(Notice::Closed, Notice::Close)
    }

    /// Records that the connection is split: `start_close` closes it from now on.
    pub(super) fn set_start_close(&self, start_close: impl Fn(CloseCode) + Send + 'static) {
        let mut place = lock(&self.start_close);
        if let Some(notice) = self.must_close() {
            start_close(notice.code);
        }
        *place = Some(Box::new(start_close));
    }

    /// Starts the closing handshake from another thread, unless it has started. Does not wait for
    /// the peer.
    pub(super) fn close(&self, code: CloseCode) {
        // The lock is held to the end: the connection must not be split between the check and the
        // notice.
        let start_close = lock(&self.start_close);
        if let Some(start_close) = &*start_close {
            return start_close(code);
        }
        self.close_code.store(code.get(), Ordering::Relaxed);
        while !self.try_close(code) {}
    }

    /// Returns `false` if the connection changes its phase meanwhile.
    fn try_close(&self, code: CloseCode) -> bool {
        if self.change(Phase::Opening, Phase::CloseWanted) {
            // Ends the wait for the request.
            let _ = self.stream.get_ref().shutdown(Shutdown::Read);
            return true;
        }
        if self.change(Phase::Running, Phase::CloseWanted) {
            return true;
        }
        if self.change(Phase::Parked, Phase::Writing) {
            let is_written = self.write_close(code);
            // A peer that reads this slowly gets the rest when its next bytes end the wait.
            let phase = if is_written { Phase::Closed } else { Phase::CloseWanted };
            self.phase.store(phase as u8, Ordering::Release);
            return true;
        }
        let phase = self.phase.load(Ordering::Acquire);
        [Phase::CloseWanted, Phase::Writing, Phase::Closed]
            .map(|phase| phase as u8)
            .contains(&phase)
    }

    /// Writes the part of a Close frame that the network takes without waiting; `false` if that is
    /// not all.
    fn write_close(&self, code: CloseCode) -> bool {
        let (mut sender, mut frame) = (Sender::server(&Config::new()), SendBuffer::new());
        // Nothing was sent before, so it cannot be refused.
        let _ = sender.start_close(code, "", &mut frame);
        let written = self.stream.write_now(frame.as_slice()).unwrap_or(0);
        self.close_written.store(written, Ordering::Relaxed);
        let is_written = written == frame.buffered_amount();
        if is_written {
            self.close_sent.store(code.get(), Ordering::Relaxed);
        }
        is_written
    }

    /// Keeps the queued bytes of a connection that is dropped before its end.
    pub(super) fn keep_remains(&self, remains: impl FnOnce(CloseCode) -> Remains + Send + 'static) {
        lock(&self.end).remains = Some(Box::new(remains));
        self.ended.notify_all();
    }

    /// Queues a Close frame on a connection that was dropped before its end, and returns what is
    /// left.
    pub(super) fn take_remains(&self, code: CloseCode) -> Option<Remains> {
        let remains = lock(&self.end).remains.take()?;
        Some(remains(code))
    }

    /// Records that the transport has ended without a connection.
    pub(super) fn settle(&self) {
        self.settle_as(None, None);
    }

    /// Records that the connection has ended on the wire, and how.
    pub(super) fn settle_as(&self, outcome: Option<&Outcome>, close_sent: Option<u16>) {
        let ended = Ended::new(outcome, self.close_sent_or(close_sent));
        self.settle_with(matches!(outcome, Some(Outcome::Clean { .. })), ended);
    }

    /// Records that what was left of the connection has ended on the wire, cleanly or not.
    pub(super) fn settle_remains(
        &self,
        clean: bool,
        outcome: Option<&Outcome>,
        close_sent: Option<u16>,
    ) {
        let ended = match self.close_sent_or(close_sent) {
            // The peer's answer was discarded with all that it sent.
            Some(code) if clean && outcome.is_none() => Ended::unread(code),
            close_sent => Ended::new(outcome, close_sent),
        };
        self.settle_with(clean, ended);
    }

    fn settle_with(&self, clean: bool, ended: Ended) {
        let mut end = lock(&self.end);
        (end.settled, end.clean, end.ended) = (true, clean, ended);
        self.ended.notify_all();
    }

    /// The code of the Close frame that the connection or the server's thread has sent.
    fn close_sent_or(&self, close_sent: Option<u16>) -> Option<u16> {
        let by_server = Some(self.close_sent.load(Ordering::Relaxed)).filter(|code| *code != 0);
        close_sent.or(by_server)
    }

    /// Whether the connection has ended by a completed closing handshake.
    pub(super) fn was_clean(&self) -> bool {
        lock(&self.end).clean
    }

    pub(super) fn is_settled(&self) -> bool {
        lock(&self.end).settled
    }

    /// Waits until the connection has ended or was dropped, at most until `until`.
    pub(super) fn wait_for_end(&self, until: Instant) {
        let mut end = lock(&self.end);
        while !end.settled && end.remains.is_none() && Instant::now() < until {
            end = wait(&self.ended, end, Some(until));
        }
    }

    #[inline]
    fn change(&self, from: Phase, to: Phase) -> bool {
        let (from, to) = (from as u8, to as u8);
        self.phase.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("phase", &self.phase).finish_non_exhaustive()
    }
}
