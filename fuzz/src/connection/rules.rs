//! The closing handshake and the timers by a second writing: what an end must say of its state, its
//! outcome and its transport, when it must ask for the time, and what must be due then. It shares no
//! code with sansock.

use std::time::{Duration, Instant};

use sansock::{CloseCode, Outcome, ProtocolError, Role, State, Teardown, Timeout};

use super::incoming::Facts;
use super::script::Setup;

/// How long a deadline that has passed waits for the second look.
const SECOND_LOOK: Duration = Duration::from_millis(100);
/// How long what waits may be written after the end of the transport if nothing is set.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// What must come of a look at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping([u8; 8]),
    /// The closing handshake with 1001.
    Idle,
    /// The end. A Close frame with this code says so, if there was none before.
    Expired(Timeout, CloseCode),
}

/// What the peer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    End,
    Message,
    Use,
    Pong,
}

/// The keepalive Ping since the peer was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    /// It was not due.
    None,
    /// It was due, and too much waits in front of it.
    Owed,
    /// It went out.
    Out,
}

#[derive(Debug)]
pub(super) struct Rules {
    role: Role,
    setup: Setup,
    // What has happened since the last look.
    heard: bool,
    used: bool,
    /// What has arrived may lie unread.
    unread: bool,
    /// The number of the message that is arriving.
    arriving: Option<u32>,
    // What was known at the last look.
    looked: Option<Instant>,
    silent_since: Option<Instant>,
    ping: Ping,
    unused_since: Option<Instant>,
    message_since: Option<(u32, Instant)>,
    closing_since: Option<Instant>,
    overdue: Option<(Awaited, Instant)>,
    pings: u64,
    /// How many bytes had left and waited at the last look.
    queued: u64,
    /// What waited at the look before still waited at the last one.
    stuck: bool,
    /// How many bytes had left when that was last a sign of life.
    taken: u64,
    // How far the end is.
    closing: bool,
    ended: bool,
    given_up: bool,
    outcome: Option<Outcome>,
}

impl Rules {
    pub(super) fn new(role: Role, setup: &Setup) -> Self {
        Self {
            role,
            setup: *setup,
            heard: false,
            used: false,
            unread: false,
            arriving: None,
            looked: None,
            silent_since: None,
            ping: Ping::None,
            unused_since: None,
            message_since: None,
            closing_since: None,
            overdue: None,
            pings: 0,
            queued: 0,
            stuck: false,
            taken: 0,
            closing: false,
            ended: false,
            given_up: false,
            outcome: None,
        }
    }

    /// Whether nothing may be sent any more.
    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    pub(super) fn state(&self) -> State {
        match (&self.outcome, self.closing) {
            (Some(_), _) => State::Closed,
            (None, true) => State::Closing,
            (None, false) => State::Open,
        }
    }

    pub(super) fn teardown(&self) -> Teardown {
        let Some(outcome) = &self.outcome else { return Teardown::NotYet };
        if self.given_up {
            return Teardown::Drop { until: None };
        }
        if self.ended
            && let Some(since) = self.closing_since
        {
            let until = since + self.setup.closing.unwrap_or(LAST_WRITE);
            return Teardown::Drop { until: Some(until) };
        }
        // Of a client that waits for the server's end (7.1.1) nothing is ended before.
        if !self.ended && self.role == Role::Client && outcome.was_clean() {
            return Teardown::AwaitPeer;
        }
        Teardown::HalfClose
    }

    /// A message, or a part of one, was queued.
    pub(super) fn sent(&mut self) {
        self.used = true;
    }

    /// A Close frame was queued.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// The program has something else to do than to read.
    pub(super) fn does_not_read(&mut self) {
        self.unread = true;
    }

    /// All that has arrived was read, and more is waited for.
    pub(super) fn waits(&mut self, facts: Facts) {
        self.unread = false;
        self.heard |= facts.heard;
        self.used |= facts.touched;
        self.arriving = facts.in_message.filter(|_| self.outcome.is_none());
    }

    /// The peer's Close frame has arrived.
    pub(super) fn closed_by_peer(&mut self, code: Option<CloseCode>, reason: &str) {
        self.end(Outcome::Clean { code, reason: reason.into() });
        self.closing = true;
    }

    /// What the peer sent was refused.
    pub(super) fn fail(&mut self, error: ProtocolError) {
        self.end(Outcome::Failed(error));
        self.closing = true;
    }

    /// The transport has ended.
    pub(super) fn receive_end(&mut self) {
        self.end(Outcome::Abnormal);
        (self.closing, self.ended) = (true, true);
    }

    /// Only the first end counts.
    fn end(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
        self.arriving = None;
    }

    /// When the time must be asked for.
    pub(super) fn poll(&self) -> Option<Instant> {
        if self.given_up {
            return None;
        }
        let timed = self.setup.closing.is_some() || self.ended;
        let end_begins = self.closing && timed && self.closing_since.is_none();
        let known = self.message_since.map(|(number, _)| number);
        let message_begins = self.arriving.is_some() && self.arriving != known;
        if end_begins || (message_begins && self.setup.message.is_some()) {
            return self.looked;
        }
        let second = self.overdue.map(|(_, first)| first + SECOND_LOOK);
        let deadlines = self.deadlines().map(|(_, at)| at.max(second.unwrap_or(at)));
        deadlines.chain(self.next_ping()).min()
    }

    /// The time is told: what must be due. If what waits is `full`, no Ping is.
    pub(super) fn look(&mut self, now: Instant, left: u64, waits: u64, full: bool) -> Due {
        if self.given_up {
            return Due::Nothing;
        }
        let takes = self.takes(left, waits);
        self.record(now, takes);
        let pays = self.ping == Ping::Owed && !full && self.closing_since.is_none();
        if pays {
            // Only now the peer is asked.
            self.silent_since = Some(now);
        }
        let passed = self.deadlines().filter(|(_, at)| *at <= now).min_by_key(|(_, at)| *at);
        // A first look is remembered while something may lie unread: a peer that drips wins no time.
        let before = self.overdue.filter(|_| passed.is_some() || self.unread);
        self.overdue = match passed {
            Some((what, deadline)) => {
                // It is one at this deadline only if that had passed then.
                let counts =
                    |(which, first): &(Awaited, Instant)| *which == what && *first >= deadline;
                Some(before.filter(counts).unwrap_or((what, now)))
            }
            None => before,
        };
        let acts =
            self.overdue.filter(|(_, first)| passed.is_some() && *first + SECOND_LOOK <= now);
        let (timeout, code) = match acts {
            Some((Awaited::End, _)) => (Timeout::Closing, CloseCode::INTERNAL_ERROR),
            Some((Awaited::Message, _)) => (Timeout::Message, CloseCode::POLICY_VIOLATION),
            Some((Awaited::Pong, _)) => (Timeout::Keepalive, CloseCode::INTERNAL_ERROR),
            Some((Awaited::Use, _)) => {
                self.closing = true;
                return Due::Idle;
            }
            None => return self.ping(now, pays, full),
        };
        self.given_up = true;
        if self.outcome.is_some() {
            return Due::Nothing;
        }
        self.end(Outcome::TimedOut(timeout));
        self.closing = true;
        Due::Expired(timeout, code)
    }

    /// The Ping that must go out: one that is owed, or the next.
    fn ping(&mut self, now: Instant, pays: bool, full: bool) -> Due {
        if !pays {
            if self.next_ping().is_none_or(|at| at > now) {
                return Due::Nothing;
            }
            self.silent_since = Some(now);
            self.pings += 1;
            if full {
                self.ping = Ping::Owed;
                return Due::Nothing;
            }
        }
        self.ping = Ping::Out;
        Due::Ping(self.pings.to_be_bytes())
    }

    /// Whether the peer has taken enough of what could not leave at once: 16 KiB, or all of it.
    fn takes(&mut self, left: u64, waits: u64) -> bool {
        // A Pong in the place of a longer one makes the bytes fewer, so some must be there at all.
        let is_stuck = waits > 0 && left < self.queued;
        let was_stuck = std::mem::replace(&mut self.stuck, is_stuck);
        let takes = if self.stuck { left - self.taken >= 16 << 10 } else { was_stuck };
        if takes || !self.stuck {
            self.taken = left;
        }
        self.queued = left + waits;
        takes
    }

    fn record(&mut self, now: Instant, takes: bool) {
        let is_first = self.looked.replace(now).is_none();
        if self.heard || self.unread || is_first {
            (self.ping, self.silent_since) = (Ping::None, Some(now));
        }
        if takes {
            self.silent_since = Some(now);
        }
        if self.used || takes || is_first {
            self.unused_since = Some(now);
        }
        (self.heard, self.used) = (false, false);
        self.message_since = self.arriving.map(|number| {
            self.message_since.filter(|(known, _)| *known == number).unwrap_or((number, now))
        });
        if self.closing {
            self.closing_since.get_or_insert(now);
        }
    }

    /// What is waited for, and until when. Of two at the same time the first counts.
    fn deadlines(&self) -> impl Iterator<Item = (Awaited, Instant)> {
        let Setup { closing, message, idle, keepalive, .. } = self.setup;
        let reads = !self.unread;
        let open = reads && self.closing_since.is_none();
        let message_since = self.message_since.map(|(_, since)| since);
        let pong = keepalive.map(|it| it.timeout);
        [
            (Awaited::End, true, self.closing_since, closing),
            (Awaited::Message, reads, message_since, message),
            (Awaited::Use, open, self.unused_since, idle),
            (Awaited::Pong, open && self.ping != Ping::None, self.silent_since, pong),
        ]
        .into_iter()
        .filter_map(
            |(what, counts, since, time)| {
                if counts { Some((what, since? + time?)) } else { None }
            },
        )
    }

    fn next_ping(&self) -> Option<Instant> {
        if self.closing_since.is_some() || self.ping != Ping::None {
            return None;
        }
        Some(self.silent_since? + self.setup.keepalive?.interval)
    }
}
