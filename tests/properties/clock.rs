//! Deadlines, on a clock that only the tests move.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use sansock::handshake::Established;
use sansock::{
    CloseCode, Config, Connection, Keepalive, Outcome, ReceiveBuffer, Role, SendBuffer, State,
    Teardown, Timeout, Timeouts,
};
use testkit::frame::{CLOSE, FIN, Frame, PING, TEXT, frames};
use testkit::masks::Keys;
use testkit::pair::{SECOND_LOOK, clean};
use testkit::wire::peer;

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Client, Role::Server])
}

/// Whole seconds, so that deadlines fall together often.
fn time() -> impl Strategy<Value = Duration> {
    (1_u64..20).prop_map(Duration::from_secs)
}

/// Any timeouts, each on or off.
fn timeouts() -> impl Strategy<Value = Timeouts> {
    let keepalive =
        (time(), time()).prop_map(|(interval, timeout)| Keepalive { interval, timeout });
    (option::of(keepalive), option::of(time()), option::of(time()), option::of(time())).prop_map(
        |(keepalive, idle, message, closing)| {
            let mut timeouts = Timeouts::none();
            (timeouts.keepalive, timeouts.idle) = (keepalive, idle);
            (timeouts.message, timeouts.closing) = (message, closing);
            timeouts
        },
    )
}

struct End {
    connection: Connection,
    input: ReceiveBuffer,
    output: SendBuffer,
    /// When and how a deadline passed.
    expired: Option<(Instant, Timeout)>,
}

impl End {
    fn new(role: Role, timeouts: Timeouts) -> Self {
        let config = Config::new().timeouts(timeouts);
        Self {
            connection: Established::after_handshake(role, None).connection_with(&config, Keys(1)),
            input: ReceiveBuffer::new(),
            output: SendBuffer::new(),
            expired: None,
        }
    }

    /// Checks the timers as a program does that waits until `poll_timeout()`: again while something
    /// is due.
    fn tell(&mut self, now: Instant) {
        for _ in 0..3 {
            if let Err(timeout) = self.connection.handle_timeout(now, &mut self.output) {
                self.expired.get_or_insert((now, timeout));
            }
            if self.connection.poll_timeout().is_none_or(|next| next > now) {
                return;
            }
        }
        panic!("asks for a check of the timers without end: {:?}", self.connection);
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while self.connection.next_event(&mut self.input, &mut self.output).unwrap().is_some() {}
    }

    /// What waits to leave.
    fn take_output(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.output.write_to(&mut bytes).unwrap();
        bytes
    }
}

/// The time after which a connection ends if the peer is silent from the start, and why. A message
/// may have begun.
fn end_in_silence(timeouts: &Timeouts, in_message: bool) -> Option<(Duration, Timeout)> {
    let message = timeouts.message.filter(|_| in_message).map(|at| (at, Timeout::Message));
    let keepalive = timeouts.keepalive.map(|it| (it.interval + it.timeout, Timeout::Keepalive));
    let sooner = |a: Option<(Duration, Timeout)>, b: Option<(Duration, Timeout)>| match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    };
    // A deadline acts at the second look after it has passed.
    let acts =
        |passes: Option<(Duration, Timeout)>| passes.map(|(at, why)| (at + SECOND_LOOK, why));
    let unused = sooner(message, keepalive);
    match timeouts.idle {
        // From then on only the closing handshake is awaited; no keepalive Pings are sent.
        Some(idle)
            if unused
                .is_none_or(|(at, why)| idle < at || (idle == at && why == Timeout::Keepalive)) =>
        {
            let closes = idle + SECOND_LOOK;
            let closing = timeouts.closing.map(|time| (closes + time, Timeout::Closing));
            acts(sooner(closing, message))
        }
        _ => acts(unused),
    }
}

proptest! {
    #[test]
    fn a_silent_peer_times_out_at_the_deadline(
        role in role(),
        timeouts in timeouts(),
        in_message in any::<bool>(),
    ) {
        let start = Instant::now();
        let mut end = End::new(role, timeouts);
        if in_message {
            let key = (role == Role::Server).then_some([1, 2, 3, 4]);
            end.receive(&Frame { first: TEXT, key, payload: b"begun".into() }.bytes());
        }
        end.tell(start);
        // A Ping, the Close frame for idleness, the end.
        for _ in 0..12 {
            if let Some(next) = end.connection.poll_timeout() {
                end.tell(next);
            }
        }
        prop_assert_eq!(end.connection.poll_timeout(), None);
        let expected = end_in_silence(&timeouts, in_message);
        let expired = end.expired.map(|(at, what)| (at - start, what));
        prop_assert_eq!(expired, expected);

        let frames = frames(&end.take_output());
        let is_idle = timeouts.idle.is_some_and(|idle| expected.is_none_or(|(at, why)| {
            let acts = idle + SECOND_LOOK;
            acts < at || (acts == at && why == Timeout::Keepalive)
        }));
        let code = match expected {
            _ if is_idle => Some(CloseCode::GOING_AWAY),
            Some((_, Timeout::Message)) => Some(CloseCode::POLICY_VIOLATION),
            Some(_) => Some(CloseCode::INTERNAL_ERROR),
            None => None,
        };
        let closes: Vec<_> = frames.iter().filter(|frame| frame.first == FIN | CLOSE).collect();
        let said: Vec<_> = closes.iter().map(|close| close.payload.clone()).collect();
        prop_assert_eq!(said, code.map(|code| code.get().to_be_bytes().to_vec()).into_iter().collect::<Vec<_>>());
        let pings = frames.iter().filter(|frame| frame.first == FIN | PING).count();
        prop_assert!(pings <= usize::from(timeouts.keepalive.is_some()), "one Ping at a time");
        let outcome = expected.map(|(_, why)| Outcome::TimedOut(why));
        prop_assert_eq!(end.connection.outcome(), outcome.as_ref());
        if outcome.is_some() {
            prop_assert_eq!(end.connection.state(), State::Closed);
            prop_assert_eq!(end.connection.teardown(), Teardown::Drop { until: None });
        }
    }

    /// Timers checked at any moments, not only when due.
    #[test]
    fn the_closing_handshake_has_its_time_and_no_more(
        role in role(),
        closing in time(),
        before in vec(time(), 0..5),
        steps in vec((0_u64..30_000).prop_map(Duration::from_millis), 1..8),
    ) {
        let mut now = Instant::now();
        let mut end = End::new(role, Timeouts::none().closing(closing));
        end.tell(now);
        for step in before {
            now += step;
            end.tell(now);
        }
        end.connection.start_close(CloseCode::NORMAL, "", &mut end.output).unwrap();
        prop_assert!(end.connection.poll_timeout().is_some_and(|at| at <= now), "since when?");
        end.tell(now);
        let deadline = now + closing;
        prop_assert_eq!(end.connection.poll_timeout(), Some(deadline));
        let mut first_look = None;
        for step in steps {
            now += step;
            end.tell(now);
            if now >= deadline {
                first_look.get_or_insert(now);
            }
            let is_over = first_look.is_some_and(|first| now >= first + SECOND_LOOK);
            prop_assert_eq!(end.expired.is_some(), is_over);
            prop_assert_eq!(end.connection.state(), if is_over { State::Closed } else { State::Closing });
            let again = end.connection.handle_timeout(now, &mut end.output);
            prop_assert_eq!(again, if is_over { Err(Timeout::Closing) } else { Ok(()) });
        }
        prop_assert_eq!(frames(&end.take_output()).len(), 1);
    }

    /// Two ends over a network that is slow, but faster than the deadlines: neither times out, and
    /// the closing handshake completes.
    #[test]
    fn a_peer_that_answers_in_time_is_kept(
        first in role(),
        keepalive in (time(), time()),
        closing in time(),
        latency in 1_u64..500,
        rounds in 1_usize..20,
    ) {
        let keepalive = Keepalive { interval: keepalive.0, timeout: keepalive.1 };
        let timeouts = Timeouts::none().keepalive(keepalive).closing(closing);
        // There and back is less than a second.
        let latency = Duration::from_millis(latency);
        let mut now = Instant::now();
        let mut ends = [End::new(first, timeouts), End::new(peer(first), Timeouts::none().closing(closing))];
        for end in &mut ends {
            end.tell(now);
        }
        let carry = |ends: &mut [End; 2], now: &mut Instant, from: usize| {
            *now += latency;
            let bytes = ends[from].take_output();
            ends[1 - from].receive(&bytes);
            for end in ends {
                end.tell(*now);
            }
            bytes.len()
        };
        for _ in 0..rounds {
            now = ends[0].connection.poll_timeout().unwrap();
            ends[0].tell(now);
            // A Ping and its Pong.
            prop_assert!(carry(&mut ends, &mut now, 0) > 0);
            prop_assert!(carry(&mut ends, &mut now, 1) > 0);
        }
        let End { connection, output, .. } = &mut ends[1];
        connection.start_close(CloseCode::NORMAL, "", output).unwrap();
        ends[1].tell(now);
        carry(&mut ends, &mut now, 1);
        carry(&mut ends, &mut now, 0);
        for end in &ends {
            prop_assert_eq!(end.expired, None);
            prop_assert_eq!(end.connection.outcome(), Some(&clean(1000)));
        }
    }
}
