//! The plan of a server's end, under a virtual clock.

use std::time::{Duration, Instant};

use sansock::drain::{Drain, DrainPlan, DrainReport, DrainStep};
use sansock::handshake::{HeadLimits, ServerHandshake};
use sansock::{CloseCode, ReceiveBuffer, SendBuffer};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Connections that are told one after the other, and answer after some time, if at all.
struct Simulation {
    start: Instant,
    plan: DrainPlan,
    untold: usize,
    told: usize,
    /// When the connections were told, from the start.
    closes: Vec<Duration>,
}

impl Simulation {
    fn new(drain: Drain, connections: usize) -> Self {
        let start = Instant::now();
        Self { start, plan: drain.plan(start), untold: connections, told: 0, closes: Vec::new() }
    }

    /// Does all that is due at this time. Returns when to ask again; `None` at the end.
    fn at(&mut self, time: Duration) -> Option<Duration> {
        loop {
            match self.plan.poll(self.start + time, self.untold, self.told) {
                DrainStep::Serve(until) | DrainStep::Wait(until) => {
                    assert!(until > self.start + time, "a wait of no time spins");
                    return Some(until - self.start);
                }
                DrainStep::Close => {
                    self.untold -= 1;
                    self.told += 1;
                    self.closes.push(time);
                }
                DrainStep::Over => return None,
            }
        }
    }

    /// Runs to the end, whose time it returns. What is told ends at once, or not at all.
    fn run(&mut self, answers: bool) -> Duration {
        let mut time = Duration::ZERO;
        while let Some(next) = self.at(time) {
            if answers && std::mem::take(&mut self.told) > 0 {
                continue;
            }
            time = next;
        }
        time
    }
}

#[test]
fn connections_are_told_evenly_over_the_time() {
    let drain = Drain::new().grace(ms(500)).spread(ms(4000)).closing(ms(300));
    let mut simulation = Simulation::new(drain, 200);
    assert_eq!(simulation.run(false), ms(4800), "the deadline");
    let expected: Vec<_> = (0..200).map(|n| ms(500 + 20 * n)).collect();
    assert_eq!(simulation.closes, expected);
    assert_eq!(drain.total(), ms(4800));
}

/// A step looks at every connection, so there are not more than a hundred a second.
#[test]
fn many_are_told_in_groups() {
    let mut simulation = Simulation::new(Drain::new().spread(ms(1000)), 10_000);
    simulation.run(false);
    let mut times = simulation.closes.clone();
    times.dedup();
    assert_eq!(simulation.closes.len(), 10_000);
    assert_eq!(times, (0..=100).map(|n| ms(10 * n)).collect::<Vec<_>>());
    for (number, time) in simulation.closes.iter().enumerate() {
        let due = Duration::from_secs(1) * u32::try_from(number).unwrap() / 10_000;
        assert!((due..=due + ms(10)).contains(time), "{number} at {time:?}");
    }
}

#[test]
fn without_a_spread_all_are_told_at_once() {
    let mut simulation = Simulation::new(Drain::new().grace(ms(7)), 1000);
    assert_eq!(simulation.run(true), ms(7));
    assert_eq!(simulation.closes, [ms(7); 1000]);
}

#[test]
fn the_end_comes_with_the_last_connection() {
    let mut simulation = Simulation::new(Drain::new().spread(ms(1000)), 4);
    assert_eq!(simulation.run(true), ms(750));
    // A health check must be seen to fail, also if nobody is connected.
    assert_eq!(Simulation::new(Drain::new().grace(ms(100)), 0).run(true), ms(100));
}

#[test]
fn what_ends_by_itself_leaves_its_time_to_the_others() {
    let mut simulation = Simulation::new(Drain::new().spread(ms(1000)), 100);
    assert_eq!(simulation.at(ms(0)), Some(ms(10)));
    assert_eq!(simulation.at(ms(500)), Some(ms(510)));
    assert_eq!(simulation.closes.len(), 51);
    simulation.untold = 7;
    simulation.run(false);
    let late: Vec<_> = simulation.closes.iter().skip(51).copied().collect();
    assert_eq!(late, [510, 580, 650, 720, 790, 860, 930].map(ms));
}

/// The program was stopped for a while: nothing is left out.
#[test]
fn a_late_look_tells_all_that_are_due() {
    let mut simulation = Simulation::new(Drain::new().spread(ms(1000)), 100);
    simulation.at(ms(305));
    assert_eq!(simulation.closes.len(), 31);
    assert_eq!(simulation.at(ms(999)), Some(ms(12_000)));
    assert_eq!(simulation.closes.len(), 100);
    assert_eq!(simulation.at(ms(12_000)), None);
}

#[test]
fn times_beyond_the_clock_do_no_harm() {
    let start = Instant::now();
    let endless = Drain::new().grace(Duration::MAX).spread(Duration::MAX).closing(Duration::MAX);
    let mut plan = endless.plan(start);
    assert!(matches!(plan.poll(start, 1, 0), DrainStep::Serve(until) if until > start));
    assert!(plan.deadline() > start);
    let mut plan = Drain::new().spread(Duration::MAX).plan(start);
    assert_eq!(plan.poll(start, 1, 0), DrainStep::Close);
    assert!(matches!(plan.poll(start, 1, 1), DrainStep::Wait(until) if until > start));
}

#[test]
fn a_report_counts_each_end_once() {
    let mut report = DrainReport::default();
    report.count(true, true);
    for _ in 0..2 {
        report.count(true, false);
    }
    for clean in [true, true, false] {
        report.count(false, clean);
    }
    assert_eq!((report.closed, report.failed, report.ended), (1, 2, 3));
    assert_eq!(
        report.to_string(),
        "1 closed, 2 failed to close, 0 cut off, 3 had ended before, 0 refused, 0 open"
    );
}

#[test]
fn retry_after_is_rounded_up() {
    let response = |drain: Drain| {
        let mut input = ReceiveBuffer::new();
        input.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let (mut handshake, mut output) =
            (ServerHandshake::new(HeadLimits::new()), SendBuffer::new());
        assert!(handshake.advance(&mut input).unwrap());
        handshake.request().unwrap().reject(&drain.rejection(), &mut output).unwrap();
        String::from_utf8(output.as_slice().to_vec()).unwrap()
    };
    for (time, seconds) in [(ms(1), 1), (ms(2000), 2), (ms(2001), 3)] {
        let text = response(Drain::new().retry_after(time));
        assert!(text.contains(&format!("\r\nRetry-After: {seconds}\r\n")), "{text}");
    }
    let text = response(Drain::new().retry_after(None));
    assert!(text.starts_with("HTTP/1.1 503 ") && !text.contains("Retry-After"), "{text}");
    assert_eq!(Drain::default().rejection().status(), 503);
    assert_eq!(Drain::new().code(CloseCode::SERVICE_RESTART).code, CloseCode::SERVICE_RESTART);
    assert!(!Drain::new().keep_listening(false).keep_listening);
}
