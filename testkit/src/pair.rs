//! Two ends, the bytes between them, and a clock that only the test moves.

use std::time::{Duration, Instant};

use sansock::handshake::Established;
use sansock::{
    AsMessage, Config, Connection, Outcome, ProtocolError, ReceiveBuffer, Role, SendBuffer,
    SendError, State, Teardown, Timeout,
};

use crate::wire::{FixedKey, Seen};

/// How long a passed deadline waits before it takes effect, if the program checks the timers on
/// time.
pub const SECOND_LOOK: Duration = Duration::from_millis(100);

/// A clean end without a reason; 1005 means a Close frame without a code.
pub fn clean(code: u16) -> Outcome {
    closed(code, "")
}

/// A clean end.
pub fn closed(code: u16, reason: &str) -> Outcome {
    Outcome::Clean { code: sansock::CloseCode::new(code), reason: reason.into() }
}

pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// One end: the connection and the state that a program keeps for it.
#[derive(Debug)]
pub struct End {
    pub connection: Connection,
    pub input: ReceiveBuffer,
    pub output: SendBuffer,
    /// The events that arrived, in order.
    pub seen: Vec<Seen>,
    pub error: Option<ProtocolError>,
    pub timeout: Option<Timeout>,
    /// Whether this end has ended its side of the transport.
    pub ended: bool,
}

impl End {
    pub fn new(role: Role, config: &Config) -> Self {
        Self {
            connection: Established::after_handshake(role, None).connection_with(config, FixedKey),
            input: ReceiveBuffer::new(),
            output: SendBuffer::new(),
            seen: Vec::new(),
            error: None,
            timeout: None,
            ended: false,
        }
    }

    pub fn send(&mut self, message: impl AsMessage) -> Result<(), SendError> {
        self.connection.send(message, &mut self.output)
    }

    pub fn close(&mut self, code: u16, reason: &str) -> Result<(), SendError> {
        self.connection.start_close(sansock::CloseCode::new(code), reason, &mut self.output)
    }

    /// Passes in bytes and takes all events; bytes after an error are discarded.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        loop {
            match self.connection.next_event(&mut self.input, &mut self.output) {
                Ok(Some(event)) => self.seen.push(event.into()),
                Ok(None) => return,
                Err(error) => return self.error = Some(error),
            }
        }
    }

    /// Takes all bytes that wait to be sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.output.write_to(&mut bytes).unwrap();
        bytes
    }

    /// Takes the events since the last call.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    pub fn state(&self) -> State {
        self.connection.state()
    }

    pub fn teardown(&self) -> Teardown {
        self.connection.teardown()
    }

    pub fn outcome(&self) -> Option<Outcome> {
        self.connection.outcome().cloned()
    }

    /// Checks the timers twice, with the time in between that a deadline needs to take effect.
    pub fn tell_twice(&mut self, now: Instant) {
        self.tell(now);
        self.tell(now + SECOND_LOOK);
    }

    /// Checks the timers until nothing is due; this must end.
    pub fn tell(&mut self, now: Instant) {
        for _ in 0..3 {
            if let Err(timeout) = self.connection.handle_timeout(now, &mut self.output) {
                self.timeout = Some(timeout);
            }
            if self.connection.poll_timeout().is_none_or(|at| at > now) {
                return;
            }
        }
        panic!("a program that waits until poll_timeout() would spin: {:?}", self.connection);
    }
}

#[derive(Debug)]
pub struct Pair {
    pub client: End,
    pub server: End,
    start: Instant,
    pub now: Instant,
    /// Whether sent bytes are lost: the network is down, and neither end has noticed.
    pub down: bool,
}

impl Pair {
    /// Creates two ends with the same settings, whose timers were checked once.
    pub fn new(config: &Config) -> Self {
        Self::of(config, config)
    }

    pub fn of(client: &Config, server: &Config) -> Self {
        let start = Instant::now();
        let mut pair = Self {
            client: End::new(Role::Client, client),
            server: End::new(Role::Server, server),
            start,
            now: start,
            down: false,
        };
        pair.client.tell(start);
        pair.server.tell(start);
        pair
    }

    /// Carries bytes in both directions until none are left, and the ends of both sides of the
    /// transport, as [`Teardown`] says.
    pub fn deliver(&mut self) {
        while self.client_to_server() | self.server_to_client() {}
    }

    pub fn client_to_server(&mut self) -> bool {
        carry(&mut self.client, &mut self.server, self.down)
    }

    pub fn server_to_client(&mut self) -> bool {
        carry(&mut self.server, &mut self.client, self.down)
    }

    /// Lets time pass, and checks each end's timers at its deadlines.
    pub fn pass(&mut self, time: Duration) {
        self.deliver();
        let end = self.now + time;
        loop {
            let polls = [&self.client, &self.server].map(|end| end.connection.poll_timeout());
            let Some(next) = polls.into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            for (side, poll) in [&mut self.client, &mut self.server].into_iter().zip(polls) {
                if poll.is_some_and(|at| at <= self.now) {
                    side.tell(self.now);
                }
            }
            self.deliver();
        }
        self.now = end;
    }

    /// Lets time pass while the program does not run, as on a suspended laptop.
    pub fn sleep(&mut self, time: Duration) {
        self.now += time;
        self.client.tell(self.now);
        self.server.tell(self.now);
        self.deliver();
    }

    /// The time since the pair was created.
    pub fn age(&self) -> Duration {
        self.now - self.start
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    /// Breaks the transport for both ends.
    pub fn cut(&mut self) {
        self.client.connection.receive_eof();
        self.server.connection.receive_eof();
    }
}

/// Carries the bytes of one end to the other, and returns whether there were any.
fn carry(from: &mut End, to: &mut End, lost: bool) -> bool {
    let bytes = from.take_output();
    if !bytes.is_empty() {
        assert!(!from.ended, "bytes behind the end of the stream");
        if !lost {
            to.receive(&bytes);
        }
        return true;
    }
    let ends = matches!(from.teardown(), Teardown::HalfClose | Teardown::Drop { .. });
    if ends && !from.ended {
        from.ended = true;
        if !lost {
            to.connection.receive_eof();
        }
        return true;
    }
    false
}
