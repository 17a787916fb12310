//! The events that wait for [`Events`](super::Events).

use std::collections::VecDeque;

use super::event::Event;

/// One queue for each [`Events`](super::Events).
#[derive(Debug, Default)]
pub(super) struct Pulls {
    queues: Vec<(u64, VecDeque<Event>)>,
    next: u64,
    /// The size of the messages in all queues.
    waiting: usize,
}

impl Pulls {
    pub(super) fn open(&mut self, events: VecDeque<Event>) -> u64 {
        self.next = self.next.saturating_add(1);
        self.waiting = self.waiting.saturating_add(size(&events));
        self.queues.push((self.next, events));
        self.next
    }

    pub(super) fn push(&mut self, event: &Event) {
        for (_, queue) in &mut self.queues {
            self.waiting = self.waiting.saturating_add(event.size());
            queue.push_back(event.clone());
        }
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn pop(&mut self, id: u64) -> Option<Event> {
        let (_, queue) = self.queues.iter_mut().find(|(it, _)| *it == id)?;
        let event = queue.pop_front()?;
        self.waiting = self.waiting.saturating_sub(event.size());
        Some(event)
    }

    pub(super) fn close(&mut self, id: u64) {
        if let Some(index) = self.queues.iter().position(|(it, _)| *it == id) {
            let (_, queue) = self.queues.swap_remove(index);
            self.waiting = self.waiting.saturating_sub(size(&queue));
        }
    }
}

fn size(events: &VecDeque<Event>) -> usize {
    events.iter().map(Event::size).sum()
}
