//! The list of a server's connections.

use std::sync::Arc;
use std::task::Waker;

use tokio::task::AbortHandle;

use super::slot::Closing;

/// A connection in the list of its server.
pub(super) struct Entry {
    pub(super) slot: Arc<dyn Closing>,
    pub(super) task: Option<AbortHandle>,
}

impl Entry {
    /// Ends the task. If the program has taken the connection elsewhere, its task is woken: it needs
    /// a timer of its own now.
    pub(super) fn cut_off(self) {
        if let Some(task) = self.task {
            task.abort();
        }
        self.slot.holder().into_iter().for_each(Waker::wake);
    }
}

/// Connections by number. The number of one that has ended goes to a later one: a list without keys
/// takes half the memory of a map.
#[derive(Default)]
pub(super) struct Entries {
    list: Vec<Option<Entry>>,
    free: Vec<u32>,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.list.len().saturating_sub(self.free.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a number for the connection that is inserted next.
    pub(super) fn take_number(&mut self) -> u32 {
        // 2^32 connections do not fit into memory.
        self.free.pop().unwrap_or_else(|| u32::try_from(self.list.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn insert(&mut self, slot: Arc<dyn Closing>) {
        let number = slot.number() as usize;
        let entry = Some(Entry { slot, task: None });
        match self.list.get_mut(number) {
            Some(place) => *place = entry,
            None => self.list.push(entry),
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Entry> {
        self.list.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Entry> {
        self.list.get_mut(number as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Entry> {
        let entry = self.list.get_mut(number as usize)?.take()?;
        self.free.push(number);
        if self.is_empty() {
            // What a crowd has taken is given back.
            *self = Self::default();
        }
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter().flatten()
    }

    /// Takes all out.
    pub(super) fn take(&mut self) -> Vec<Entry> {
        std::mem::take(self).list.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;

    use super::super::registry::{Guard, Registry};
    use super::*;

    #[tokio::test]
    async fn a_connection_that_was_cut_off_does_not_touch_the_next_of_its_number() {
        let registry = Arc::<Registry>::default();
        let cut_off = registry.register::<DuplexStream>();
        drop(registry.lock().take_all());
        let next = registry.register::<DuplexStream>();
        assert_eq!(cut_off.number(), next.number());

        let task = tokio::spawn(std::future::pending::<()>());
        registry.set_task(&*cut_off.0, task.abort_handle());
        assert!(task.await.is_err(), "it is aborted");
        assert!(registry.lock().all.get(next.number()).is_some_and(|it| it.task.is_none()));
        drop(cut_off);
        assert_eq!(registry.count(), 1);
        drop(next);
        assert_eq!(registry.count(), 0);
    }

    #[test]
    fn free_numbers_are_used_first() {
        let registry = Arc::<Registry>::default();
        let mut all: Vec<_> = (0..3).map(|_| registry.register::<DuplexStream>()).collect();
        let numbers =
            |all: &[Guard<DuplexStream>]| all.iter().map(|it| it.number()).collect::<Vec<_>>();
        assert_eq!(numbers(&all), [0, 1, 2]);
        drop(all.remove(1));
        assert_eq!(registry.count(), 2);
        all.extend((0..2).map(|_| registry.register()));
        assert_eq!(numbers(&all), [0, 2, 1, 3]);
        drop(all);
        assert!(registry.lock().all.list.capacity() == 0, "the memory is given back");
    }
}
