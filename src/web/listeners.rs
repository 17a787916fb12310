//! The handlers of one socket.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::event::{Event, EventKind};
use crate::net::lock::lock;

/// Identifies an added handler, so that it can be removed
/// ([`remove_event_listener`](super::WebSocket::remove_event_listener)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

pub(super) type Function = Box<dyn FnMut(&Event) + Send>;

pub(super) struct Listener {
    id: ListenerId,
    kind: EventKind,
    /// Whether `on_open` or one of its siblings set it.
    is_attribute: bool,
    removed: AtomicBool,
    /// Locked only by the thread that runs handlers.
    function: Mutex<Function>,
}

impl Listener {
    /// Calls the function, unless it was removed after the event was dispatched.
    pub(super) fn call(&self, event: &Event) {
        if !self.removed.load(Ordering::Acquire) {
            let mut function = lock(&self.function);
            function(event);
        }
    }

    pub(super) const fn id(&self) -> ListenerId {
        self.id
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.kind).finish()
    }
}

/// The handlers in the order of their registration, in which they are called.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    list: Vec<Arc<Listener>>,
    next: u64,
}

impl Listeners {
    pub(super) fn add(&mut self, kind: EventKind, function: Function) -> ListenerId {
        let listener = self.listener(kind, false, function);
        let id = listener.id;
        self.list.push(listener);
        id
    }

    /// Sets the event handler attribute of a type: one handler, which keeps its place when it is
    /// set again. Returns the handler that it replaces. The caller must drop that one without
    /// holding a lock, because dropping it runs code of the program.
    pub(super) fn set(&mut self, kind: EventKind, function: Function) -> Option<Arc<Listener>> {
        let new = self.listener(kind, true, function);
        let place = self.list.iter_mut().find(|it| it.is_attribute && it.kind == kind);
        let Some(place) = place else {
            self.list.push(new);
            return None;
        };
        place.removed.store(true, Ordering::Release);
        Some(std::mem::replace(place, new))
    }

    /// Removes and returns a handler, to be dropped without holding a lock.
    pub(super) fn remove(&mut self, id: ListenerId) -> Option<Arc<Listener>> {
        let index = self.list.iter().position(|it| it.id == id)?;
        let listener = self.list.remove(index);
        listener.removed.store(true, Ordering::Release);
        Some(listener)
    }

    /// Removes and returns all handlers, to be dropped without holding a lock.
    pub(super) fn clear(&mut self) -> Vec<Arc<Listener>> {
        for listener in &self.list {
            listener.removed.store(true, Ordering::Release);
        }
        std::mem::take(&mut self.list)
    }

    pub(super) fn any(&self, kind: EventKind) -> bool {
        self.list.iter().any(|it| it.kind == kind)
    }

    pub(super) fn of(&self, kind: EventKind) -> Vec<Arc<Listener>> {
        self.list.iter().filter(|it| it.kind == kind).cloned().collect()
    }

    fn listener(
        &mut self,
        kind: EventKind,
        is_attribute: bool,
        function: Function,
    ) -> Arc<Listener> {
        self.next = self.next.saturating_add(1);
        Arc::new(Listener {
            id: ListenerId(self.next),
            kind,
            is_attribute,
            removed: AtomicBool::new(false),
            function: Mutex::new(function),
        })
    }
}
