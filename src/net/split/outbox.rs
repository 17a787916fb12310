//! The state that the threads of a split connection share: the queue, and the state of the
//! connection.

use std::io;
use std::time::Instant;

use super::mailbox::Mailbox;
use crate::WritePace;
use crate::net::Error;
use crate::net::blocking::is_would_block;
use crate::split::{Progress, SendQueue, Sender};
use crate::{CloseCode, Event, Outcome, ProtocolError, SendBuffer, SendError, Teardown};

/// Whether more can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoesOn,
    Failed,
    /// Failed just now, because the peer takes too little.
    TooSlow,
}

#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) sender: Sender,
    pub(super) queue: SendQueue,
    /// Whether the background thread must write the queue.
    pub(super) write_wanted: bool,
    /// Detects a peer that takes too little.
    pace: WritePace,
    /// The error after which nothing more can be written, for each thread that asks.
    failed: Option<(io::ErrorKind, String)>,
    /// Number of readers and writers.
    pub(super) handles: usize,
    /// Until when the background thread sleeps.
    pub(super) wakes_at: Option<Instant>,
    /// Whether our side of the transport has ended.
    pub(super) half_closed: bool,
    /// Whether the transport has ended.
    pub(super) dropped: bool,
    /// How many bytes of a message were given up, because nothing more can be written.
    pub(super) lost: usize,
    /// What a hub has for the connection.
    pub(super) mailbox: Mailbox,
}

impl Outbox {
    /// Creates an outbox with an empty queue and one handle.
    pub(super) fn new(sender: Sender, pace: WritePace) -> Self {
        Self {
            sender,
            queue: SendQueue::new(),
            write_wanted: false,
            pace,
            failed: None,
            handles: 1,
            wakes_at: None,
            half_closed: false,
            dropped: false,
            lost: 0,
            mailbox: Mailbox::new(),
        }
    }

    /// Queues the frame that `encode` makes.
    pub(super) fn queue(
        &mut self,
        encode: impl FnOnce(&mut Sender, &mut SendBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.check()?;
        Ok(encode(&mut self.sender, self.queue.queued())?)
    }

    /// Queues a Close frame; there is always room for it.
    pub(super) fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        self.check()?;
        self.sender.start_close(code, reason, self.queue.queued())?;
        self.write_wanted = true;
        Ok(())
    }

    /// Queues the answer to a control frame.
    pub(super) fn respond(&mut self, event: &Event<'_>) {
        self.sender.respond(event, self.queue.queued());
        self.write_wanted = true;
    }

    /// Ends the connection because the peer broke the protocol.
    pub(super) fn fail(&mut self, error: ProtocolError) {
        self.sender.fail(error, self.queue.queued());
        self.write_wanted = true;
    }

    /// Records that the reader is about to wait for the peer. Returns whether the background thread
    /// must be woken.
    pub(super) fn note(&mut self, progress: Progress) -> bool {
        self.sender.note(progress);
        self.write_wanted |= !self.queue.is_empty();
        let sooner = match (self.sender.poll_timeout(), self.wakes_at) {
            (Some(at), Some(wakes_at)) => at < wakes_at,
            (at, None) => at.is_some(),
            (None, _) => false,
        };
        sooner || self.has_work()
    }

    /// Checks the timers. Returns when to check next.
    pub(super) fn check_timers(&mut self, now: Instant, reads: bool) -> Option<Instant> {
        if !reads {
            self.sender.note_unread();
        }
        let before = self.queue.buffered_amount();
        // An error is the outcome, and shows in `teardown`.
        let _ = self.sender.handle_timeout(now, self.queue.queued());
        self.write_wanted |= self.queue.buffered_amount() > before;
        self.end_mail_if_over();
        let until = match self.sender.teardown() {
            Teardown::Drop { until } => until,
            _ => None,
        };
        [self.sender.poll_timeout(), until].into_iter().flatten().min()
    }

    /// Whether the transport must be dropped.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        match self.sender.teardown() {
            Teardown::Drop { until } => {
                let in_vain = self.queue.is_empty() || self.failed.is_some();
                in_vain || until.is_none_or(|until| until <= now)
            }
            _ => false,
        }
    }

    /// Whether our side of the transport must be ended now.
    pub(super) fn wants_half_close(&self) -> bool {
        self.sender.teardown() == Teardown::HalfClose && self.queue.is_empty() && !self.half_closed
    }

    /// Checks that the connection can still be written to.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.failure().map_or(Ok(()), |error| Err(error.into()))
    }

    /// Checks that no part of a message was given up: nothing waits then, but not all is written.
    pub(super) fn check_lost(&self) -> Result<(), Error> {
        if self.lost == 0 {
            return Ok(());
        }
        self.check()?;
        Err(io::Error::from(io::ErrorKind::TimedOut).into())
    }

    /// Returns the error after which nothing more can be written.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.failed.as_ref().map(|(kind, text)| io::Error::new(*kind, text.as_str()))
    }

    /// Whether the background thread has something to write now.
    pub(super) fn has_work(&self) -> bool {
        let has_bytes = self.queue.has_rest() || (self.write_wanted && !self.queue.is_empty());
        let is_free = !self.queue.is_writing() && self.failed.is_none();
        is_free && (has_bytes || self.has_mail())
    }

    /// Whether a hub has something that can be written now.
    pub(super) fn has_mail(&self) -> bool {
        self.mailbox.is_due(&self.sender)
    }

    /// Ends the inbox when nothing more can be sent: after a Close frame, and after the end. What
    /// waits would otherwise be taken out, to be dropped without being counted.
    pub(super) fn end_mail_if_over(&self) {
        if self.sender.is_closed() {
            self.mailbox.end();
        }
    }

    /// Whether this thread may write, and what is written then goes out after all else.
    pub(super) const fn can_write(&self) -> bool {
        !self.queue.is_writing() && !self.queue.has_rest()
    }

    /// Takes the next batch to write, with mail if there is room; `None` if another thread writes.
    pub(super) fn take(&mut self) -> Option<SendBuffer> {
        if self.can_write() {
            self.mailbox.refill(&mut self.sender, &mut self.queue);
        }
        self.take_queued()
    }

    /// Takes the next batch without more mail.
    pub(super) fn take_queued(&mut self) -> Option<SendBuffer> {
        if !self.queue.has_rest() {
            self.write_wanted = false;
        }
        self.queue.take()
    }

    /// Takes back the rest of a write, and checks whether the peer takes enough.
    pub(super) fn put_back(&mut self, batch: SendBuffer, result: io::Result<()>) -> Verdict {
        let written = self.queue.put_back(batch);
        self.judge(written, self.queue.has_rest(), result)
    }

    /// Records how much of a write in progress is left, and checks whether the peer takes enough.
    pub(super) fn progress(&mut self, rest: usize, result: io::Result<()>) -> Verdict {
        let written = self.queue.progress(rest);
        self.judge(written, rest > 0, result)
    }

    fn judge(&mut self, written: usize, has_rest: bool, result: io::Result<()>) -> Verdict {
        let is_temporary =
            |error: &io::Error| is_would_block(error) || error.kind() == io::ErrorKind::Interrupted;
        let mut is_too_slow = false;
        let judged = match result {
            Err(error) if !is_temporary(&error) => Err(error),
            _ if has_rest => {
                let judged = self.pace.took(written, Instant::now());
                is_too_slow = judged.is_err() && self.failed.is_none();
                judged
            }
            _ => {
                self.pace.rest();
                Ok(())
            }
        };
        if let Err(error) = judged {
            self.failed.get_or_insert_with(|| (error.kind(), error.to_string()));
            self.sender.mark_closed();
            self.mailbox.end();
        }
        match &self.failed {
            _ if is_too_slow => Verdict::TooSlow,
            Some(_) => Verdict::Failed,
            None => Verdict::GoesOn,
        }
    }

    /// Returns how many bytes were accepted for sending and may not be written yet.
    pub(super) fn buffered_amount(&self) -> usize {
        self.queue.buffered_amount().saturating_add(self.lost)
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.sender.outcome().cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Config, Limits};

    fn outbox(config: &Config) -> Outbox {
        Outbox::new(Sender::server(config), WritePace::new(Some(Duration::ZERO)))
    }

    #[test]
    fn what_is_in_flight_counts_against_the_limit() {
        let mut outbox = outbox(&Config::new().limits(Limits::new().buffered(40)));
        let send =
            |outbox: &mut Outbox| outbox.queue(|sender, buffer| sender.send("0123456789", buffer));
        send(&mut outbox).unwrap();
        let batch = outbox.take().unwrap();
        send(&mut outbox).unwrap();
        let full = SendError::BufferFull { limit: 40 };
        assert!(matches!(send(&mut outbox), Err(Error::Send(error)) if error == full));
        drop(batch);
        outbox.put_back(SendBuffer::new(), Ok(()));
        send(&mut outbox).unwrap();
    }

    #[test]
    fn a_peer_that_takes_too_little_fails_the_connection() {
        let mut outbox = outbox(&Config::new());
        outbox.queue(|sender, buffer| sender.send("Hello", buffer)).unwrap();
        let batch = outbox.take().unwrap();
        assert_eq!(outbox.put_back(batch, Err(io::ErrorKind::WouldBlock.into())), Verdict::TooSlow);
        let again = outbox.put_back(SendBuffer::new(), Ok(()));
        assert_eq!(again, Verdict::Failed);
        assert!(
            matches!(outbox.check(), Err(Error::Io(error)) if error.kind() == io::ErrorKind::TimedOut)
        );
        assert!(outbox.sender.is_closed());
    }

    /// Otherwise the background thread would try again and again.
    #[cfg(feature = "hub")]
    #[test]
    fn mail_is_no_work_while_a_fragmented_message_is_in_progress() {
        use crate::EncodedMessage;
        use crate::hub::{Budget, Subscriber};

        let mut outbox = outbox(&Config::new());
        let inbox = outbox.mailbox.subscriber(None, || Subscriber::new(Budget::default(), || {}));
        inbox.send(&EncodedMessage::new("news"));
        assert!(outbox.has_work());
        for fin in [false, true] {
            outbox.queue(|sender, buffer| sender.send_fragment("part", fin, buffer)).unwrap();
            let batch = outbox.take_queued().unwrap();
            drop(batch);
            outbox.put_back(SendBuffer::new(), Ok(()));
            assert_eq!(outbox.has_work(), fin);
        }
    }

    /// A signal that interrupts a write is no failure.
    #[test]
    fn an_interrupted_write_goes_on() {
        let mut outbox = Outbox::new(Sender::server(&Config::new()), WritePace::new(None));
        outbox.queue(|sender, buffer| sender.send("Hello", buffer)).unwrap();
        let batch = outbox.take().unwrap();
        let verdict = outbox.put_back(batch, Err(io::ErrorKind::Interrupted.into()));
        assert_eq!(verdict, Verdict::GoesOn);
        assert!(outbox.check().is_ok() && outbox.queue.has_rest());
    }

    #[test]
    fn the_end_waits_for_what_is_queued_until_its_deadline() {
        let mut outbox = outbox(&Config::new());
        let now = Instant::now();
        outbox.check_timers(now, true);
        outbox.queue(|sender, buffer| sender.send("Hello", buffer)).unwrap();
        outbox.sender.receive_eof();
        assert!(!outbox.is_over(now), "the timers have not been checked");
        outbox.check_timers(now, true);
        assert!(!outbox.is_over(now) && outbox.is_over(now + Duration::from_secs(10)));
        let batch = outbox.take().unwrap();
        outbox.put_back(batch, Err(io::ErrorKind::BrokenPipe.into()));
        assert!(outbox.is_over(now));
    }
}
