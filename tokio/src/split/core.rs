//! What is behind the lock of a split connection: the sending half, and what waits to be written.

use std::io;
use std::sync::Arc;
use std::task::Poll;

use sansock::counts::Counters;
use sansock::split::{SendQueue, Sender};
use sansock::{Event, Outcome, SendBuffer, SendError, State, Teardown, WritePace};

use super::mailbox::{Mail, Mailbox};
use crate::Error;
use crate::clock::{Clock, now};

/// What is behind the lock.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) sender: Sender,
    pub(super) queue: SendQueue,
    pub(super) mailbox: Mailbox,
    pub(super) clock: Clock,
    pub(super) pace: WritePace,
    /// Why writing has failed.
    pub(super) failure: Option<(io::ErrorKind, String)>,
    /// Whether the last write was flushed.
    pub(super) unflushed: bool,
    /// Whether a task found that another one writes, and waits for it.
    pub(super) is_awaited: bool,
    /// Whether nothing more is written.
    pub(super) ended: bool,
    /// Those of the server, if the connection is one of a server.
    counters: Option<Arc<Counters>>,
}

/// A message, or a fragment of one: the length of its payload, and whether it is the last one.
#[derive(Clone, Copy)]
pub(super) struct Piece(pub(super) usize, pub(super) bool);

/// What the transport has taken at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) bytes: usize,
    /// Whether all that was written is flushed.
    pub(super) is_flushed: bool,
}

impl Core {
    pub(super) fn new(
        sender: Sender,
        mut output: SendBuffer,
        pace: WritePace,
        counters: Option<Arc<Counters>>,
    ) -> Self {
        let mut queue = SendQueue::new();
        while !output.is_empty() {
            let n = output.as_slice().len();
            queue.queued().extend_from_slice(output.as_slice());
            output.consume(n);
        }
        Self {
            sender,
            queue,
            mailbox: Mailbox::new(),
            clock: Clock::default(),
            pace,
            failure: None,
            unflushed: true,
            is_awaited: false,
            ended: false,
            counters,
        }
    }

    /// An error if writing has failed.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.failure {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone()).into()),
            None => Ok(()),
        }
    }

    /// Queues what `encode` makes of `piece`, or a control frame.
    pub(super) fn queue(
        &mut self,
        piece: Option<Piece>,
        encode: impl FnOnce(&mut Sender, &mut SendBuffer) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        encode(&mut self.sender, self.queue.queued())?;
        self.count_sent(piece);
        Ok(())
    }

    /// Counts what was accepted for sending.
    pub(super) fn count_sent(&self, piece: Option<Piece>) {
        if let Some(piece) = piece {
            count_sent(self.counters.as_ref(), piece);
        }
    }

    /// Counts a message, or a piece of one, that the program gets.
    pub(super) fn count_received(&self, event: Option<Event<'_>>) {
        if let (Some(counters), Some(event)) = (&self.counters, event) {
            counters.received(&event);
        }
    }

    /// Why what was queued is not written.
    pub(super) fn lost(&self) -> Error {
        match self.sender.outcome() {
            Some(Outcome::Clean { .. }) => SendError::Closed.into(),
            Some(Outcome::Failed(error)) => (*error).into(),
            Some(Outcome::TimedOut(timeout)) => (*timeout).into(),
            Some(Outcome::Abnormal) | None => Error::Abnormal,
        }
    }

    /// Takes out of the inbox what may be written next: into the queue, or to be written from where
    /// it lies.
    pub(super) fn take_mail(&mut self) -> Option<(Mail, bool)> {
        self.end_mailbox_if_over();
        let Self { mailbox, sender, queue, counters, .. } = self;
        let before = queue.buffered_amount();
        let mail = mailbox.take(sender, queue, |piece| count_sent(counters.as_ref(), piece));
        self.unflushed |= mail.is_some() || queue.buffered_amount() > before;
        mail
    }

    /// Nothing can be sent after a Close frame and after the end.
    pub(super) fn end_mailbox_if_over(&mut self) {
        if self.ended || self.failure.is_some() || self.is_closing() {
            self.mailbox.end();
        }
    }

    /// Whether nothing waits to be written or to be flushed.
    pub(super) fn is_written(&self) -> bool {
        self.queue.is_empty() && !self.unflushed
    }

    /// Records the result of a write.
    pub(super) fn record(&mut self, written: Poll<io::Result<Taken>>) {
        let taken = match written {
            Poll::Ready(Err(error)) => return self.fail(&error),
            Poll::Ready(Ok(taken)) => taken,
            Poll::Pending => Taken { bytes: 0, is_flushed: false },
        };
        self.unflushed &= !taken.is_flushed;
        if !self.queue.has_rest() {
            self.pace.rest();
        } else if let Err(error) = self.pace.took(taken.bytes, now()) {
            self.too_slow(&error);
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.failure = Some((error.kind(), error.to_string()));
        self.mailbox.end();
    }

    fn too_slow(&mut self, error: &io::Error) {
        if let (Some(counters), None) = (&self.counters, &self.failure) {
            counters.write_timed_out();
        }
        self.fail(error);
        self.sender.receive_eof();
    }

    /// Checks the timers, and the pace of a write that waits.
    pub(super) fn handle_timeout(&mut self) {
        let now = now();
        if self.queue.has_rest()
            && let Err(error) = self.pace.took(0, now)
        {
            self.too_slow(&error);
        }
        // A timeout shows in `teardown` and `outcome`.
        let _ = self.sender.handle_timeout(now, self.queue.queued());
    }

    pub(super) fn teardown(&self) -> Teardown {
        self.sender.teardown()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.sender.state() != State::Open
    }

    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.as_ref().map(|(kind, text)| io::Error::new(*kind, text.clone()))
    }
}

fn count_sent(counters: Option<&Arc<Counters>>, Piece(length, fin): Piece) {
    if let Some(counters) = counters {
        counters.sent(length, fin);
    }
}
