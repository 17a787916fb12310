//! What waits for one subscriber.

use std::collections::{HashMap, VecDeque};

use super::budget::{Budget, WhenFull};
use super::counts::{Published, SubscriberCounts};
use super::mail::{Key, Mail};
use crate::close::{Close, CloseCode};

/// The messages that wait for one subscriber, oldest first.
#[derive(Debug)]
pub(super) struct Inbox {
    budget: Budget,
    /// The oldest message. Apart, because an inbox seldom holds more than one, which then needs no
    /// memory of its own.
    first: Option<Mail>,
    later: VecDeque<Mail>,
    /// `None` without messages with keys.
    latest: Option<Box<Latest>>,
    /// The position of the first message.
    position: u64,
    state: State,
    /// Whether the connection knows that something waits.
    told: bool,
    counts: SubscriberCounts,
}

/// The positions of the latest messages of their keys, counted from the first message ever.
#[derive(Debug, Default)]
struct Latest(HashMap<Key, u64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The connection must send a Close frame after what waits.
    Closing(CloseCode, &'static str),
    /// Nothing is accepted any more.
    Over,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Message(Mail),
    Close(CloseCode, &'static str),
}

impl Inbox {
    pub(super) const fn new(budget: Budget) -> Self {
        Self {
            budget,
            first: None,
            later: VecDeque::new(),
            latest: None,
            position: 0,
            state: State::Open,
            told: false,
            counts: SubscriberCounts {
                waiting: 0,
                waiting_bytes: 0,
                taken: 0,
                dropped: 0,
                dropped_bytes: 0,
                replaced: 0,
            },
        }
    }

    /// Puts a message in, as far as the budget allows it.
    pub(super) fn push(&mut self, mail: &Mail) -> Published {
        let mut published = Published::default();
        if self.state != State::Open || self.replace(mail, &mut published) {
            return published;
        }
        if !self.has_room(mail) {
            match self.budget.when_full {
                WhenFull::DropNewest => {
                    self.drop_one(mail, &mut published);
                    return published;
                }
                WhenFull::DropOldest | WhenFull::KeepLatest => self.make_room(mail, &mut published),
                WhenFull::Close(code, reason) => {
                    self.drop_one(mail, &mut published);
                    self.discard(&mut published);
                    self.close(code, reason);
                    // The connection may wait for the peer, to which it must no longer write what
                    // waited. Only its closing handshake has a deadline.
                    self.told = false;
                    published.closed = 1;
                    return published;
                }
            }
        }
        self.append(mail);
        published.accepted = 1;
        published
    }

    /// Takes the oldest message if `accept` agrees, or says that the connection must be closed.
    pub(super) fn take(&mut self, accept: impl FnOnce(&Mail) -> bool) -> Option<Next> {
        let next = match (&self.first, self.state) {
            (Some(first), _) if !accept(first) => return None,
            (Some(_), _) => {
                self.counts.taken = self.counts.taken.saturating_add(1);
                self.pop().map(Next::Message)
            }
            (None, State::Closing(code, reason)) => {
                self.state = State::Over;
                Some(Next::Close(code, reason))
            }
            (None, State::Open | State::Over) => None,
        };
        self.told &= self.is_due();
        next
    }

    /// Has the connection closed after what waits.
    pub(super) fn close(&mut self, code: CloseCode, reason: &'static str) {
        if self.state == State::Open {
            // "All control frames MUST have a payload length of 125 bytes or less" (5.5)
            let cut = (0..=Close::MAX_REASON).rev().find_map(|end| reason.get(..end));
            let reason = cut.unwrap_or_default();
            self.state = State::Closing(code, reason);
        }
    }

    /// Drops what waits, and accepts nothing more: the connection is over.
    pub(super) fn end(&mut self) {
        self.state = State::Over;
        self.discard(&mut Published::default());
    }

    /// Whether a message waits, or a close.
    pub(super) fn is_due(&self) -> bool {
        self.first.is_some() || matches!(self.state, State::Closing(..))
    }

    /// Whether the connection must be told that something waits; at once it counts as told.
    pub(super) fn must_tell(&mut self) -> bool {
        self.is_due() && !std::mem::replace(&mut self.told, true)
    }

    pub(super) fn is_over(&self) -> bool {
        self.state != State::Open
    }

    pub(super) const fn counts(&self) -> SubscriberCounts {
        self.counts
    }

    fn has_room(&self, mail: &Mail) -> bool {
        let filled = self.counts.waiting_bytes.saturating_add(mail.cost());
        self.first.is_none() || filled <= self.budget.bytes
    }

    /// Drops the oldest messages until this one fits.
    fn make_room(&mut self, mail: &Mail, published: &mut Published) {
        while !self.has_room(mail)
            && let Some(oldest) = self.pop()
        {
            self.drop_one(&oldest, published);
        }
    }

    fn append(&mut self, mail: &Mail) {
        if self.keeps_latest() {
            let behind = self.position.saturating_add(self.counts.waiting as u64);
            match (mail.key(), &mut self.latest) {
                (Some(key), latest) => {
                    latest.get_or_insert_default().0.insert(key.clone(), behind);
                }
                // A later message must not overtake this one.
                (None, latest) => *latest = None,
            }
        }
        self.counts.waiting = self.counts.waiting.saturating_add(1);
        self.counts.waiting_bytes = self.counts.waiting_bytes.saturating_add(mail.cost());
        if self.first.is_none() {
            self.first = Some(mail.clone());
        } else {
            self.later.push_back(mail.clone());
        }
    }

    /// Puts a message in the place of the one with the same key. `false` if none waits.
    fn replace(&mut self, mail: &Mail, published: &mut Published) -> bool {
        let (Some(key), Some(latest)) = (mail.key(), &self.latest) else { return false };
        let Some(mut position) = latest.0.get(key).copied() else { return false };
        let place = match position.checked_sub(self.position).map(usize::try_from) {
            Some(Ok(0)) => self.first.as_mut(),
            Some(Ok(at)) => self.later.get_mut(at.saturating_sub(1)),
            Some(Err(_)) | None => None,
        };
        let Some(place) = place else { return false };
        let before = std::mem::replace(place, mail.clone());
        let left = self.counts.waiting_bytes.saturating_sub(before.cost());
        self.counts.waiting_bytes = left.saturating_add(mail.cost());
        self.counts.replaced = self.counts.replaced.saturating_add(1);
        (published.accepted, published.replaced) = (1, 1);
        // A longer one may not fit where the shorter one was. It is the newest, so others go.
        while self.counts.waiting_bytes > self.budget.bytes && self.counts.waiting > 1 {
            if position == self.position {
                self.swap_first_two();
                position = position.saturating_add(1);
            }
            let Some(oldest) = self.pop() else { break };
            self.drop_one(&oldest, published);
        }
        true
    }

    fn swap_first_two(&mut self) {
        let (Some(first), Some(second)) = (&mut self.first, self.later.front_mut()) else { return };
        std::mem::swap(first, second);
        let (at_first, at_second) = (self.position, self.position.saturating_add(1));
        let Some(latest) = &mut self.latest else { return };
        for (mail, from, to) in [(first, at_second, at_first), (second, at_first, at_second)] {
            if let Some(at) =
                mail.key().and_then(|key| latest.0.get_mut(key)).filter(|at| **at == from)
            {
                *at = to;
            }
        }
    }

    /// Takes the oldest message out.
    fn pop(&mut self) -> Option<Mail> {
        let first = self.first.take()?;
        self.first = self.later.pop_front();
        if let (Some(key), Some(latest)) = (first.key(), &mut self.latest)
            && latest.0.get(key) == Some(&self.position)
        {
            latest.0.remove(key);
        }
        self.position = self.position.saturating_add(1);
        self.counts.waiting = self.counts.waiting.saturating_sub(1);
        self.counts.waiting_bytes = self.counts.waiting_bytes.saturating_sub(first.cost());
        if self.first.is_none() {
            // A connection that reads again gives the memory back.
            self.later = VecDeque::new();
            self.latest = None;
        }
        Some(first)
    }

    fn keeps_latest(&self) -> bool {
        self.budget.when_full == WhenFull::KeepLatest
    }

    fn discard(&mut self, published: &mut Published) {
        while let Some(oldest) = self.pop() {
            self.drop_one(&oldest, published);
        }
    }

    fn drop_one(&mut self, mail: &Mail, published: &mut Published) {
        let bytes = mail.as_bytes().len();
        published.dropped = published.dropped.saturating_add(1);
        published.dropped_bytes = published.dropped_bytes.saturating_add(bytes);
        self.counts.dropped = self.counts.dropped.saturating_add(1);
        self.counts.dropped_bytes = self.counts.dropped_bytes.saturating_add(bytes as u64);
    }
}
