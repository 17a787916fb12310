//! The running timers of a connection.

use std::time::{Duration, Instant};

use crate::timeouts::{Keepalive, Timeout, Timeouts};

/// How long a passed deadline waits for a second check: long enough for a loop to read once, and
/// short compared with any timeout that a program would set.
const SECOND_LOOK: Duration = Duration::from_millis(100);
/// How long waiting bytes may still be written after the end of the transport, if
/// [`Timeouts::closing`] is `None` or ends beyond the clock.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// What has happened since the timers were last checked.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the facts are independent of each other")]
pub(crate) struct Observed {
    /// Bytes have arrived.
    pub(crate) heard: bool,
    /// Part of a message was sent or received.
    pub(crate) used: bool,
    /// The peer has taken bytes of an incomplete write.
    pub(crate) taken: bool,
    /// Bytes may have arrived unread, so the peer's silence does not count.
    pub(crate) unread: bool,
    /// A message is arriving.
    pub(crate) in_message: bool,
    /// The number of the message that is arriving, or arrived last.
    pub(crate) message: u32,
    /// Our Close frame was queued, or the transport ended.
    pub(crate) closing: bool,
    /// The transport ended.
    pub(crate) ended: bool,
}

/// What the timers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A keepalive Ping with this payload.
    Ping([u8; 8]),
    /// The closing handshake, because the connection is idle.
    Idle,
    /// The end of the connection.
    Expired(Timeout),
}

/// What is awaited from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// The end of the transport.
    End,
    /// The rest of a message.
    Message,
    /// Any message.
    Use,
    /// The answer to a keepalive Ping.
    Pong,
}

/// The deadlines of one connection. They record what has happened only when they are checked, so a
/// connection without timeouts needs no clock.
#[derive(Debug)]
pub(crate) struct Timers {
    keepalive: Option<Keepalive>,
    idle: Option<Duration>,
    message: Option<Duration>,
    closing: Option<Duration>,
    /// When the timers were last checked; `None` before the first time.
    now: Option<Instant>,
    /// When the peer last gave a sign of life, or when a Ping was sent since then.
    heard: Option<Instant>,
    /// Whether a keepalive Ping is in flight, or waits for room.
    pinged: bool,
    /// Whether it waits for room among the bytes to be written.
    unsent: bool,
    /// What the deadline in `passed` waits for.
    awaited: Awaited,
    /// The number of the message that is arriving.
    number: u32,
    /// Since when that message has been arriving.
    arriving: Option<Instant>,
    pings: u64,
    used: Option<Instant>,
    /// Since when the connection is closing.
    closes: Option<Instant>,
    /// When a check first found a deadline passed. Bytes that the peer sent in time may lie unread,
    /// so the deadline takes effect only if a second check finds it passed too.
    passed: Option<Instant>,
}

impl Timers {
    pub(crate) const fn new(timeouts: Timeouts) -> Self {
        Self {
            keepalive: timeouts.keepalive,
            idle: timeouts.idle,
            message: timeouts.message,
            closing: timeouts.closing,
            now: None,
            heard: None,
            pinged: false,
            unsent: false,
            awaited: Awaited::End,
            number: 0,
            arriving: None,
            pings: 0,
            used: None,
            closes: None,
            passed: None,
        }
    }

    /// When to check next. A moment in the past means: something has started whose start time is
    /// still to be recorded.
    pub(crate) fn poll(&self, observed: &Observed) -> Option<Instant> {
        let is_timed = self.closing.is_some() || observed.ended;
        let begins = self.number != observed.message;
        let unseen = (observed.closing && is_timed && self.closes.is_none())
            || (self.message.is_some() && observed.in_message && begins);
        if unseen {
            return self.now;
        }
        let second = self.passed.and_then(|at| at.checked_add(SECOND_LOOK));
        let deadlines = self.deadlines(observed.unread).into_iter().filter_map(|(_, at)| at);
        let next = deadlines.map(|at| second.map_or(at, |second| second.max(at)));
        next.chain(self.ping()).min()
    }

    /// Records what has happened, and returns what is due. Without `room` for it no Ping is.
    pub(crate) fn handle(&mut self, now: Instant, observed: &Observed, room: bool) -> Option<Due> {
        self.record(now, observed);
        if self.unsent && room {
            // The peer had nothing to answer.
            self.heard = Some(now);
        }
        if let Some(due) = self.passed(now, observed) {
            return Some(due);
        }
        if self.ping().is_some_and(|at| at <= now) {
            (self.pinged, self.unsent, self.heard) = (true, true, Some(now));
            self.pings = self.pings.wrapping_add(1);
        }
        // A peer that makes no room in time is as silent as one that does not answer.
        let sends = self.unsent && room;
        self.unsent &= !sends;
        sends.then(|| Due::Ping(self.pings.to_be_bytes()))
    }

    /// Returns what is due because a second look finds its deadline passed.
    fn passed(&mut self, now: Instant, observed: &Observed) -> Option<Due> {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let deadlines = self.deadlines(observed.unread).into_iter();
        let first = deadlines.filter(|&(_, at)| passed(at)).min_by_key(|&(_, at)| at);
        // While something may lie unread, a first look is only remembered: a peer that drips a
        // message makes the reader read, and must not win time by it.
        let before = if first.is_none() && !observed.unread { None } else { self.passed };
        self.passed = before;
        if let Some((awaited, at)) = first {
            let is_same = std::mem::replace(&mut self.awaited, awaited) == awaited;
            // A look before this deadline was at another one, such as that of an earlier message.
            self.passed = before.filter(|&look| is_same && at <= Some(look)).or(Some(now));
        }
        let second = self.passed.and_then(|at| at.checked_add(SECOND_LOOK));
        (first.is_some() && passed(second)).then_some(match self.awaited {
            Awaited::End => Due::Expired(Timeout::Closing),
            Awaited::Message => Due::Expired(Timeout::Message),
            Awaited::Use => Due::Idle,
            Awaited::Pong => Due::Expired(Timeout::Keepalive),
        })
    }

    fn record(&mut self, now: Instant, observed: &Observed) {
        let first = self.now.replace(now).is_none();
        if observed.heard || observed.unread || first {
            (self.pinged, self.unsent, self.heard) = (false, false, Some(now));
        }
        if observed.taken {
            // A Ping may wait behind the rest of the write, so its answer may take longer.
            self.heard = Some(now);
        }
        if observed.used || observed.taken || first {
            self.used = Some(now);
        }
        self.arriving = match self.arriving {
            _ if !observed.in_message => None,
            Some(since) if self.number == observed.message => Some(since),
            _ => Some(now),
        };
        self.number = observed.message;
        if observed.closing && self.closes.is_none() {
            (self.closes, self.unsent) = (Some(now), false);
        }
    }

    /// Until when waiting bytes may still be written after the end of the transport; `None` until
    /// the timers have been checked since then.
    pub(crate) fn last_write(&self) -> Option<Instant> {
        let closes = self.closes?;
        let until = self.closing.and_then(|time| closes.checked_add(time));
        // Never `None`: the end of the transport is then the end of the connection.
        Some(until.or_else(|| closes.checked_add(LAST_WRITE)).unwrap_or(closes))
    }

    /// What is awaited from the peer, and until when; of two equal times the first counts. Unread
    /// bytes suspend all deadlines except that of the end: a program that does not read must not
    /// delay it.
    fn deadlines(&self, unread: bool) -> [(Awaited, Option<Instant>); 4] {
        let after = |since: Option<Instant>, time: Option<Duration>| since?.checked_add(time?);
        let [mut message, mut idle, mut pong] = [None; 3];
        if !unread {
            message = after(self.arriving, self.message);
            if self.closes.is_none() {
                idle = after(self.used, self.idle);
                let asked = self.heard.filter(|_| self.pinged);
                pong = after(asked, self.keepalive.map(|it| it.timeout));
            }
        }
        let end = after(self.closes, self.closing);
        [
            (Awaited::End, end),
            (Awaited::Message, message),
            (Awaited::Use, idle),
            (Awaited::Pong, pong),
        ]
    }

    /// When the next keepalive Ping is to be sent.
    fn ping(&self) -> Option<Instant> {
        if self.closes.is_some() || self.pinged {
            return None;
        }
        self.heard?.checked_add(self.keepalive?.interval)
    }
}
