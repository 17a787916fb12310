//! `bufferedAmount`: "the number of bytes of application data (UTF-8 text and binary data) that
//! have been queued using `send()` but not yet been transmitted to the network."

use std::collections::VecDeque;
use std::ops::Range;

/// The payloads given to `send()` that the network has not taken.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// For each message the range of its frame in the whole stream, and the length of its payload.
    sent: VecDeque<(Range<u64>, u64)>,
    /// The length of all payloads in `sent`.
    waiting: u64,
    /// "This does not include framing overhead", and "it does not reset to zero once the connection
    /// closes": data that could not be sent.
    lost: u64,
    /// How many bytes of the stream the network has taken.
    written: u64,
    /// What the program sees. It falls in [`Ledger::show`] only.
    shown: u64,
}

impl Ledger {
    /// Records a message that was queued.
    pub(super) fn queued(&mut self, length: usize, frame: Range<u64>) {
        self.sent.push_back((frame, length as u64));
        self.waiting = self.waiting.saturating_add(length as u64);
        self.shown = self.shown.saturating_add(length as u64);
    }

    /// Records a message that was dropped, because the connection is closing or its buffer is full.
    pub(super) fn dropped(&mut self, length: usize) {
        self.lost = self.lost.saturating_add(length as u64);
        self.shown = self.shown.saturating_add(length as u64);
    }

    /// Records how many bytes of the stream the network has taken, framing included; `None` if
    /// nothing waits to be written.
    pub(super) fn written(&mut self, written: Option<u64>) {
        let Some(written) = written else {
            self.sent.clear();
            self.waiting = 0;
            return;
        };
        self.written = self.written.max(written);
        while let Some((frame, length)) = self.sent.front()
            && frame.end <= self.written
        {
            self.waiting = self.waiting.saturating_sub(*length);
            self.sent.pop_front();
        }
    }

    /// Shows the program what the network has taken.
    pub(super) fn show(&mut self) {
        self.shown = self.left();
    }

    /// Returns the amount that the program sees: what was left when it was shown last, and all that
    /// was given to `send()` since.
    pub(super) const fn amount(&self) -> u64 {
        self.shown
    }

    /// What the network has not taken.
    fn left(&self) -> u64 {
        let gone = self.sent.front().map_or(0, |(frame, length)| {
            let size = frame.end.saturating_sub(frame.start);
            let left = frame.end.saturating_sub(self.written);
            if size >= *length {
                // The payload is at the end of its frame.
                return length.saturating_sub(left);
            }
            // The payload is compressed: it is written in proportion to its frame.
            let gone = u128::from(*length).saturating_mul(size.saturating_sub(left).into());
            let gone = gone.checked_div(size.into()).unwrap_or_default();
            u64::try_from(gone).unwrap_or(*length)
        });
        self.lost.saturating_add(self.waiting).saturating_sub(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_count_until_the_network_has_taken_them() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.amount(), 0);
        // Frames of 6 + 5 and 8 + 300 bytes.
        ledger.queued(5, 0..11);
        ledger.queued(300, 11..319);
        for (written, amount) in
            [(0, 305), (6, 305), (7, 304), (11, 300), (19, 300), (20, 299), (318, 1), (319, 0)]
        {
            ledger.written(Some(written));
            ledger.show();
            assert_eq!(ledger.amount(), amount, "{written}");
        }
        assert!(ledger.sent.is_empty());
        ledger.queued(5, 319..330);
        ledger.written(None);
        ledger.show();
        assert_eq!(ledger.amount(), 0);
        ledger.queued(5, 330..341);
        ledger.written(Some(330));
        ledger.show();
        assert_eq!(ledger.amount(), 5);
    }

    #[test]
    fn what_was_dropped_counts_forever() {
        let mut ledger = Ledger::default();
        ledger.queued(5, 0..11);
        ledger.dropped(7);
        assert_eq!(ledger.amount(), 12);
        ledger.written(None);
        ledger.show();
        assert_eq!(ledger.amount(), 7);
    }

    #[test]
    fn the_amount_rises_at_once_and_falls_when_it_is_shown() {
        let mut ledger = Ledger::default();
        ledger.queued(5, 0..11);
        ledger.written(None);
        ledger.queued(7, 11..24);
        ledger.dropped(3);
        ledger.written(Some(20));
        assert_eq!(ledger.amount(), 15);
        ledger.show();
        assert_eq!(ledger.amount(), 4 + 3);
        ledger.queued(2, 24..32);
        ledger.written(None);
        assert_eq!(ledger.amount(), 9);
        ledger.show();
        assert_eq!(ledger.amount(), 3);
    }

    #[test]
    fn a_payload_that_is_compressed_counts_in_full_and_falls_with_its_frame() {
        let mut ledger = Ledger::default();
        ledger.queued(1000, 0..10);
        ledger.queued(7, 10..23);
        for (written, amount) in [(0, 1007), (1, 907), (9, 107), (10, 7), (23, 0)] {
            ledger.written(Some(written));
            ledger.show();
            assert_eq!(ledger.amount(), amount, "{written}");
        }
    }
}
