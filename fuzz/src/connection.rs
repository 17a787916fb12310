//! `connection`: operations drive two connections through sends, fragments, Pings, closes, cuts and
//! timeouts on a virtual clock. No panic; every message that was accepted and delivered is intact and
//! in order; all that goes out is right on the wire; state, outcome, transport and timers are those of
//! a second writing of the rules ([`rules`]); a connection that is split does the same, byte by byte
//! ([`twin`]); when the script ends, both ends end Closed and drop their transports.

mod incoming;
mod rules;
mod script;
mod side;
mod twin;

use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use sansock::deflate::{DeflateConfig, WindowBits};
use sansock::{CloseCode, Role, State, Teardown};

pub use script::{Act, Operation, Script, Setup};
use side::Side;

/// See the module.
pub fn check(bytes: &[u8]) {
    if let Ok(script) = Script::arbitrary(&mut Unstructured::new(bytes)) {
        play(&script);
    }
}

/// Plays a script to its end and lets the two ends close.
pub fn play(script: &Script) {
    let mut pair = Pair::new(script);
    for operation in &script.operations {
        pair.perform(*operation);
    }
    pair.settle();
}

/// What is on the way from one end to the other.
#[derive(Debug, Default)]
struct Pipe {
    bytes: Vec<u8>,
    /// Nothing follows: the sender ended its side, or the wire was cut.
    ended: bool,
    /// What is put in vanishes, and neither end is told.
    silent: bool,
}

/// Two ends, two pipes, one clock.
#[derive(Debug)]
struct Pair {
    sides: [Side; 2],
    /// `pipes[i]` leads from `sides[i]` to the other.
    pipes: [Pipe; 2],
    now: Instant,
}

impl Pair {
    fn new(script: &Script) -> Self {
        let now = Instant::now();
        let [client, server] = &script.setups;
        let deflate = client.deflate.then(|| {
            let config = DeflateConfig::client()
                .client_context(client.context)
                .server_context(server.context);
            // Windows of both ends of the range.
            let small = if server.deflate { WindowBits::MIN } else { WindowBits::MAX };
            config.client_max_window_bits(small).server_max_window_bits(small).threshold(512)
        });
        let mut pair = Self {
            sides: [
                Side::new(Role::Client, client, deflate, now),
                Side::new(Role::Server, server, deflate, now),
            ],
            pipes: Default::default(),
            now,
        };
        pair.tell_time(true);
        pair
    }

    fn perform(&mut self, Operation { side, act }: Operation) {
        match act {
            Act::Write { most, leave } => {
                self.write(side, most);
                if leave {
                    self.leave(side);
                }
            }
            Act::Read { most, one } => {
                self.read(side, most, one);
            }
            Act::Tick { milliseconds, look } => {
                self.now += Duration::from_millis(milliseconds);
                self.tell_time(side == 0);
                if look {
                    self.look_for_events(side, false);
                }
            }
            Act::Cut { keep } => {
                let pipe = &mut self.pipes[side];
                pipe.bytes.truncate(pipe.bytes.len() * usize::from(keep) / 255);
                pipe.ended = true;
                self.sides[side].lost = true;
            }
            Act::Silence => {
                if self.sides.iter().all(|side| side.setup.closing.is_some()) {
                    self.pipes[side].silent = true;
                    self.pipes[side].bytes.clear();
                    self.sides[side].lost = true;
                }
            }
            act => {
                self.sides[side].perform(act);
                // What was written from where it lies.
                self.write(side, 0);
            }
        }
    }

    /// Moves bytes into the pipe: how many.
    fn write(&mut self, side: usize, most: usize) -> usize {
        let (from, pipe) = (&mut self.sides[side], &mut self.pipes[side]);
        let bytes = from.take_output(most);
        if !pipe.ended && !pipe.silent {
            pipe.bytes.extend_from_slice(&bytes);
        }
        bytes.len()
    }

    /// Moves bytes out of the pipe into the end at its other end: whether something happened.
    fn read(&mut self, side: usize, most: usize, one: bool) -> bool {
        let [reader, pipe] = [side, 1 - side];
        let (reader, pipe) = (&mut self.sides[reader], &mut self.pipes[pipe]);
        if reader.has_left {
            // The socket is gone.
            pipe.bytes.clear();
            return false;
        }
        if pipe.bytes.is_empty() {
            let ends = pipe.ended && !pipe.silent && !reader.saw_end;
            // A program reads the end behind all that came before it.
            if ends && !self.look_for_events(side, false) {
                self.sides[side].receive_end();
            }
            return ends;
        }
        let n = most.min(pipe.bytes.len());
        let behind = pipe.bytes.split_off(n);
        let bytes = std::mem::replace(&mut pipe.bytes, behind);
        reader.feed(&bytes);
        self.look_for_events(side, one);
        n > 0
    }

    /// Takes the events of what has arrived, or one of them: whether there was any.
    fn look_for_events(&mut self, side: usize, one: bool) -> bool {
        let [a, b] = &mut self.sides;
        let (reader, writer) = if side == 0 { (a, b) } else { (b, a) };
        reader.take_events(writer, one)
    }

    /// Gives the time to each end that asked for it, or to both.
    fn tell_time(&mut self, both: bool) {
        for side in &mut self.sides {
            side.tell_time(self.now, both);
        }
    }

    /// What the program around a connection does with the transport: whether something happened.
    fn leave(&mut self, side: usize) -> bool {
        let end = &mut self.sides[side];
        let (drops, ends) = match end.connection().teardown() {
            _ if end.has_left => (false, false),
            Teardown::NotYet | Teardown::AwaitPeer => (false, false),
            Teardown::HalfClose => (false, end.has_written() && !end.has_ended),
            Teardown::Drop { until: Some(until) } => (end.has_written() || until <= self.now, true),
            Teardown::Drop { until: None } => (true, true),
        };
        if drops {
            // What still waits is lost, perhaps in the middle of a frame.
            end.lost |= !end.has_written();
            end.has_left = true;
        }
        if drops || ends && end.has_written() {
            end.has_ended = true;
            self.pipes[side].ended = true;
        }
        drops || ends
    }

    /// No more operations: all that is on the way arrives, the ends that are open close, and the
    /// clock goes on when nothing else does.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut moved = false;
            for side in [0, 1] {
                moved |= self.write(side, usize::MAX) > 0;
                moved |= self.read(side, usize::MAX, false);
                moved |= self.look_for_events(side, false);
                moved |= self.leave(side);
            }
            if moved {
                continue;
            }
            let open = |side: &&mut Side| side.connection().state() == State::Open;
            if let Some(end) = self.sides.iter_mut().find(open) {
                end.perform(Act::Close { code: Some(CloseCode::NORMAL), reason: 0 });
                continue;
            }
            if self.sides.iter().all(|side| side.has_left) {
                for side in &self.sides {
                    side.judge_end();
                }
                return;
            }
            let here = self.sides.iter().filter(|side| !side.has_left);
            let due = here.filter_map(|side| side.connection().poll_timeout()).min();
            let Some(due) = due else { panic!("stuck: {self:#?}") };
            self.now = self.now.max(due);
            self.tell_time(false);
        }
        panic!("does not come to an end: {self:#?}");
    }
}
