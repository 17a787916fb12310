//! Running handlers: by a thread of the socket, or by the program's event loop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::shared::{Locked, Shared};
use super::state::{Call, Dispatcher, State};

impl Shared {
    /// Changes the state, runs the tasks that can run at once, and wakes every thread that waits
    /// for a change, and the program's event loop if a task was queued.
    pub(super) fn update<T>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let tasks = state.tasks();
        let result = change(&mut state);
        let queued = state.tasks().saturating_sub(tasks);
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
        if let Some(wake) = &self.wake
            && !(0..queued).all(|_| wake.call())
        {
            self.panicked();
        }
        result
    }

    /// Runs the first task on this thread, which is that of the program's event loop.
    pub(super) fn run_task<'a>(self: &'a Arc<Self>, mut state: Locked<'a>) -> Locked<'a> {
        let call = state.take_call();
        drop(state);
        // There may be room for more messages.
        self.notify();
        if let Some(call) = call {
            run(self, call);
            if self.lock().closed.is_some() {
                self.drop_listeners();
            }
            self.lock().dispatcher = Dispatcher::None;
            self.notify();
        }
        self.lock()
    }

    /// Handlers may own something that owns the socket, and they get no more events.
    fn drop_listeners(&self) {
        // Dropped without the lock: a handler may own anything.
        let listeners = self.lock().clear_listeners();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(listeners)));
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
    drop(state);
    shared.drop_listeners();
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
