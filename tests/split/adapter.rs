//! A connection split over two threads: one reads, the other writes and looks at the clock. It uses the
//! public API of the core alone, as an adapter of another package would.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use sansock::split::{Receiver, SendQueue, Sender};
use sansock::{Connection, Event, Outcome, ReceiveBuffer, Teardown};
use testkit::seen::Seen;

/// The longest that one write may take: then the clock is looked at.
const STEP: Duration = Duration::from_millis(20);

/// What both threads share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    sender: Sender,
    queue: SendQueue,
    half_closed: bool,
}

/// What the program does with an event, under the lock.
pub(crate) type Handle = fn(Event<'_>, &mut Sender, &mut SendQueue);

/// Runs both threads until the transport is to be dropped: what was seen, and how it ended. `start` is
/// what the program does first, `handle` what it does with each message, before the next read.
pub(crate) fn run(
    connection: Connection,
    stream: &TcpStream,
    start: impl FnOnce(&mut Sender, &mut SendQueue),
    handle: Handle,
) -> (Vec<Seen>, Outcome) {
    let (receiver, sender) = connection.split();
    let mut state = State { sender, queue: SendQueue::new(), half_closed: false };
    start(&mut state.sender, &mut state.queue);
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    stream.set_write_timeout(Some(STEP)).unwrap();
    let mut reading = stream.try_clone().unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| shared.read(receiver, &mut reading, handle));
        let outcome = shared.write(stream);
        (reader.join().unwrap(), outcome)
    })
}

impl Shared {
    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        result
    }

    fn read(&self, mut receiver: Receiver, stream: &mut TcpStream, handle: Handle) -> Vec<Seen> {
        let (mut input, mut seen) = (ReceiveBuffer::new(), Vec::new());
        loop {
            loop {
                match receiver.advance(&mut input) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        self.update(|it| it.sender.fail(error, it.queue.queued()));
                        break;
                    }
                }
                let event = input.event().unwrap();
                if event.is_control() {
                    self.update(|it| it.sender.respond(&event, it.queue.queued()));
                }
                self.update(|it| handle(event, &mut it.sender, &mut it.queue));
                seen.push(event.into());
            }
            self.update(|it| it.sender.note(receiver.progress(&mut input)));
            let read = input.read_from(stream);
            self.update(|it| it.sender.note_unread());
            if !matches!(read, Ok(1..)) {
                self.update(|it| it.sender.receive_eof());
                return seen;
            }
        }
    }

    fn write(&self, stream: &TcpStream) -> Outcome {
        let mut state = self.state.lock().unwrap();
        loop {
            let now = Instant::now();
            let State { sender, queue, .. } = &mut *state;
            // An error is the outcome, and shows in `teardown`.
            let _ = sender.handle_timeout(now, queue.queued());
            match state.sender.teardown() {
                Teardown::HalfClose if state.queue.is_empty() && !state.half_closed => {
                    state.half_closed = true;
                    let _ = stream.shutdown(Shutdown::Write);
                }
                Teardown::Drop { until } => {
                    let is_late = until.is_none_or(|until| until <= now);
                    if is_late {
                        state = self.write_once(state, stream);
                    }
                    if is_late || state.queue.is_empty() {
                        let _ = stream.shutdown(Shutdown::Both);
                        return state.sender.outcome().cloned().unwrap();
                    }
                }
                _ => {}
            }
            state = if state.queue.is_empty() {
                let wait = state.sender.poll_timeout().map_or(Duration::MAX, |at| at - now);
                let wait = wait.min(Duration::from_secs(10));
                self.changed.wait_timeout(state, wait).unwrap().0
            } else {
                self.write_once(state, stream)
            };
        }
    }

    /// Writes outside of the lock.
    fn write_once<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        mut stream: &TcpStream,
    ) -> MutexGuard<'a, State> {
        let mut batch = state.queue.take().unwrap();
        drop(state);
        let written = stream.write(batch.as_slice());
        let mut state = self.state.lock().unwrap();
        match written {
            Ok(n) => batch.consume(n),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => {
                batch = sansock::SendBuffer::new();
                state.sender.receive_eof();
            }
        }
        state.queue.put_back(batch);
        state
    }
}
