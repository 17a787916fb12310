//! Counters that many threads add to without slowing each other down.

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};

use super::server_counts::Traffic;

/// How many threads have a lane to themselves.
const OWN: usize = u64::BITS as usize;
/// How many lanes all other threads share.
const SHARED: usize = 16;

/// A direction of the messages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    Received,
    Sent,
}

/// The counters of a few threads, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Lane {
    received: Pair,
    sent: Pair,
}

#[derive(Debug, Default)]
struct Pair {
    messages: AtomicU64,
    payload_bytes: AtomicU64,
    wire_bytes: AtomicU64,
}

/// One lane for each of the threads that count, as long as there are enough.
pub(super) struct Lanes(Box<[Lane; OWN + SHARED]>);

impl Lanes {
    pub(super) fn new() -> Self {
        Self(Box::new(std::array::from_fn(|_| Lane::default())))
    }

    #[inline]
    pub(super) fn add_message(&self, direction: Direction, messages: u64, payload_bytes: u64) {
        if let Some((pair, alone)) = self.own(direction) {
            add(&pair.messages, messages, alone);
            add(&pair.payload_bytes, payload_bytes, alone);
        }
    }

    #[inline]
    pub(super) fn add_wire(&self, direction: Direction, bytes: u64) {
        if let Some((pair, alone)) = self.own(direction) {
            add(&pair.wire_bytes, bytes, alone);
        }
    }

    /// The counters of this thread, and whether no other thread adds to them.
    #[inline]
    fn own(&self, direction: Direction) -> Option<(&Pair, bool)> {
        // A thread that is ending has given its lane back.
        let number = NUMBER.try_with(|number| number.0).unwrap_or(OWN);
        Some((self.0.get(number)?.pair(direction), number < OWN))
    }

    pub(super) fn sum(&self, direction: Direction) -> Traffic {
        let mut sum = Traffic::default();
        for pair in self.0.iter().map(|lane| lane.pair(direction)) {
            sum.messages = sum.messages.wrapping_add(pair.messages.load(Relaxed));
            sum.payload_bytes = sum.payload_bytes.wrapping_add(pair.payload_bytes.load(Relaxed));
            sum.wire_bytes = sum.wire_bytes.wrapping_add(pair.wire_bytes.load(Relaxed));
        }
        sum
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("received", &self.sum(Direction::Received))
            .field("sent", &self.sum(Direction::Sent))
            .finish()
    }
}

impl Lane {
    const fn pair(&self, direction: Direction) -> &Pair {
        match direction {
            Direction::Received => &self.received,
            Direction::Sent => &self.sent,
        }
    }
}

/// Adds to a counter; `alone` if no other thread writes to it, which costs less.
#[inline]
fn add(counter: &AtomicU64, n: u64, alone: bool) {
    if alone {
        counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
    } else {
        counter.fetch_add(n, Relaxed);
    }
}

/// A bit for each number below [`OWN`] that a thread has.
static TAKEN: AtomicU64 = AtomicU64::new(0);
/// How many threads have found all of them taken.
static LATE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: Number = Number::take();
}

/// The number of a thread's lane. Those below [`OWN`] belong to one thread at a time.
struct Number(usize);

impl Number {
    fn take() -> Self {
        // The one before has released the number after its last store.
        let taken = TAKEN.fetch_update(Acquire, Acquire, |taken| {
            (taken != u64::MAX).then_some(taken | taken.wrapping_add(1))
        });
        Self(match taken {
            Ok(before) => before.trailing_ones() as usize,
            Err(_) => OWN.saturating_add(LATE.fetch_add(1, Relaxed) % SHARED),
        })
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        if self.0 < OWN {
            TAKEN.fetch_and(!(1 << self.0), Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};
    use std::thread;

    use super::*;

    /// More threads than lanes, twice, so that lanes are shared and handed on.
    #[test]
    fn nothing_is_lost_however_many_threads_count() {
        const THREADS: usize = 150;
        const EACH: u64 = 2_000;
        let lanes = Arc::new(Lanes::new());
        for round in 1..=2 {
            let start = Arc::new(Barrier::new(THREADS));
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (lanes, start) = (Arc::clone(&lanes), Arc::clone(&start));
                    thread::spawn(move || {
                        // All have their number before the first one gives it back.
                        lanes.add_wire(Direction::Sent, 9);
                        start.wait();
                        (0..EACH).for_each(|_| lanes.add_message(Direction::Received, 1, 7));
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            let all = round * THREADS as u64 * EACH;
            let received = Traffic { messages: all, payload_bytes: 7 * all, wire_bytes: 0 };
            assert_eq!(lanes.sum(Direction::Received), received);
            assert_eq!(lanes.sum(Direction::Sent).wire_bytes, 9 * round * THREADS as u64);
        }
    }

    #[test]
    fn two_living_threads_have_no_lane_in_common_while_there_are_enough() {
        let barrier = Barrier::new(2);
        let number = || {
            let number = NUMBER.with(|number| number.0);
            barrier.wait();
            number
        };
        let (one, other) = thread::scope(|scope| {
            let threads = [scope.spawn(number), scope.spawn(number)];
            let [one, other] = threads.map(|thread| thread.join().unwrap());
            (one, other)
        });
        // The test of many threads may have taken all.
        assert!(one != other || one >= OWN);
    }
}
