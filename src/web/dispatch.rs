//! The thread that runs handlers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::shared::Shared;
use super::state::{Call, Dispatcher, State};

impl Shared {
    /// Changes the state, runs the tasks that can run at once, and wakes every thread that waits
    /// for a change.
    pub(super) fn update<T>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        state.pump();
        if state.has_call() && state.dispatcher == Dispatcher::None {
            let shared = Arc::clone(self);
            let thread = thread::Builder::new().name("sansock-events".into());
            // If the thread cannot be started, the next change tries again.
            if let Ok(thread) = thread.spawn(move || dispatch(&shared)) {
                state.dispatcher = Dispatcher::Waits;
                self.threads().dispatcher = Some(thread);
            }
        }
        drop(state);
        self.notify();
        result
    }
}

/// Runs until the object is dropped or its last event was delivered.
fn dispatch(shared: &Arc<Shared>) {
    let mut state = shared.lock();
    loop {
        state.pump();
        if state.abandoned || (state.closed.is_some() && !state.has_call()) {
            break;
        }
        if let Some(until) = state.settled().filter(|until| Instant::now() < *until) {
            state = shared.wait(state, Some(until));
            continue;
        }
        if !state.has_call() {
            state = shared.wait(state, None);
            continue;
        }
        let Some(call) = state.take_call() else { continue };
        drop(state);
        // The state may have changed with the event.
        shared.notify();
        run(shared, call);
        state = shared.lock();
        state.dispatcher = Dispatcher::Waits;
    }
    // Handlers may own something that owns the socket, and they get no more events.
    let listeners = state.clear_listeners();
    drop(state);
    let _ = catch_unwind(AssertUnwindSafe(|| drop(listeners)));
    // If a handler was set meanwhile that missed events, this starts another thread.
    shared.update(|state| state.dispatcher = Dispatcher::None);
}

/// "invoke": calls every handler, in the order of their registration. A panic of one does not keep
/// the others from running.
fn run(shared: &Arc<Shared>, call: Call) {
    let Call { event, listeners } = call;
    let event = &event;
    for listener in listeners {
        if shared.lock().abandoned {
            return;
        }
        let id = listener.id();
        // Dropping what a removed handler owns may panic too.
        let called = catch_unwind(AssertUnwindSafe(move || {
            listener.call(event);
            drop(listener);
        }));
        if called.is_err() {
            let listener = shared.lock().remove_listener(id);
            drop(listener);
            shared.panicked();
        }
    }
}
