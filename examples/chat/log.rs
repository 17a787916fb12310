//! The last messages of a room, each with an id.

use std::collections::VecDeque;
use std::fmt;

use sansock::EncodedMessage;

use crate::options::LogOptions;

/// When a message was stored, in milliseconds since 1970, and its number in that millisecond. Ids
/// of a room grow. They are written as those of Redis' Streams: `1700000000000-0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) milliseconds: u64,
    pub(crate) sequence: u64,
}

impl Id {
    /// Returns the id of a message that is stored now: larger than this one, also if the clock was
    /// set back.
    pub(crate) fn next(self, now: u64) -> Self {
        if now > self.milliseconds {
            Self { milliseconds: now, sequence: 0 }
        } else {
            Self { sequence: self.sequence + 1, ..self }
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.milliseconds, self.sequence)
    }
}

/// A stored message, encoded once for all who get it, now or later.
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) frame: EncodedMessage,
}

/// The newest messages of a room, bounded in number and bytes.
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    bytes: usize,
    last: Id,
    limits: LogOptions,
}

/// What an entry takes beside its frame, about.
const OVERHEAD: usize = 100;

impl Log {
    pub(crate) fn new(limits: LogOptions) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, last: Id::default(), limits }
    }

    /// The id of the newest message; 0-0 if there was none.
    pub(crate) fn last(&self) -> Id {
        self.last
    }

    /// Adds a message, and drops the oldest beyond the limits. The newest one always stays.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.last = entry.id;
        self.bytes += size(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > 1
            && (self.entries.len() > self.limits.entries() || self.bytes > self.limits.bytes)
        {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= size(&oldest);
        }
    }

    /// The messages for a visitor that is new.
    pub(crate) fn history(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().skip(self.entries.len().saturating_sub(self.limits.history))
    }
}

fn size(entry: &Entry) -> usize {
    entry.frame.as_bytes().len() + OVERHEAD
}
