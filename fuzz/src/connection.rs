//! `connection`: operations drive two connections through sends, fragments, Pings, closes, cuts and
//! timeouts on a virtual clock. No panic; every message that was accepted and delivered is intact and
//! in order; all that goes out is right on the wire; when the script ends, both ends end Closed.

mod script;
mod side;

use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use sansock::{CloseCode, Role, State, Transport};
use sansock::deflate::{DeflateConfig, WindowBits};

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
    /// What is put in vanishes, and nobody is told.
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
            Act::Write(most) => {
                self.write(side, most);
            }
            Act::Read(most) => {
                self.read(side, most);
            }
            Act::Tick(milliseconds) => {
                self.now += Duration::from_millis(milliseconds);
                self.tell_time(side == 0);
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
            act => self.sides[side].perform(act),
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
    fn read(&mut self, side: usize, most: usize) -> bool {
        let [a, b] = &mut self.sides;
        let (reader, writer) = if side == 0 { (a, b) } else { (b, a) };
        let pipe = &mut self.pipes[1 - side];
        if reader.has_left {
            // The socket is gone.
            pipe.bytes.clear();
            return false;
        }
        if pipe.bytes.is_empty() {
            let ends = pipe.ended && !pipe.silent && !reader.saw_end;
            if ends {
                reader.receive_end();
            }
            return ends;
        }
        let n = most.min(pipe.bytes.len());
        let behind = pipe.bytes.split_off(n);
        let bytes = std::mem::replace(&mut pipe.bytes, behind);
        reader.receive(&bytes, writer, self.now);
        n > 0
    }

    /// Gives the time to those who asked for it, or to both.
    fn tell_time(&mut self, both: bool) {
        for side in &mut self.sides {
            side.tell_time(self.now, both);
        }
    }

    /// What the program around a connection does with the transport: whether something happened.
    fn leave(&mut self, side: usize) -> bool {
        let end = &mut self.sides[side];
        let done = match end.connection.transport() {
            Transport::Open => false,
            Transport::AwaitClose => end.saw_end,
            Transport::Close => true,
        };
        let leaves = done && end.output.is_empty() && !end.has_ended;
        if leaves {
            end.has_ended = true;
            self.pipes[side].ended = true;
        }
        if end.has_ended && end.saw_end {
            end.has_left = true;
        }
        leaves
    }

    /// No more operations: all that is on the way arrives, the ends that are open close, and the
    /// clock goes on when nothing else does.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut moved = false;
            for side in [0, 1] {
                moved |= self.write(side, usize::MAX) > 0;
                moved |= self.read(side, usize::MAX);
                moved |= self.leave(side);
            }
            if moved {
                continue;
            }
            let open = |side: &&mut Side| side.connection.state() == State::Open;
            if let Some(end) = self.sides.iter_mut().find(open) {
                end.perform(Act::Close { code: Some(CloseCode::NORMAL), reason: 0 });
                continue;
            }
            if self.sides.iter().all(Side::is_over) {
                for side in &self.sides {
                    side.judge_end();
                }
                return;
            }
            let due = self.sides.iter().filter_map(|side| side.connection.poll_timeout()).min();
            let Some(due) = due else { panic!("stuck: {self:#?}") };
            self.now = self.now.max(due);
            self.tell_time(false);
        }
        panic!("does not come to an end: {self:#?}");
    }
}
