//! The handlers of one socket.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::event::{Event, EventKind};
use crate::net::lock::lock;

/// Names a handler that was added, to remove it
/// ([`remove_event_listener`](super::WebSocket::remove_event_listener)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

pub(super) type Function = Box<dyn FnMut(&Event) + Send>;

pub(super) struct Listener {
    id: ListenerId,
    kind: EventKind,
    /// Whether it is the one that `on_open` and its like set.
    is_attribute: bool,
    removed: AtomicBool,
    /// Only the thread that runs handlers locks it.
    function: Mutex<Function>,
}

impl Listener {
    /// Runs it, unless it was removed since the event was on its way.
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

/// In the order in which they are called, that of their registration.
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

    /// Sets the event handler attribute of a type: one handler, which keeps its place when it is set
    /// again. Gives back the one it replaces: it is to be dropped where no lock is held, since that
    /// runs code of the program.
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

    /// Gives the handler back, to be dropped as in [`set`](Self::set).
    pub(super) fn remove(&mut self, id: ListenerId) -> Option<Arc<Listener>> {
        let index = self.list.iter().position(|it| it.id == id)?;
        let listener = self.list.remove(index);
        listener.removed.store(true, Ordering::Release);
        Some(listener)
    }

    /// Gives all of them back, to be dropped as in [`set`](Self::set).
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
