//! The last messages of a room, each with an id.

use std::collections::{VecDeque, vec_deque};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use sansock::EncodedMessage;
use sansock::hub::Budget;

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

impl FromStr for Id {
    type Err = ParseIntError;

    fn from_str(id: &str) -> Result<Self, ParseIntError> {
        let (milliseconds, sequence) = id.split_once('-').unwrap_or((id, "0"));
        Ok(Self { milliseconds: milliseconds.parse()?, sequence: sequence.parse()? })
    }
}

/// A stored message, encoded once for all who get it, now or later.
pub(crate) struct Entry {
    pub(crate) id: Id,
    /// Which message of its room it is: the first is 1, and none is left out.
    pub(crate) number: u64,
    pub(crate) frame: EncodedMessage,
}

/// The newest messages of a room, bounded in number and bytes.
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    bytes: usize,
    last: Id,
    /// The message before the oldest one that is here, if that is known; 0-0 if there was none.
    dropped: Option<Id>,
    /// The number of the newest message.
    number: u64,
    limits: LogOptions,
}

impl Log {
    pub(crate) fn new(limits: LogOptions) -> Self {
        let start = Id::default();
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            last: start,
            dropped: Some(start),
            number: 0,
            limits,
        }
    }

    /// Forgets all messages. The next one may be any.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// The id of the newest message; 0-0 if there was none.
    pub(crate) fn last(&self) -> Id {
        self.last
    }

    /// The number of the newest message.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Adds a message, and drops the oldest beyond the limits. The newest one always stays.
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.entries.is_empty() {
            self.dropped = (entry.number == 1).then_some(Id::default());
        }
        self.last = entry.id;
        self.number = entry.number;
        self.bytes += size(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > 1
            && (self.entries.len() > self.limits.entries() || self.bytes > self.limits.bytes)
        {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= size(&oldest);
            self.dropped = Some(oldest.id);
        }
    }

    /// The messages for a visitor that is new.
    pub(crate) fn history(&self) -> Replay<'_> {
        self.replay(false, self.entries.len().saturating_sub(self.limits.history))
    }

    /// The messages for a visitor that has all up to this one.
    pub(crate) fn after(&self, id: Id) -> Replay<'_> {
        let start = self.entries.partition_point(|entry| entry.id <= id);
        let before = start.checked_sub(1).and_then(|before| self.entries.get(before));
        let is_known = Some(id) == before.map_or(self.dropped, |entry| Some(entry.id));
        let first = start.max(self.entries.len().saturating_sub(self.limits.resume));
        self.replay(!is_known || first > start, first)
    }

    fn replay(&self, is_gap: bool, first: usize) -> Replay<'_> {
        Replay { is_gap, entries: self.entries.range(first..) }
    }
}

/// What a visitor gets on entering.
pub(crate) struct Replay<'l> {
    /// Whether messages that the visitor lacks are not among the entries.
    pub(crate) is_gap: bool,
    pub(crate) entries: vec_deque::Iter<'l, Entry>,
}

fn size(entry: &Entry) -> usize {
    // As in a visitor's inbox, which must hold all.
    entry.frame.size() + Budget::OVERHEAD
}
