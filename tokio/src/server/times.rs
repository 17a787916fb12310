//! The times of a server's connections, the first one first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::entries::Entries;
use super::slot::Closing;
use super::timer::{Tick, Timed};

/// Times of connections. One that is removed stays in the heap until it comes, or until the heap has
/// more of them than others: a heap takes a third of the memory of a tree, and finds only the first.
#[derive(Default)]
pub(super) struct Times {
    /// [`Tick::key`] of each.
    heap: BinaryHeap<Reverse<u64>>,
    /// How many were not removed.
    len: usize,
}

impl Times {
    /// How many removed ones are not worth looking for.
    const FEW: usize = 64;

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many the heap has, removed ones included.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.heap.len()
    }

    /// Inserts the time of a connection whose timer is not set yet.
    pub(super) fn insert(&mut self, tick: Tick, number: u32, entries: &Entries) {
        if self.heap.len() > 2 * self.len + Self::FEW {
            let set = entries.iter().filter_map(|it| match it.slot.timer().get() {
                Timed::Set(tick) => Some(Reverse(tick.key(it.slot.number()))),
                _ => None,
            });
            self.heap = set.collect();
        }
        self.heap.push(Reverse(tick.key(number)));
        self.len = self.len.saturating_add(1);
    }

    /// Removes a time whose timer is not set any more, or will not be.
    pub(super) fn remove_one(&mut self) {
        self.len = self.len.saturating_sub(1);
        if self.len == 0 {
            self.heap = BinaryHeap::new();
        }
    }

    /// Returns the first time, and the connection whose it is.
    pub(super) fn first<'e>(&mut self, entries: &'e Entries) -> Option<(Tick, &'e dyn Closing)> {
        while let Some(&Reverse(key)) = self.heap.peek() {
            let (tick, number) = Tick::of_key(key);
            let slot = entries.get(number).map(|it| &*it.slot);
            // Its connection has ended or has another time, unless this is it.
            if let Some(slot) = slot.filter(|it| it.timer().get() == Timed::Set(tick)) {
                return Some((tick, slot));
            }
            self.heap.pop();
        }
        None
    }
}
