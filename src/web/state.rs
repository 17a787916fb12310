//! The state of one socket, and the tasks that change it.
//!
//! In the standard the network queues tasks, which the page's event loop runs one by one: "queue a
//! task to run these steps". Here, too, everything that happens on the network is queued as a
//! [`Task`], and the state that the program sees changes when that task runs. A task without a
//! handler is run by whichever thread holds the lock ([`State::pump`]); the others are run by the
//! thread that runs handlers ([`State::take_call`]). If the program has an event loop, that runs
//! them all, and nothing else does ([`State::has_turn`]).

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::event::{CloseEvent, ErrorEvent, Event, EventKind, MessageEvent, OpenEvent};
use super::ledger::Ledger;
use super::listeners::{Function, Listener, ListenerId, Listeners};
use super::pulls::Pulls;
use super::ready_state::ReadyState;
use super::turns;
use crate::net::{CancelConnect, Writer};

/// How long events wait for handlers that are being set.
const SETTLE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct State {
    pub(super) ready: ReadyState,
    pub(super) protocol: Arc<str>,
    pub(super) extensions: Arc<str>,
    /// The sending half, from the opening handshake to the end.
    pub(super) writer: Option<Writer>,
    pub(super) ledger: Ledger,
    /// Ends the attempt to connect.
    pub(super) cancel: CancelConnect,
    /// Why the connection failed, if that is known before it has ended.
    pub(super) failure: Option<ErrorEvent>,
    /// Whether the last tasks have been queued.
    pub(super) ended: bool,
    /// The `close` event, once it was delivered. No event follows.
    pub(super) closed: Option<CloseEvent>,
    /// Whether the object was dropped.
    pub(super) abandoned: bool,
    /// Whether the thread that connects and reads is running.
    pub(super) networking: bool,
    pub(super) dispatcher: Dispatcher,
    pub(super) runner: Runner,
    tasks: VecDeque<Task>,
    listeners: Listeners,
    /// The types that the program has listened for.
    listened: [bool; EventKind::COUNT],
    /// Events that the program has not listened for yet, in their order.
    missed: VecDeque<Event>,
    missed_size: usize,
    settled: Option<Instant>,
    pub(super) pulls: Pulls,
    /// The size of the messages in `tasks`.
    waiting: usize,
    backlog: usize,
}

/// Who runs the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runner {
    /// The threads of the socket.
    Background,
    /// The program's event loop.
    Program,
}

/// What the thread that runs handlers is doing: one of the socket, or the program's event loop while
/// it runs a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dispatcher {
    /// There is none.
    None,
    /// It waits for events.
    Waits,
    /// It runs handlers. No other thread may run tasks meanwhile, and this one must not wait for
    /// one.
    Runs(ThreadId),
}

/// What has happened on the network.
#[derive(Debug)]
pub(super) enum Task {
    /// "When the WebSocket connection is established"
    Established { protocol: Arc<str>, extensions: Arc<str> },
    /// "When a WebSocket message has been received"
    Received(MessageEvent),
    /// "When the WebSocket closing handshake is started"
    Closing,
    /// "When the WebSocket connection is closed", the step for one that failed.
    Failed(ErrorEvent),
    /// "When the WebSocket connection is closed"
    Closed(CloseEvent),
}

/// An event and the handlers to call with it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) event: Event,
    pub(super) listeners: Vec<Arc<Listener>>,
}

impl State {
    pub(super) fn new(backlog: usize, cancel: CancelConnect, runner: Runner) -> Self {
        Self {
            ready: ReadyState::Connecting,
            protocol: "".into(),
            extensions: "".into(),
            writer: None,
            ledger: Ledger::default(),
            cancel,
            failure: None,
            ended: false,
            closed: None,
            abandoned: false,
            networking: false,
            dispatcher: Dispatcher::None,
            runner,
            tasks: VecDeque::new(),
            listeners: Listeners::default(),
            listened: [false; EventKind::COUNT],
            missed: VecDeque::new(),
            missed_size: 0,
            settled: None,
            pulls: Pulls::default(),
            waiting: 0,
            backlog,
        }
    }

    pub(super) fn queue(&mut self, task: Task) {
        if let Task::Received(message) = &task {
            self.waiting = self.waiting.saturating_add(message.size());
        }
        self.tasks.push_back(task);
    }

    /// Queues the last tasks, once.
    pub(super) fn end(&mut self, failure: Option<ErrorEvent>, close: CloseEvent) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(failure) = self.failure.take().or(failure) {
            self.queue(Task::Failed(failure));
        }
        self.queue(Task::Closed(close));
    }

    /// Whether reading should pause until messages are taken.
    pub(super) fn is_full(&self) -> bool {
        self.is_alive() && self.waiting.saturating_add(self.pulls.waiting()) > self.backlog
    }

    /// Whether it is connecting or open.
    pub(super) const fn is_alive(&self) -> bool {
        matches!(self.ready, ReadyState::Connecting | ReadyState::Open)
    }

    /// Runs the tasks that have no handler, up to the first that has one.
    pub(super) fn pump(&mut self) {
        while self.runs_in_background()
            && let Some(task) = self.tasks.front()
            && !task.kind().is_some_and(|kind| self.listeners.any(kind))
        {
            if let Some(event) = self.next_event() {
                self.keep(event);
            }
        }
    }

    /// Whether a thread of the socket can call a handler.
    pub(super) fn has_call(&self) -> bool {
        let waits = |kind| self.listeners.any(kind);
        self.runs_in_background()
            && (self.tasks.front().and_then(Task::kind).is_some_and(waits)
                || self.missed.iter().any(|event| waits(event.kind())))
    }

    /// Whether the program's event loop has a task to run.
    pub(super) fn has_turn(&self) -> bool {
        self.runner == Runner::Program && !self.is_running() && !self.tasks.is_empty()
    }

    /// Begins a turn of the program's event loop, if it has one. `bufferedAmount` counts what was
    /// queued, "but that, as of the last time the event loop reached step 1, had not yet been
    /// transmitted to the network."
    pub(super) fn begin_turn(&mut self) {
        if self.runner == Runner::Program {
            self.count_written();
            self.ledger.show();
        }
    }

    /// Whether this thread is in a handler.
    pub(super) fn is_in_handler(&self) -> bool {
        self.dispatcher == Dispatcher::Runs(thread::current().id())
    }

    /// How many tasks wait.
    pub(super) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// When handlers may be called, if that is later than now: the program may still be setting
    /// them.
    pub(super) const fn settled(&self) -> Option<Instant> {
        self.settled
    }

    /// Takes the next event for handlers. Events that they missed come first.
    pub(super) fn take_call(&mut self) -> Option<Call> {
        let missed = self.missed.iter().position(|event| self.listeners.any(event.kind()));
        let event = if let Some(event) = missed.and_then(|index| self.missed.remove(index)) {
            self.missed_size = self.missed_size.saturating_sub(event.size());
            event
        } else {
            self.next_event()?
        };
        let listeners = self.listeners.of(event.kind());
        self.dispatcher = Dispatcher::Runs(thread::current().id());
        Some(Call { event, listeners })
    }

    pub(super) fn add_listener(&mut self, kind: EventKind, function: Function) -> ListenerId {
        self.listen(kind);
        self.listeners.add(kind, function)
    }

    #[must_use]
    pub(super) fn set_listener(
        &mut self,
        kind: EventKind,
        function: Function,
    ) -> Option<Arc<Listener>> {
        self.listen(kind);
        self.listeners.set(kind, function)
    }

    #[must_use]
    pub(super) fn remove_listener(&mut self, id: ListenerId) -> Option<Arc<Listener>> {
        self.listeners.remove(id)
    }

    #[must_use]
    pub(super) fn clear_listeners(&mut self) -> Vec<Arc<Listener>> {
        self.listeners.clear()
    }

    /// Opens a queue for an [`Events`](super::Events), which begins with the missed events.
    pub(super) fn pull(&mut self) -> u64 {
        self.listened = [true; EventKind::COUNT];
        self.settled = None;
        self.missed_size = 0;
        let missed = std::mem::take(&mut self.missed);
        self.pulls.open(missed)
    }

    #[expect(clippy::indexing_slicing, reason = "there are COUNT kinds, numbered from 0")]
    fn listened(&mut self, kind: EventKind) -> &mut bool {
        &mut self.listened[kind as usize]
    }

    fn listen(&mut self, kind: EventKind) {
        if std::mem::replace(self.listened(kind), true) {
            return;
        }
        let complete = self.listened.iter().all(|listened| *listened);
        self.settled = if complete { None } else { Instant::now().checked_add(SETTLE) };
    }

    const fn is_running(&self) -> bool {
        matches!(self.dispatcher, Dispatcher::Runs(_))
    }

    /// Whether the threads of the socket may run tasks now.
    fn runs_in_background(&self) -> bool {
        self.runner == Runner::Background && !self.is_running()
    }

    /// Runs the first task.
    fn next_event(&mut self) -> Option<Event> {
        let event = self.run()?;
        self.pulls.push(&event);
        Some(event)
    }

    /// The steps of the standard for each task.
    fn run(&mut self) -> Option<Event> {
        match self.tasks.pop_front()? {
            Task::Established { protocol, extensions } => {
                // close() was called before.
                if self.ready != ReadyState::Connecting {
                    return None;
                }
                // "Change the ready state to OPEN (1). Change the extensions attribute's value to
                // the extensions in use [...]. Change the protocol attribute's value to the
                // subprotocol in use [...]. Fire an event named open"
                self.ready = ReadyState::Open;
                (self.protocol, self.extensions) = (protocol, extensions);
                Some(Event::Open(OpenEvent {}))
            }
            Task::Received(message) => {
                self.waiting = self.waiting.saturating_sub(message.size());
                // "If ready state is not OPEN (1), then return."
                (self.ready == ReadyState::Open).then_some(Event::Message(message))
            }
            Task::Closing => {
                // "change the ready state to CLOSING (2)"
                if self.ready == ReadyState::Open {
                    self.ready = ReadyState::Closing;
                }
                None
            }
            // "Change the ready state to CLOSED (3). If the user agent was required to fail the
            // WebSocket connection, or if the WebSocket connection was closed after being flagged
            // as full, fire an event named error [...]. Fire an event named close"
            Task::Failed(error) => {
                self.ready = ReadyState::Closed;
                Some(Event::Error(error))
            }
            Task::Closed(close) => {
                self.ready = ReadyState::Closed;
                self.closed = Some(close.clone());
                Some(Event::Close(close))
            }
        }
    }

    /// Keeps an event until the program listens for its type.
    fn keep(&mut self, event: Event) {
        if *self.listened(event.kind()) {
            return;
        }
        self.missed_size = self.missed_size.saturating_add(event.size());
        self.missed.push_back(event);
        if self.missed_size > self.backlog {
            // The program does not want messages, and some of them without the others are of no
            // use.
            *self.listened(EventKind::Message) = true;
            self.missed.retain(|event| event.kind() != EventKind::Message);
            self.missed_size = 0;
        }
    }

    /// Ends the attempt to connect, or the connection, at once.
    pub(super) fn abort(&self) {
        self.cancel.cancel();
        turns::wake();
        if let Some(writer) = &self.writer {
            // A stream that is broken has ended already.
            let _ = writer.abort();
        }
    }

    /// Updates how many bytes the network has taken. A program with an event loop sees it in its
    /// next turn.
    pub(super) fn count_written(&mut self) {
        if let Some(writer) = &self.writer {
            self.ledger.written(writer.written());
        }
        if self.runner == Runner::Background {
            self.ledger.show();
        }
    }

    /// Queues a message, unless the connection is closing.
    pub(super) fn received(&mut self, message: MessageEvent) {
        // Its task would discard it.
        if self.is_alive() {
            self.queue(Task::Received(message));
        }
    }
}

impl Task {
    const fn kind(&self) -> Option<EventKind> {
        match self {
            Self::Established { .. } => Some(EventKind::Open),
            Self::Received(_) => Some(EventKind::Message),
            Self::Closing => None,
            Self::Failed(_) => Some(EventKind::Error),
            Self::Closed(_) => Some(EventKind::Close),
        }
    }
}
