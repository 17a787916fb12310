//! The running timers of a connection.

mod clock;

use std::time::{Duration, Instant};

use self::clock::{Clock, Moment, Span};
use crate::timeouts::{Timeout, Timeouts};

/// How long a passed deadline waits for a second check: long enough for a loop to read once, and
/// short compared with any timeout that a program would set.
const SECOND_LOOK: Span = Span::new(Some(Duration::from_millis(100)));
/// How long waiting bytes may still be written after the end of the transport, if
/// [`Timeouts::closing`] is `None` or ends beyond the clock.
const LAST_WRITE: Span = Span::new(Some(Duration::from_secs(10)));

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
    /// The peer's side of the transport.
    pub(crate) peer: Peer,
}

/// Whether the end of the peer's side of the transport is still awaited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Peer {
    #[default]
    Awaited,
    /// It has ended its side, or the transport broke.
    Ended,
    /// The time for it has passed.
    GivenUp,
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

/// A keepalive Ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    /// Not yet due.
    Later,
    /// Waits for room among the bytes to be written.
    Unsent,
    /// In flight.
    Sent,
}

/// The deadlines of one connection. They record what has happened only when they are checked, so a
/// connection without timeouts needs no clock.
#[derive(Debug)]
pub(crate) struct Timers {
    clock: Clock,
    /// [`Keepalive::interval`](crate::Keepalive::interval).
    interval: Span,
    /// [`Keepalive::timeout`](crate::Keepalive::timeout).
    pong: Span,
    idle: Span,
    message: Span,
    closing: Span,
    /// When the timers were last checked.
    now: Moment,
    /// When the peer last gave a sign of life, or when a Ping was sent since then.
    heard: Moment,
    /// When a message was last in use.
    used: Moment,
    /// Since when the message in progress has been arriving.
    arriving: Moment,
    /// Since when the connection is closing.
    closes: Moment,
    /// When a check first found a deadline passed. Bytes that the peer sent in time may lie unread,
    /// so the deadline takes effect only if a second check finds it passed too.
    passed: Moment,
    /// The number of the message that is arriving.
    number: u32,
    /// How many Pings were due, modulo 2^16.
    pings: u16,
    ping: Ping,
    /// What the deadline in `passed` waits for.
    awaited: Awaited,
}

impl Timers {
    pub(crate) const fn new(timeouts: Timeouts) -> Self {
        let (interval, pong) = match timeouts.keepalive {
            Some(it) => (Span::new(Some(it.interval)), Span::new(Some(it.timeout))),
            None => (Span::NEVER, Span::NEVER),
        };
        Self {
            clock: Clock::new(),
            interval,
            pong,
            idle: Span::new(timeouts.idle),
            message: Span::new(timeouts.message),
            closing: Span::new(timeouts.closing),
            now: Moment::NEVER,
            heard: Moment::NEVER,
            used: Moment::NEVER,
            arriving: Moment::NEVER,
            closes: Moment::NEVER,
            passed: Moment::NEVER,
            number: 0,
            pings: 0,
            ping: Ping::Later,
            awaited: Awaited::End,
        }
    }

    /// When to check next. A moment in the past means: something has started whose start time is
    /// still to be recorded.
    pub(crate) fn poll(&self, observed: &Observed) -> Option<Instant> {
        let is_timed = self.closing.ends() || observed.peer == Peer::Ended;
        let begins = self.number != observed.message;
        let unseen = (observed.closing && is_timed && !self.closes.is_ever())
            || (self.message.ends() && observed.in_message && begins);
        if unseen {
            return self.clock.instant(self.now);
        }
        let deadlines = self.deadlines(observed.unread).map(|(_, at)| at);
        let first = deadlines.into_iter().fold(Moment::NEVER, Moment::min);
        let first = if self.passed.is_ever() { first.max(self.second_look()) } else { first };
        self.clock.instant(first.min(self.next_ping()))
    }

    /// Records what has happened, and returns what is due. Without `room` for it no Ping is.
    pub(crate) fn handle(&mut self, now: Instant, observed: &Observed, room: bool) -> Option<Due> {
        let now = self.clock.moment(now);
        self.record(now, observed);
        if self.ping == Ping::Unsent && room {
            // The peer had nothing to answer.
            self.heard = now;
        }
        if let Some(due) = self.passed(now, observed) {
            return Some(due);
        }
        if self.next_ping() <= now {
            (self.ping, self.heard) = (Ping::Unsent, now);
            self.pings = self.pings.wrapping_add(1);
        }
        // A peer that makes no room in time is as silent as one that does not answer.
        if self.ping != Ping::Unsent || !room {
            return None;
        }
        self.ping = Ping::Sent;
        Some(Due::Ping(u64::from(self.pings).to_be_bytes()))
    }

    /// Returns what is due because a second look finds its deadline passed.
    fn passed(&mut self, now: Moment, observed: &Observed) -> Option<Due> {
        let deadlines = self.deadlines(observed.unread).into_iter();
        let first = deadlines.filter(|&(_, at)| at <= now).min_by_key(|&(_, at)| at);
        let Some((awaited, at)) = first else {
            // While something may lie unread, a first look is not forgotten: a peer that drips a
            // message makes the reader read, and must not win time by it.
            if !observed.unread {
                self.passed = Moment::NEVER;
            }
            return None;
        };
        let is_same = std::mem::replace(&mut self.awaited, awaited) == awaited;
        // A look before this deadline was at another one, such as that of an earlier message.
        if !(is_same && self.passed.is_ever() && at <= self.passed) {
            self.passed = now;
        }
        (self.second_look() <= now).then_some(match awaited {
            Awaited::End => Due::Expired(Timeout::Closing),
            Awaited::Message => Due::Expired(Timeout::Message),
            Awaited::Use => Due::Idle,
            Awaited::Pong => Due::Expired(Timeout::Keepalive),
        })
    }

    /// When the deadline that was found passed takes effect.
    fn second_look(&self) -> Moment {
        self.passed.after(SECOND_LOOK)
    }

    fn record(&mut self, now: Moment, observed: &Observed) {
        let first = !std::mem::replace(&mut self.now, now).is_ever();
        if observed.heard || observed.unread || first {
            (self.ping, self.heard) = (Ping::Later, now);
        }
        if observed.taken {
            // A Ping may wait behind the rest of the write, so its answer may take longer.
            self.heard = now;
        }
        if observed.used || observed.taken || first {
            self.used = now;
        }
        if !observed.in_message {
            self.arriving = Moment::NEVER;
        } else if !self.arriving.is_ever() || self.number != observed.message {
            self.arriving = now;
        }
        self.number = observed.message;
        if observed.closing && !self.closes.is_ever() {
            self.closes = now;
            // It is not sent behind a Close frame.
            self.ping = Ping::Later;
        }
    }

    /// Until when waiting bytes may still be written after the end of the transport; `None` until
    /// the timers have been checked since then.
    pub(crate) fn last_write(&self) -> Option<Instant> {
        let closes = self.clock.instant(self.closes)?;
        let until =
            [self.closing, LAST_WRITE].map(|time| self.clock.instant(self.closes.after(time)));
        // Never `None`: the end of the transport is then the end of the connection.
        Some(until.into_iter().flatten().next().unwrap_or(closes))
    }

    /// What is awaited from the peer, and until when; of two equal times the first counts. Unread
    /// bytes suspend all deadlines except that of the end: a program that does not read must not
    /// delay it.
    fn deadlines(&self, unread: bool) -> [(Awaited, Moment); 4] {
        let [mut message, mut idle, mut pong] = [Moment::NEVER; 3];
        if !unread {
            message = self.arriving.after(self.message);
            if !self.closes.is_ever() {
                idle = self.used.after(self.idle);
                if self.ping != Ping::Later {
                    pong = self.heard.after(self.pong);
                }
            }
        }
        let end = self.closes.after(self.closing);
        [
            (Awaited::End, end),
            (Awaited::Message, message),
            (Awaited::Use, idle),
            (Awaited::Pong, pong),
        ]
    }

    /// When the next keepalive Ping is to be sent.
    fn next_ping(&self) -> Moment {
        if self.closes.is_ever() || self.ping != Ping::Later {
            return Moment::NEVER;
        }
        self.heard.after(self.interval)
    }
}
